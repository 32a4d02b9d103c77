//! The limit: the rate of a hand-written loop on the same server, without any queue. In batches of 100 it claims with
//! `FOR UPDATE SKIP LOCKED`, reads, writes and commits, and nothing else. Twice: with the actual statements of a tick
//! on the actual tables; and with two minimal reads and a write on minimal tables.

use std::time::Instant;

use sqlx::{PgConnection, PgPool};

use crate::{
    Plan,
    fleet::{self, Work},
    report::Report,
    server::Postgres,
    ticks::{YEARLY, as_f64},
};

const JOBS: i64 = 10_000;
const BATCH: i64 = 100;

/// With one loop and with four concurrent loops.
pub async fn run(postgres: &Postgres, plan: &Plan, report: &mut Report) {
    let pool = postgres.database("hand").await;
    fleet::create(&pool, JOBS, Work::Hold, YEARLY, 1).await;
    measure(&pool, plan, report, Loop::SAME).await;
    pool.close().await;
    postgres.drop("hand").await;

    let pool = postgres.database("hand").await;
    for statement in LEAN_TABLES {
        sqlx::query(statement).execute(&pool).await.expect("a table");
    }
    measure(&pool, plan, report, Loop::LEAN).await;
    pool.close().await;
    postgres.drop("hand").await;
}

/// Statements of a loop.
#[derive(Clone, Copy)]
struct Loop {
    name: &'static str,
    /// Makes all rows due.
    due: &'static str,
    /// Claims a batch.
    claim: &'static str,
    lean: bool,
}

impl Loop {
    const SAME: Self = Self {
        name: "by hand, reads and write of a tick",
        due: "UPDATE job_slots SET due_at = now(), next_slot = now()",
        claim: "SELECT job_id FROM job_slots WHERE due_at <= now() AND open_slot IS NULL
                ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED",
        lean: false,
    };
    const LEAN: Self = Self {
        name: "by hand, least reads and write",
        due: "UPDATE due SET at = now()",
        claim: "SELECT job_id FROM due WHERE at <= now() ORDER BY at LIMIT $1 FOR UPDATE SKIP LOCKED",
        lean: true,
    };
}

const LEAN_TABLES: [&str; 7] = [
    "CREATE TABLE position (id bigint PRIMARY KEY, config jsonb NOT NULL, balance numeric NOT NULL, status text NOT NULL)",
    "CREATE TABLE price (job_id bigint PRIMARY KEY, price numeric NOT NULL, at timestamptz NOT NULL)",
    "CREATE TABLE due (job_id bigint PRIMARY KEY, at timestamptz NOT NULL, ticks bigint NOT NULL DEFAULT 0, price numeric)
     WITH (fillfactor = 70)",
    "CREATE INDEX due_at ON due (at)",
    "INSERT INTO position SELECT n, '{\"dca\": {\"amount\": \"5\", \"interval\": \"4h\"}}', 0, 'RUNNING' FROM generate_series(1, 10000) n",
    "INSERT INTO price SELECT n, 2, now() FROM generate_series(1, 10000) n",
    "INSERT INTO due SELECT n, now() FROM generate_series(1, 10000) n",
];

async fn measure(pool: &PgPool, plan: &Plan, report: &mut Report, what: Loop) {
    for loops in [1, 4] {
        let mut rates = Vec::new();
        for measured in 0..=plan.rounds(JOBS) {
            sqlx::query(what.due).execute(pool).await.expect("due jobs");
            let begun = Instant::now();
            let drained = futures::future::join_all((0..loops).map(|_| drain(pool, what))).await;
            assert_eq!(drained.iter().sum::<i64>(), JOBS);
            // The first round warms up.
            if measured > 0 {
                rates.push(as_f64(JOBS) / begun.elapsed().as_secs_f64());
            }
        }
        report.median("limit", format!("{}, {loops} x {BATCH}", what.name), rates, "/s");
    }
}

