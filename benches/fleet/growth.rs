//! Growth: the same ticks with a long history: 100,000 jobs, 10 million runs of holds, a million trades, and a day of
//! price samples, one a minute, for every due job.

use std::time::Instant;

use sqlx::PgPool;

use crate::{
    Plan,
    fleet::{self, Processes, Work},
    report::Report,
    server::Postgres,
    ticks::{YEARLY, as_f64},
};

/// Due jobs in a round; the others wait.
const DUE: i64 = 10_000;

/// First with an empty history, then with a long one.
pub async fn run(postgres: &Postgres, plan: &Plan, report: &mut Report) {
    let pool = postgres.database("fleet").await;
    fleet::create(&pool, DUE, Work::Hold, YEARLY, 1).await;
    measure(postgres, plan, report, &pool, "10,000 jobs, no history").await;
    pool.close().await;
    postgres.drop("fleet").await;

    let pool = postgres.database("fleet").await;
    fleet::create(&pool, plan.many_jobs, Work::Hold, YEARLY, 1).await;
    measure(postgres, plan, report, &pool, "100,000 jobs, no history").await;
    let begun = Instant::now();
    history(&pool, plan).await;
    let bytes = fleet::count(&pool, "SELECT pg_database_size(current_database()) / 1048576").await;
    report.figure("growth", "database with the long history", as_f64(bytes), "MiB");
    eprintln!("    (written in {:.0} s)", begun.elapsed().as_secs_f64());
    unknown_highs(postgres, report, &pool).await;
    measure(postgres, plan, report, &pool, "100,000 jobs, long history").await;
    pool.close().await;
    postgres.drop("fleet").await;
}

async fn measure(postgres: &Postgres, plan: &Plan, report: &mut Report, pool: &PgPool, what: &str) {
    let processes = Processes::start(&postgres.url("fleet"), 1);
    for _ in 0..2 {
        fleet::round(pool, DUE).await;
    }
    let mut rates = Vec::new();
    for _ in 0..plan.rounds(DUE) {
        rates.push(as_f64(DUE) / fleet::round(pool, DUE).await.as_secs_f64());
    }
    processes.stop().await;
    report.median("growth", format!("hold ticks: {what}"), rates, "/s");
    // Only the scheduler, to measure the cost of claiming one due job.
    let mut claims = Vec::new();
    for _ in 0..plan.rounds(DUE) {
        claims.push(claim(pool).await);
    }
    report.median(
        "growth",
        format!("claiming and queueing a due job: {what}"),
        claims,
        "us",
    );
}

/// One round in which every job reads its whole window of samples.
async fn unknown_highs(postgres: &Postgres, report: &mut Report, pool: &PgPool) {
    let forget = "UPDATE job_slots SET sample_high = NULL, sample_high_at = NULL, sample_high_since = NULL, sample_high_config = NULL";
    let processes = Processes::start(&postgres.url("fleet"), 1);
    fleet::round(pool, DUE).await;
    sqlx::query(forget).execute(pool).await.expect("nothing is known");
    let rate = as_f64(DUE) / fleet::round(pool, DUE).await.as_secs_f64();
    processes.stop().await;
    report.figure(
        "growth",
        "hold ticks: the same, each reading a day of samples",
        rate,
        "/s",
    );
}

/// Microseconds per due job for claiming and queueing, in batches like a scheduler.
async fn claim(pool: &PgPool) -> f64 {
    let due = "UPDATE job_slots SET next_slot = now(), due_at = now(), open_slot = NULL, open_since = NULL
               WHERE job_id IN (SELECT id FROM jobs ORDER BY id LIMIT $1)";
    sqlx::query(due).bind(DUE).execute(pool).await.expect("due jobs");
    let settings = lgi_mm::runner::scheduler::SchedulerSettings::default();
    let begun = Instant::now();
    let claimed = lgi_mm::runner::scheduler::once(pool, &settings)
        .await
        .expect("a claim");
    let took = begun.elapsed().as_secs_f64();
    assert_eq!(i64::try_from(claimed.ticks).expect("a count"), DUE);
    for statement in [
        "DELETE FROM apalis.jobs",
        "UPDATE job_slots SET open_slot = NULL, open_since = NULL WHERE open_slot IS NOT NULL",
        "VACUUM job_slots, apalis.jobs",
    ] {
        sqlx::query(statement).execute(pool).await.expect("tidied");
    }
    took * 1_000_000.0 / as_f64(DUE)
}

/// Bypasses the constraints' triggers, or it would take an hour.
async fn history(pool: &PgPool, plan: &Plan) {
    let mut connection = pool.acquire().await.expect("a connection");
    let ticks = "INSERT INTO ticks (job_id, outcome, reason, detail, price_usd, first_slot, last_slot, count)
                 SELECT j.id, 'hold', CASE n % 2 WHEN 0 THEN 'not_due' ELSE 'price_missing' END, NULL, 2,
                        timestamptz '2020-01-01' + n * interval '10 minutes',
                        timestamptz '2020-01-01' + n * interval '10 minutes' + interval '9 minutes', 10
                 FROM generate_series(1, $1) n, jobs j";
    let trades = "INSERT INTO trades (job_id, slot, cycle, side, reason, status, amount_in, amount_out_expected, amount_out_min,
                         value_usd, config_version, expires_at, base_amount, quote_amount, price_usd, plan_price_usd, tx_hash, executed_at)
                  SELECT j.id, timestamptz '2020-01-01' + n * interval '1 hour', 1, 'BUY', 'DCA', 'EXECUTED', 5000000, 25, 24,
                         5, 1, '2020-01-01', 25, 5000000, 2, 2, decode(md5(n || '-' || j.id) || md5('x' || n || j.id), 'hex'),
                         timestamptz '2020-01-01' + n * interval '1 hour'
                  FROM generate_series(1, $1) n, jobs j";
    sqlx::query("SET session_replication_role = replica")
        .execute(&mut *connection)
        .await
        .expect("no triggers");
    for (sql, each) in [
        (ticks, plan.many_ticks / plan.many_jobs),
        (trades, plan.many_trades / plan.many_jobs),
    ] {
        sqlx::query(sql)
            .bind(each)
            .execute(&mut *connection)
            .await
            .expect("a history");
    }
    sqlx::query("RESET session_replication_role")
        .execute(&mut *connection)
        .await
        .expect("triggers");
    // Lower than the current generated prices, so that the highest sample is a new one.
    let samples = "INSERT INTO price_samples (chain, token, series, bucket, price, observed_at)
                   SELECT s.chain, s.token, s.series, t.at, 1.5 + (n % 97) * 0.001, t.at
                   FROM (SELECT DISTINCT chain, token, series FROM price_samples) s, generate_series(1, $1) n,
                        LATERAL (SELECT date_trunc('minute', now()) - n * interval '1 minute' AS at) t
                   ON CONFLICT DO NOTHING";
    sqlx::query(samples)
        .bind(plan.samples_each)
        .execute(&mut *connection)
        .await
        .expect("samples");
    // Set the counters that the past slots would have recorded.
    let counted = "UPDATE job_slots SET slots_recorded = slots_recorded + $1";
    let slots = plan.many_ticks / plan.many_jobs * 10;
    sqlx::query(counted)
        .bind(slots)
        .execute(&mut *connection)
        .await
        .expect("counts");
    sqlx::query("VACUUM ANALYZE")
        .execute(&mut *connection)
        .await
        .expect("statistics");
    sqlx::query("CHECKPOINT")
        .execute(&mut *connection)
        .await
        .expect("a checkpoint");
}
