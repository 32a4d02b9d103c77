//! A throw-away Postgres, and workers that write down what they ran.

use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use apalis_pg_groups::{Completion, Group, NewTask, QueueConfig, push, run};
use serde::{Deserialize, Serialize};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A database of its own, with apalis' tables and ours.
pub(crate) async fn db() -> PgPool {
    testkit::db().await.pool
}

/// A pool that outlives `pool`'s database being shut, to open it again.
pub(crate) async fn admin(pool: &PgPool) -> PgPool {
    let (socket, _) = socket(pool);
    connect(&socket, "postgres").await
}

pub(crate) fn socket(pool: &PgPool) -> (PathBuf, String) {
    let options = pool.connect_options();
    let socket = options.get_socket().expect("a socket").clone();
    (socket, options.get_database().expect("a database").to_owned())
}

pub(crate) async fn connect(socket: &Path, database: &str) -> PgPool {
    let options = PgConnectOptions::new()
        .socket(socket)
        .username("postgres")
        .database(database);
    PgPoolOptions::new()
        .max_connections(5)
        .connect_with(options)
        .await
        .expect("connects")
}

pub(crate) async fn query(pool: &PgPool, sql: &str) {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(pool).await.expect("the query runs");
}

pub(crate) async fn number(pool: &PgPool, sql: &str) -> i64 {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    sqlx::query_scalar(sql)
        .fetch_one(pool)
        .await
        .expect("the query runs")
}

pub(crate) async fn rows(pool: &PgPool) -> i64 {
    number(pool, "SELECT count(*) FROM apalis.jobs").await
}

/// Waits until `ready` gives something.
pub(crate) async fn until<V, F: Future<Output = Option<V>>>(
    limit: Duration,
    mut ready: impl FnMut() -> F,
) -> V {
    let began = Instant::now();
    loop {
        if let Some(value) = ready().await {
            return value;
        }
        assert!(began.elapsed() < limit, "waited in vain for {limit:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a count is `expected`.
pub(crate) async fn until_number(pool: &PgPool, limit: Duration, sql: &str, expected: i64) {
    let began = Instant::now();
    loop {
        let found = number(pool, sql).await;
        if found == expected {
            return;
        }
        assert!(
            began.elapsed() < limit,
            "{sql}: {found} is not {expected} after {limit:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) n: u32,
}

pub(crate) fn jobs(numbers: std::ops::Range<u32>) -> Vec<NewTask<Job>> {
    numbers.map(|n| NewTask::now(Job { n })).collect()
}

pub(crate) async fn push_all(pool: &PgPool, queue: &str, tasks: &[NewTask<Job>]) -> u64 {
    let mut transaction = pool.begin().await.expect("begins");
    let new = push(&mut transaction, queue, tasks).await.expect("pushes");
    transaction.commit().await.expect("commits");
    new
}

/// Settings as fast as a test wants them.
pub(crate) fn quick(queue: &str) -> QueueConfig {
    QueueConfig {
        concurrency: 2,
        batch: 10,
        poll: Duration::from_millis(500),
        heartbeat: Duration::from_millis(200),
        lease: Duration::from_secs(2),
        timeout: Duration::from_secs(20),
        retry_first: Duration::from_millis(50),
        grace: Duration::from_secs(10),
        ..QueueConfig::new(queue)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) n: u32,
    pub(crate) attempt: u32,
    pub(crate) group: usize,
    pub(crate) at: Instant,
}

/// What handlers ran, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<Run>>>);

impl Journal {
    pub(crate) fn note(&self, group: &Group<Job>) {
        let runs = group.members.iter().map(|member| Run {
            n: member.payload.n,
            attempt: member.attempt,
            group: group.members.len(),
            at: Instant::now(),
        });
        self.0.lock().expect("whole").extend(runs);
    }

    pub(crate) fn runs(&self) -> Vec<Run> {
        self.0.lock().expect("whole").clone()
    }

    pub(crate) fn of(&self, n: u32) -> Vec<Run> {
        self.runs().into_iter().filter(|run| run.n == n).collect()
    }

    /// The tasks that ran, sorted, with repetitions.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = self.runs().iter().map(|run| run.n).collect();
        numbers.sort_unstable();
        numbers
    }
}

pub(crate) fn done(group: &Group<Job>) -> Vec<Completion> {
    group.members.iter().map(|_| Completion::Done).collect()
}

pub(crate) struct Worker {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Worker {
    pub(crate) fn start<H, F>(pool: &PgPool, config: QueueConfig, handler: H) -> Self
    where
        H: Fn(Group<Job>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Vec<Completion>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let worker = run(pool.clone(), config, handler, stop.clone().cancelled_owned());
        let task = tokio::spawn(async move { worker.await.expect("the worker runs") });
        Self { stop, task }
    }

    /// Notes what runs and finishes it.
    pub(crate) fn noting(pool: &PgPool, config: QueueConfig, journal: &Journal) -> Self {
        let journal = journal.clone();
        Self::start(pool, config, move |group| {
            journal.note(&group);
            std::future::ready(done(&group))
        })
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("no panic");
    }
}
