//! The limit: what a loop written by hand for nothing but this work reaches on the same server. It claims a batch of
//! 100 with `FOR UPDATE SKIP LOCKED`, reads the jobs and their newest prices, writes the jobs' state, and commits.

use std::time::Instant;

use sqlx::PgPool;

use crate::{Plan, report::Report, server::Postgres, ticks::as_f64};

const JOBS: i64 = 10_000;
const BATCH: i64 = 100;

const TABLES: [&str; 6] = [
    "CREATE TABLE position (id bigint PRIMARY KEY, config jsonb NOT NULL, balance numeric NOT NULL, status text NOT NULL)",
    "CREATE TABLE price (job_id bigint PRIMARY KEY, price numeric NOT NULL, at timestamptz NOT NULL)",
    "CREATE TABLE due (job_id bigint PRIMARY KEY, at timestamptz NOT NULL, ticks bigint NOT NULL DEFAULT 0, price numeric)
     WITH (fillfactor = 70)",
    "CREATE INDEX due_at ON due (at)",
    "INSERT INTO position SELECT n, '{\"dca\": {\"amount\": \"5\", \"interval\": \"4h\"}}', 0, 'RUNNING' FROM generate_series(1, 10000) n",
    "INSERT INTO price SELECT n, 2, now() FROM generate_series(1, 10000) n",
];

/// With one and with four loops side by side.
pub async fn run(postgres: &Postgres, plan: &Plan, report: &mut Report) {
    let pool = postgres.database("hand").await;
    for statement in TABLES {
        sqlx::query(statement).execute(&pool).await.expect("a table");
    }
    sqlx::query("INSERT INTO due SELECT n, now() FROM generate_series(1, $1) n")
        .bind(JOBS)
        .execute(&pool)
        .await
        .expect("due jobs");
    for loops in [1, 4] {
        let mut rates = Vec::new();
        for measured in 0..=plan.rounds(JOBS) {
            sqlx::query("UPDATE due SET at = now()")
                .execute(&pool)
                .await
                .expect("due jobs");
            let begun = Instant::now();
            let drained = futures::future::join_all((0..loops).map(|_| drain(&pool))).await;
            assert_eq!(drained.iter().sum::<i64>(), JOBS);
            // The first round warms up.
            if measured > 0 {
                rates.push(as_f64(JOBS) / begun.elapsed().as_secs_f64());
            }
        }
        report.median("limit", format!("by hand, {loops} x {BATCH}"), rates, "/s");
    }
    pool.close().await;
    postgres.drop("hand").await;
}

async fn drain(pool: &PgPool) -> i64 {
    let mut drained = 0;
    loop {
        let batch = tick(pool).await;
        if batch == 0 {
            return drained;
        }
        drained += batch;
    }
}

/// One batch, one transaction.
async fn tick(pool: &PgPool) -> i64 {
    let mut tx = pool.begin().await.expect("a transaction");
    let jobs: Vec<i64> = sqlx::query_scalar(
        "SELECT job_id FROM due WHERE at <= now() ORDER BY at LIMIT $1 FOR UPDATE SKIP LOCKED",
    )
    .bind(BATCH)
    .fetch_all(&mut *tx)
    .await
    .expect("a claim");
    if jobs.is_empty() {
        return 0;
    }
    let _: Vec<(i64, serde_json::Value, String, String)> =
        sqlx::query_as("SELECT id, config, balance::text, status FROM position WHERE id = ANY ($1)")
            .bind(&jobs)
            .fetch_all(&mut *tx)
            .await
            .expect("jobs");
    let prices: Vec<(i64, rust_decimal::Decimal)> =
        sqlx::query_as("SELECT job_id, price FROM price WHERE job_id = ANY ($1)")
            .bind(&jobs)
            .fetch_all(&mut *tx)
            .await
            .expect("prices");
    let (ids, prices): (Vec<i64>, Vec<rust_decimal::Decimal>) = prices.into_iter().unzip();
    sqlx::query(
        "UPDATE due SET at = now() + interval '1 minute', ticks = ticks + 1, price = i.price
         FROM unnest($1::bigint[], $2::numeric[]) i (job_id, price) WHERE due.job_id = i.job_id",
    )
    .bind(ids)
    .bind(prices)
    .execute(&mut *tx)
    .await
    .expect("a write");
    tx.commit().await.expect("committed");
    i64::try_from(jobs.len()).expect("a batch")
}