async fn drain(pool: &PgPool, what: Loop) -> i64 {
    let mut drained = 0;
    loop {
        let mut tx = pool.begin().await.expect("a transaction");
        let jobs: Vec<i64> = sqlx::query_scalar(what.claim)
            .bind(BATCH)
            .fetch_all(&mut *tx)
            .await
            .expect("a claim");
        if jobs.is_empty() {
            return drained;
        }
        if what.lean {
            lean(&mut tx, &jobs).await;
        } else {
            same(&mut tx, &jobs).await;
        }
        tx.commit().await.expect("committed");
        drained += i64::try_from(jobs.len()).expect("a batch");
    }
}

/// Statements of a hold tick: load the job and its slot, store the price and look back, record the hold.
async fn same(tx: &mut PgConnection, jobs: &[i64]) {
    let now = chrono::Utc::now();
    let all = |value: &str| vec![value.to_owned(); jobs.len()];
    let loaded = sqlx::query(include_str!("../../src/store/sql/ticks_load.sql"))
        .bind(jobs)
        .bind(vec![now; jobs.len()])
        .bind(vec![None::<String>; jobs.len()])
        .bind(vec![None::<chrono::DateTime<chrono::Utc>>; jobs.len()])
        .fetch_all(&mut *tx)
        .await
        .expect("jobs");
    assert_eq!(loaded.len(), jobs.len());
    let tokens = jobs.iter().map(|job| format!("0x{job:040x}")).collect::<Vec<_>>();
    sqlx::query(include_str!("../../src/store/sql/samples_observe.sql"))
        .bind(all("base"))
        .bind(tokens)
        .bind(all("by hand"))
        .bind(vec![rust_decimal::Decimal::TWO; jobs.len()])
        .bind(vec![now; jobs.len()])
        .bind(vec![now - chrono::TimeDelta::days(1); jobs.len()])
        .bind(vec![0_f64; jobs.len()])
        .bind(60_f64)
        .bind(5_i32)
        .fetch_all(&mut *tx)
        .await
        .expect("samples");
    let recorded = sqlx::query(include_str!("../../src/store/sql/ticks_record_holds.sql"))
        .bind(jobs)
        .bind(vec![now; jobs.len()])
        .bind(all("not_due"))
        .bind(vec![None::<String>; jobs.len()])
        .bind(vec![rust_decimal::Decimal::TWO; jobs.len()])
        .bind(vec![now; jobs.len()])
        .bind(vec![rust_decimal::Decimal::TWO; jobs.len()])
        .bind(vec![rust_decimal::Decimal::TWO; jobs.len()])
        .bind(vec![now; jobs.len()])
        .bind(vec![now; jobs.len()])
        .bind(vec![1_i32; jobs.len()])
        .fetch_all(&mut *tx)
        .await
        .expect("holds");
    assert_eq!(recorded.len(), jobs.len());
    let next =
        "UPDATE job_slots SET due_at = now() + interval '1 minute', next_slot = now() + interval '1 minute'
                WHERE job_id = ANY ($1)";
    sqlx::query(next)
        .bind(jobs)
        .execute(tx)
        .await
        .expect("the next slot");
}

async fn lean(tx: &mut PgConnection, jobs: &[i64]) {
    let _: Vec<(i64, serde_json::Value, String, String)> =
        sqlx::query_as("SELECT id, config, balance::text, status FROM position WHERE id = ANY ($1)")
            .bind(jobs)
            .fetch_all(&mut *tx)
            .await
            .expect("jobs");
    let prices: Vec<(i64, rust_decimal::Decimal)> =
        sqlx::query_as("SELECT job_id, price FROM price WHERE job_id = ANY ($1)")
            .bind(jobs)
            .fetch_all(&mut *tx)
            .await
            .expect("prices");
    let (ids, prices): (Vec<i64>, Vec<rust_decimal::Decimal>) = prices.into_iter().unzip();
    let write = "UPDATE due SET at = now() + interval '1 minute', ticks = ticks + 1, price = i.price
                 FROM unnest($1::bigint[], $2::numeric[]) i (job_id, price) WHERE due.job_id = i.job_id";
    sqlx::query(write)
        .bind(ids)
        .bind(prices)
        .execute(tx)
        .await
        .expect("a write");
}
