//! One private server a test binary, one database a test, copied from a migrated template.

use std::sync::{
    LazyLock,
    atomic::{AtomicU32, Ordering},
};

use lgi_mm::embedded::{Options, Server, start_or_join};
use sqlx::{Connection, PgConnection, PgPool, postgres::PgPoolOptions};

/// A test's own database.
pub struct TestDb {
    /// Connections to it.
    pub pool: PgPool,
    /// For other processes.
    pub url: String,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let fast = std::path::Path::new("/dev/shm");
    let base = if fast.is_dir() {
        fast.to_owned()
    } else {
        std::env::temp_dir()
    };
    let data_dir = base.join(format!("lgi-mm-test-{}", std::process::id()));
    let server = start_or_join(&Options {
        data_dir: Some(data_dir),
        fast: true,
        remove: true,
    })
    .expect("a private server");
    let (admin, template) = (server.url("postgres"), server.url("template"));
    // Each test has a runtime of its own; this is done once, whichever comes first.
    let migrated = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut connection = PgConnection::connect(&admin).await.expect("the server answers");
            sqlx::query("CREATE DATABASE template")
                .execute(&mut connection)
                .await
                .expect("a template");
            let pool = PgPool::connect(&template).await.expect("the template answers");
            lgi_mm::store::migrate(&pool).await.expect("migrations");
            pool.close().await;
        });
    });
    migrated.join().expect("a migrated template");
    server
});

/// A fresh, migrated database.
pub async fn db() -> TestDb {
    create(" TEMPLATE template").await
}

/// A database without a table.
pub async fn empty_db() -> TestDb {
    create("").await
}

async fn create(from: &str) -> TestDb {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = tokio::task::spawn_blocking(|| &*SERVER)
        .await
        .expect("a private server");
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(&server.url("postgres"))
        .await
        .expect("the server answers");
    let create = format!("CREATE DATABASE {name}{from}");
    sqlx::query(sqlx::AssertSqlSafe(create))
        .execute(&mut connection)
        .await
        .expect("a database");
    connection.close().await.expect("an orderly end");
    let url = server.url(&name);
    let pool = PgPoolOptions::new()
        .max_connections(8)
        .connect_lazy(&url)
        .expect("an address");
    let test = TestDb { pool, url };
    let answer = test.pool.acquire().await;
    assert!(answer.is_ok(), "{}: {answer:?}", test.url);
    drop(answer);
    test
}
