//! Ticks per second, end to end: due, claimed, queued, fetched, decided, recorded, acknowledged.

use sqlx::PgPool;

use crate::{
    Plan,
    fleet::{self, Processes, Work, count},
    report::Report,
    server::Postgres,
};

/// Every requested number of jobs and workers.
pub async fn run(postgres: &Postgres, plan: &Plan, report: &mut Report) {
    for jobs in [1_000, 10_000] {
        let pool = postgres.database("fleet").await;
        fleet::create(&pool, jobs, Work::Hold, YEARLY, 1).await;
        for workers in [1, 4] {
            holds(postgres, plan, report, (&pool, jobs, workers)).await;
        }
        pool.close().await;
        postgres.drop("fleet").await;
    }
}

/// The same with every tick buying on the paper venue.
pub async fn trading(postgres: &Postgres, plan: &Plan, report: &mut Report) {
    for (jobs, wallets) in [(1_000, 1), (1_000, 1_000), (10_000, 10_000)] {
        trades(postgres, plan, report, (jobs, wallets)).await;
    }
}

/// A cron line that never makes the jobs due during the benchmark.
pub const YEARLY: &str = "0 0 0 1 1 *";

/// "10000 jobs, 1 worker"
pub fn name(jobs: i64, workers: usize) -> String {
    let s = if workers == 1 { "" } else { "s" };
    format!("hold ticks: {jobs} jobs, {workers} worker{s}")
}

/// Rounds of holds; their median rate.
pub async fn holds(
    postgres: &Postgres,
    plan: &Plan,
    report: &mut Report,
    (pool, jobs, workers): (&PgPool, i64, usize),
) {
    let url = postgres.url("fleet");
    let processes = Processes::start(&url, workers);
    // The first ones warm caches and connections up.
    for _ in 0..2 {
        fleet::round(pool, jobs).await;
    }
    let before = processes.used(postgres);
    let rounds = plan.rounds(jobs);
    let mut rates = Vec::new();
    for _ in 0..rounds {
        let took = fleet::round(pool, jobs).await;
        rates.push(as_f64(jobs) / took.as_secs_f64());
    }
    let after = processes.used(postgres);
    let memory = processes.memory();
    processes.stop().await;
    let title = name(jobs, workers);
    report.median("ticks", title.clone(), rates, "/s");
    let thousands = as_f64(jobs) * f64::from(rounds) / 1_000.0;
    let cpu = [
        ("ours", after.ours - before.ours),
        ("PostgreSQL", after.postgres - before.postgres),
    ];
    for (whose, seconds) in cpu {
        report.figure(
            "cost",
            format!("{title}: CPU of {whose}"),
            seconds / thousands,
            "s per 1000 ticks",
        );
    }
    report.figure(
        "cost",
        format!("{title}: memory of the scheduler"),
        memory.0,
        "MiB peak",
    );
    report.figure(
        "cost",
        format!("{title}: memory of a worker"),
        memory.1,
        "MiB peak",
    );
    let trades = count(pool, "SELECT count(*) FROM trades").await;
    assert_eq!(trades, 0, "these ticks hold");
}

/// Trades that are final.
pub const SETTLED: &str = "SELECT count(*) FROM trades WHERE status = 'EXECUTED'";

/// The first slots of jobs; their own cron continues from there.
pub async fn all_due(pool: &PgPool) {
    sqlx::query("UPDATE job_slots SET next_slot = now(), due_at = now()")
        .execute(pool)
        .await
        .expect("due jobs");
}

/// Every tick buys on the paper venue: final trades per second.
async fn trades(postgres: &Postgres, plan: &Plan, report: &mut Report, (jobs, wallets): (i64, i64)) {
    let pool = postgres.database("fleet").await;
    fleet::create(&pool, jobs, Work::Trade, "* * * * * *", wallets).await;
    let processes = Processes::start(&postgres.url("fleet"), 4);
    all_due(&pool).await;
    tokio::time::sleep(plan.warm_up).await;
    let (begun, before) = (std::time::Instant::now(), count(&pool, SETTLED).await);
    tokio::time::sleep(plan.trading).await;
    let (after, seconds) = (count(&pool, SETTLED).await, begun.elapsed().as_secs_f64());
    processes.stop().await;
    let failed = count(&pool, "SELECT count(*) FROM trades WHERE status = 'FAILED'").await;
    let wallets = if wallets == 1 {
        "one wallet".to_owned()
    } else {
        format!("{wallets} wallets")
    };
    let title = format!("paper trades: {jobs} jobs, {wallets}, 4 workers");
    report.figure("ticks", title.clone(), as_f64(after - before) / seconds, "/s");
    if failed > 0 {
        report.figure("ticks", format!("{title}: failed"), as_f64(failed), "trades");
    }
    pool.close().await;
    postgres.drop("fleet").await;
}

/// Counts of a benchmark are far below 2^31.
pub fn as_f64(count: i64) -> f64 {
    f64::from(i32::try_from(count).expect("a small number"))
}
