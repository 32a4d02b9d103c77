//! `begin` whose caller is dropped before it ends, as a worker's task is that lost its lease.

use std::time::Duration;

use lgi_mm::store::session::begin;
use sqlx::PgPool;

/// Connections that are given back and yet in a transaction.
async fn left_open(pool: &PgPool) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'";
    sqlx::query_scalar(sql).fetch_one(pool).await.expect("sessions")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_beginning_leaves_no_connection_in_a_transaction() {
    let test = testkit::db().await;
    let looking = PgPool::connect(&test.url).await.expect("the database");
    // Dropped ever later, microsecond by microsecond: some between the statement and its answer.
    for micros in 0..1_000 {
        let pool = test.pool.clone();
        let task = tokio::spawn(async move {
            let held = begin(&pool).await;
            tokio::time::sleep(Duration::from_secs(60)).await;
            drop(held);
        });
        std::thread::sleep(Duration::from_micros(micros));
        task.abort();
        let _ = task.await;
        // Nothing uses the connection meanwhile: a rollback is sent when it is given back, or never.
        let mut looks = 0;
        while left_open(&looking).await > 0 {
            looks += 1;
            assert!(
                looks < 100,
                "dropped after {micros} microseconds, still in a transaction"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
