//! Other queues on the same server, with tasks that do nothing: graphile-worker and pg-boss as npm packages, and
//! the stock apalis-postgres backend.

use std::{
    env,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use apalis::prelude::{Monitor, WorkerBuilder, WorkerBuilderExt};
use apalis_postgres::{Config, PostgresStorage};
use serde::Deserialize;
use sqlx::PgPool;
use tokio::{process::Command, sync::Notify};

use crate::{Plan, report::Report, server::Postgres, ticks::as_f64};

/// (name, script, tasks, arguments). Enough tasks that each run takes some seconds.
const PEERS: [(&str, &str, i64, [&str; 2]); 8] = [
    (
        "graphile-worker: default (1 job at a time)",
        "graphile.mjs",
        3_000,
        ["1", "0"],
    ),
    (
        "graphile-worker: 10 at a time",
        "graphile.mjs",
        5_000,
        ["10", "0"],
    ),
    (
        "graphile-worker: 10 at a time, local queue 50",
        "graphile.mjs",
        20_000,
        ["10", "50"],
    ),
    (
        "graphile-worker: 50 at a time, local queue 100",
        "graphile.mjs",
        40_000,
        ["50", "100"],
    ),
    (
        "pg-boss: default (1 at a time), fetched without pause",
        "pg-boss.mjs",
        2_000,
        ["1", "1"],
    ),
    ("pg-boss: batches of 10", "pg-boss.mjs", 10_000, ["10", "1"]),
    ("pg-boss: batches of 100", "pg-boss.mjs", 20_000, ["100", "1"]),
    ("pg-boss: 4 x batches of 100", "pg-boss.mjs", 40_000, ["100", "4"]),
];

#[derive(Deserialize)]
struct Answer {
    tasks: i64,
    seconds: f64,
}

/// Each peer and setting, several times.
pub async fn run(postgres: &Postgres, plan: &Plan, report: &mut Report) {
    for (name, script, tasks, settings) in PEERS {
        let Some(peers) = env::var_os("LGI_MM_PEERS").map(PathBuf::from) else {
            eprintln!("    {name}: not run, LGI_MM_PEERS does not say where scripts/peers is installed");
            continue;
        };
        let mut rates = Vec::new();
        for _ in 0..plan.peer_rounds {
            let pool = postgres.database("peer").await;
            pool.close().await;
            let node = env::var_os("LGI_MM_NODE").unwrap_or_else(|| "node".into());
            let output = Command::new(node)
                .arg(peers.join(script))
                .arg(&postgres.socket_dir)
                .args(["peer", &(tasks / plan.divide).to_string()])
                .args(settings)
                .output()
                .await
                .expect("node runs");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{name}: {said}");
            let answer: Answer = serde_json::from_slice(&output.stdout).expect("one line of JSON");
            rates.push(as_f64(answer.tasks) / answer.seconds);
            postgres.drop("peer").await;
        }
        report.median("peers, no-op tasks", name, rates, "/s");
    }
    for (batch, tasks) in [(10, 5_000), (200, 40_000)] {
        let mut rates = Vec::new();
        for _ in 0..plan.peer_rounds {
            let pool = postgres.database("peer").await;
            rates.push(apalis(&pool, batch, tasks / plan.divide).await);
            pool.close().await;
            postgres.drop("peer").await;
        }
        let name = format!("apalis-postgres as it comes: {batch} at a time, batches of {batch}");
        report.median("peers, no-op tasks", name, rates, "/s");
    }
}

/// Tasks a second of the stock backend, from the first fetch to the last acknowledgement.
async fn apalis(pool: &PgPool, batch: usize, tasks: i64) -> f64 {
    PostgresStorage::setup(pool).await.expect("apalis' tables");
    let fill = "INSERT INTO apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at, priority)
                SELECT upper(lpad(to_hex(n), 26, '0')), 'noop', 'null', 'Pending', 0, 5, now(), 0
                FROM generate_series(1, $1) n";
    sqlx::query(fill).bind(tasks).execute(pool).await.expect("tasks");
    sqlx::query("ANALYZE").execute(pool).await.expect("statistics");
    let left = Arc::new(AtomicUsize::new(usize::try_from(tasks).expect("a count")));
    let handled = Arc::new(Notify::new());
    let (pool, stop) = (pool.clone(), Arc::new(Notify::new()));
    let monitor = {
        let (pool, handled, stop) = (pool.clone(), handled.clone(), stop.clone());
        let monitor = Monitor::new().register(move |restarts| {
            let (left, handled) = (left.clone(), handled.clone());
            let config = Config::default()
                .queue("noop")
                .batch_size(batch)
                .heartbeat_interval(Duration::from_secs(1))
                .missed_heartbeats(60);
            WorkerBuilder::new(format!("noop-{restarts}-{}", ulid::Ulid::generate()))
                .backend(PostgresStorage::<()>::new(&pool).with_config(config))
                .concurrency(batch)
                .build(move |_task: ()| {
                    let (left, handled) = (left.clone(), handled.clone());
                    async move {
                        if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                            handled.notify_one();
                        }
                        Ok::<_, std::convert::Infallible>(())
                    }
                })
        });
        tokio::spawn(monitor.run_with_signal(async move {
            stop.notified().await;
            Ok(())
        }))
    };
    let begun = Instant::now();
    handled.notified().await;
    let unacknowledged = "SELECT count(*) FROM apalis.jobs WHERE status <> 'Done'";
    while crate::fleet::count(&pool, unacknowledged).await > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    stop.notify_one();
    let _ = tokio::time::timeout(Duration::from_secs(10), monitor).await;
    as_f64(tasks) / seconds
}
