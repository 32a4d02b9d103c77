//! Bulk creation of jobs, the processes that run them, and rounds: all jobs due at once, until each tick is recorded
//! and acknowledged.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use crate::server::{Postgres, Stat, peak_mib};
use alloy_primitives::Address;
use lgi_mm::{
    domain::{config::JobConfig, job::JobMode, units::Amount},
    store::{
        self, jobs,
        orders::{self, Order},
    },
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use testkit::{copy_job, paper_job};
use tokio::process::{Child, Command};

/// What the jobs of a fleet do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Their rules are evaluated and hold.
    Hold,
    /// Every tick buys on the paper venue.
    Trade,
}

impl Work {
    fn config(self, cron: &str) -> Value {
        let interval = match self {
            Self::Hold => "365d",
            Self::Trade => "1s",
        };
        json!({
            "schedule": { "cron": cron, "jitter": "0s" },
            "price": { "sources": ["generated"], "generated": { "start_usd": 2, "swing_pct": 2 } },
            "accumulate": { "dca_amount_usd": 5, "dca_interval": interval, "max_accumulation_usd": 1_000_000_000 },
            "limits": { "max_trades_per_hour": 0, "max_daily_spend_usd": 0, "max_position_usd": 0 },
        })
    }
}

/// Creates a database of `count` running jobs, each with its own token. `wallets`: number of wallets they share.
pub async fn create(pool: &PgPool, count: i64, work: Work, cron: &str, wallets: i64) {
    store::migrate(pool).await.expect("migrations");
    let config: JobConfig = serde_json::from_value(work.config(cron)).expect("a configuration");
    config
        .validate(JobMode::Accumulate)
        .expect("a valid configuration");
    let new = paper_job(Address::repeat_byte(0xee), "BENCH", JobMode::Accumulate, config);
    let model = jobs::create(pool, &new, "bench").await.expect("a job");
    let start = Order::Start {
        deposit: Amount::ZERO,
    };
    orders::order(pool, model, start, "bench").await.expect("a start");
    copy_job(pool, model.0, count - 1, wallets).await;
    for statement in [
        // The first DCA buy is due immediately and would be a trade.
        "UPDATE jobs SET last_fills = jsonb_build_object('dca', now())",
        // Jobs become due only by a round or by their own cron.
        "UPDATE job_slots SET next_slot = now() + interval '1 year', due_at = now() + interval '1 year'",
        // Not the empty tables: the server would plan queries for empty tables.
        "VACUUM ANALYZE jobs, job_slots",
    ] {
        sqlx::query(statement).execute(pool).await.expect("a statement");
    }
}

/// Running schedulers and workers, killed when this value is dropped.
pub struct Processes {
    schedulers: Vec<Child>,
    workers: Vec<Child>,
}

/// Resources used by processes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// CPU seconds of scheduler and workers.
    pub ours: f64,
    /// CPU seconds of PostgreSQL.
    pub postgres: f64,
}

impl Processes {
    /// Starts one scheduler and this number of workers, with default settings.
    pub fn start(url: &str, workers: usize) -> Self {
        Self {
            schedulers: vec![spawn("scheduler", url)],
            workers: (0..workers).map(|_| spawn("worker", url)).collect(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Child> {
        self.schedulers.iter().chain(&self.workers)
    }

    /// CPU seconds so far.
    pub fn used(&self, postgres: &Postgres) -> Used {
        let own = self.all().filter_map(|child| Stat::of(process(child)));
        Used {
            ours: own.map(|stat| stat.own).sum(),
            postgres: postgres.cpu_seconds(),
        }
    }

    /// Peak memory of a scheduler and of a worker, MiB.
    pub fn memory(&self) -> (f64, f64) {
        let peak = |children: &[Child]| {
            let peaks = children.iter().map(|child| peak_mib(process(child)));
            peaks.fold(0.0, f64::max)
        };
        (peak(&self.schedulers), peak(&self.workers))
    }

    /// Stops them like a service manager.
    pub async fn stop(mut self) {
        for child in self.schedulers.iter_mut().chain(&mut self.workers) {
            drop(child.stdin.take());
        }
        for child in self.schedulers.iter_mut().chain(&mut self.workers) {
            let ended = tokio::time::timeout(Duration::from_secs(30), child.wait()).await;
            assert!(ended.is_ok_and(|ended| ended.is_ok()), "a process does not stop");
        }
    }
}

fn process(child: &Child) -> i32 {
    child.id().and_then(|id| i32::try_from(id).ok()).expect("it runs")
}

/// Logs are discarded, but every line is written.
fn spawn(kind: &str, url: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
        .args([kind, "--until-stdin-closes"])
        .env("DATABASE_URL", url)
        .env("LGI_MM__METRICS__LISTEN", "127.0.0.1:0")
        .env("LGI_MM__PAPER__WALLET_USD", "1000000000")
        .env("LGI_MM__PAPER__NATIVE", "1000000")
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("our own program starts")
}

/// Makes the oldest `jobs` due now and waits until each tick is recorded and acknowledged; returns the duration.
pub async fn round(pool: &PgPool, jobs: i64) -> Duration {
    let due = "UPDATE job_slots SET next_slot = t.now, due_at = t.now FROM (SELECT now()) t
               WHERE job_id IN (SELECT id FROM jobs ORDER BY id LIMIT $1) RETURNING next_slot";
    let mut tx = pool.begin().await.expect("a transaction");
    let slots: Vec<chrono::DateTime<chrono::Utc>> = sqlx::query_scalar(due)
        .bind(jobs)
        .fetch_all(&mut *tx)
        .await
        .expect("due jobs");
    sqlx::query("SELECT pg_notify($1, '')")
        .bind(store::WAKE_CHANNEL)
        .execute(&mut *tx)
        .await
        .expect("a notification");
    let begun = Instant::now();
    tx.commit().await.expect("committed");
    let slot = slots.first().copied().expect("jobs");
    // Cheap queries, so that polling costs little.
    let busy = "SELECT EXISTS (SELECT 1 FROM apalis.jobs)
                    OR EXISTS (SELECT 1 FROM job_slots WHERE open_slot IS NOT NULL)
                    OR EXISTS (SELECT 1 FROM job_slots WHERE open_slot IS NULL AND due_at <= $1)";
    // Poll rarely: a query costs as much as about a hundred ticks, and adds half an interval to the time.
    let pause = Duration::from_micros(u64::try_from(jobs).expect("a count") * 4);
    loop {
        tokio::time::sleep(pause).await;
        let busy: bool = sqlx::query_scalar(busy)
            .bind(slot)
            .fetch_one(pool)
            .await
            .expect("an answer");
        if !busy {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "a round does not end");
    }
    let took = begun.elapsed();
    let recorded: i64 = sqlx::query_scalar("SELECT count(*) FROM job_slots WHERE last_slot = $1")
        .bind(slot)
        .fetch_one(pool)
        .await
        .expect("a count");
    assert_eq!(recorded, jobs, "every tick of the round is recorded");
    took
}

/// Runs a query that returns a count.
pub async fn count(pool: &PgPool, sql: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_one(pool)
        .await
        .expect("a count")
}
