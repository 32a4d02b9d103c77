use sqlx::PgPool;
pub struct TestDb {
    pub pool: PgPool,
    pub url: String,
}
static N: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
pub async fn db() -> TestDb {
    use sqlx::Connection;
    let n = N.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("t{}_{n}", std::process::id());
    let base = "postgres://postgres@127.0.0.1:5439";
    let mut c = sqlx::PgConnection::connect(&format!("{base}/postgres"))
        .await
        .unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("create database {name}")))
        .execute(&mut c)
        .await
        .unwrap();
    let url = format!("{base}/{name}");
    let pool = PgPool::connect(&url).await.unwrap();
    lgi_mm::store::migrate(&pool).await.unwrap();
    TestDb { pool, url }
}
