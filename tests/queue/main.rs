//! The queue on a real database: delivered at least once, taken over in seconds, nobody harmed by a neighbour.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what cannot go on in a test fails it"
)]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use lgi_mm::queue::{
    backend::{Group, LeaseSettings, TaskOutcome},
    push::{NewTask, push},
    worker,
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

#[path = "../support/mod.rs"]
mod support;

const QUEUE: &str = "lgi-mm:test";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Work {
    number: u32,
    #[serde(default)]
    behaviour: String,
}

/// What the handlers of a test saw: how often each number was run, in groups of which size.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<HashMap<u32, Vec<usize>>>>);

impl Seen {
    fn note(&self, group: &Group<Work>) {
        let mut seen = self.0.lock().expect("seen");
        for member in &group.members {
            seen.entry(member.payload.number)
                .or_default()
                .push(group.members.len());
        }
    }

    fn of(&self, number: u32) -> Vec<usize> {
        self.0
            .lock()
            .expect("seen")
            .get(&number)
            .cloned()
            .unwrap_or_default()
    }

    fn total(&self) -> usize {
        self.0.lock().expect("seen").values().map(Vec::len).sum()
    }
}

fn settings() -> LeaseSettings {
    LeaseSettings {
        concurrency: 2,
        batch: 10,
        poll: Duration::from_millis(200),
        heartbeat: Duration::from_millis(150),
        lease: Duration::from_millis(900),
        timeout: Duration::from_secs(2),
        grace: Duration::from_secs(5),
        ..LeaseSettings::new(QUEUE)
    }
}

async fn handle(seen: Seen, group: Group<Work>) -> Vec<TaskOutcome> {
    seen.note(&group);
    for member in &group.members {
        match member.payload.behaviour.as_str() {
            "panic" if member.attempt < 3 => panic!("as asked"),
            "hang" if member.attempt < 2 => tokio::time::sleep(Duration::from_secs(3_600)).await,
            "slow" => tokio::time::sleep(Duration::from_millis(1_500)).await,
            _ => {}
        }
    }
    let outcome = |work: &Work| match work.behaviour.as_str() {
        "retry" => TaskOutcome::retry(Duration::from_millis(10), "not yet".to_owned()),
        "kill" => TaskOutcome::Killed {
            error: "never".to_owned(),
        },
        _ => TaskOutcome::Done,
    };
    group
        .members
        .iter()
        .map(|member| outcome(&member.payload))
        .collect()
}

fn work(pool: &PgPool, seen: &Seen, stop: &CancellationToken) -> tokio::task::JoinHandle<()> {
    let (pool, seen, stop) = (pool.clone(), seen.clone(), stop.clone());
    tokio::spawn(async move {
        let handler = move |group| handle(seen.clone(), group);
        worker::run::<Work, _, _>(pool, settings(), handler, stop)
            .await
            .expect("a worker");
    })
}

async fn enqueue(pool: &PgPool, numbers: impl Iterator<Item = u32>, behaviour: &str) -> u64 {
    let task = |number: u32| {
        NewTask::now(
            &Work {
                number,
                behaviour: behaviour.to_owned(),
            },
            format!("{number}"),
        )
    };
    let tasks: Vec<NewTask> = numbers.map(task).collect();
    let mut tx = pool.begin().await.expect("begin");
    let pushed = push(&mut tx, QUEUE, &tasks).await.expect("push");
    tx.commit().await.expect("commit");
    pushed
}

async fn left(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM apalis.jobs WHERE status <> 'Killed'")
        .fetch_one(pool)
        .await
        .expect("left")
}

async fn until_empty(pool: &PgPool) {
    let begun = Instant::now();
    while left(pool).await > 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{} tasks never ended",
            left(pool).await
        );
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_pushed_twice_runs_once_and_a_push_rolls_back_with_its_transaction() {
    let (pool, seen, stop) = (
        support::db().await.pool,
        Seen::default(),
        CancellationToken::new(),
    );
    assert_eq!(enqueue(&pool, 0..5, "").await, 5);
    assert_eq!(enqueue(&pool, 0..6, "").await, 1);
    let mut tx = pool.begin().await.expect("begin");
    let task = NewTask::now(
        &Work {
            number: 99,
            behaviour: String::new(),
        },
        "99".to_owned(),
    );
    push(&mut tx, QUEUE, &[task]).await.expect("push");
    tx.rollback().await.expect("rollback");
    let worker = work(&pool, &seen, &stop);
    until_empty(&pool).await;
    assert_eq!((seen.total(), seen.of(99).len()), (6, 0));
    stop.cancel();
    worker.await.expect("a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_side_by_side_run_each_task_once() {
    let (pool, seen, stop) = (
        support::db().await.pool,
        Seen::default(),
        CancellationToken::new(),
    );
    let workers: Vec<_> = (0..3).map(|_| work(&pool, &seen, &stop)).collect();
    enqueue(&pool, 0..500, "").await;
    until_empty(&pool).await;
    assert_eq!(seen.total(), 500);
    stop.cancel();
    for worker in workers {
        worker.await.expect("a clean end");
    }
    let names: i64 = sqlx::query_scalar("SELECT count(*) FROM apalis.workers")
        .fetch_one(&pool)
        .await
        .expect("names");
    assert_eq!(names, 0, "workers that left are forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_panics_is_tried_again_alone_and_its_neighbours_end() {
    let (pool, seen, stop) = (
        support::db().await.pool,
        Seen::default(),
        CancellationToken::new(),
    );
    enqueue(&pool, 0..4, "").await;
    enqueue(&pool, 4..5, "panic").await;
    let worker = work(&pool, &seen, &stop);
    until_empty(&pool).await;
    let runs = seen.of(4);
    assert_eq!(
        (runs.len(), &runs[1..]),
        (3, [1, 1].as_slice()),
        "alone after the first try"
    );
    stop.cancel();
    worker.await.expect("a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_hangs_is_given_up_and_tried_again() {
    let (pool, seen, stop) = (
        support::db().await.pool,
        Seen::default(),
        CancellationToken::new(),
    );
    enqueue(&pool, 0..1, "hang").await;
    let worker = work(&pool, &seen, &stop);
    until_empty(&pool).await;
    assert_eq!(seen.of(0).len(), 2);
    stop.cancel();
    worker.await.expect("a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_task_is_not_taken_from_a_worker_that_lives() {
    let (pool, seen, stop) = (
        support::db().await.pool,
        Seen::default(),
        CancellationToken::new(),
    );
    enqueue(&pool, 0..2, "slow").await;
    let workers = [work(&pool, &seen, &stop), work(&pool, &seen, &stop)];
    until_empty(&pool).await;
    assert_eq!(seen.total(), 2, "each runs once, though longer than the lease");
    stop.cancel();
    for worker in workers {
        worker.await.expect("a clean end");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_fails_for_ever_is_put_aside_with_its_reason() {
    let (pool, seen, stop) = (
        support::db().await.pool,
        Seen::default(),
        CancellationToken::new(),
    );
    enqueue(&pool, 0..1, "retry").await;
    enqueue(&pool, 1..2, "kill").await;
    sqlx::query("INSERT INTO apalis.jobs (id, job_type, job, idempotency_key) VALUES ('nonsense', $1, 'no json', 'n')")
        .bind(QUEUE)
        .execute(&pool)
        .await
        .expect("an unreadable task");
    let worker = work(&pool, &seen, &stop);
    until_empty(&pool).await;
    let reasons: Vec<String> = sqlx::query_scalar("SELECT last_result ->> 'Err' FROM apalis.jobs ORDER BY 1")
        .fetch_all(&pool)
        .await
        .expect("reasons");
    assert_eq!(seen.of(0).len(), 10);
    assert!(
        reasons[0].starts_with("given up after 10 attempts: not yet"),
        "{reasons:?}"
    );
    assert!(
        reasons[1] == "never" && reasons[2].starts_with("unreadable"),
        "{reasons:?}"
    );
    stop.cancel();
    worker.await.expect("a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tasks_of_a_worker_that_died_are_taken_over_within_the_lease() {
    let (db, seen) = (support::db().await, Seen::default());
    enqueue(&db.pool, 0..3, "slow").await;
    let (url, first) = (db.url.clone(), seen.clone());
    // A runtime that is dropped in the middle dies as a killed process does: no hand-back, no heartbeat.
    let died = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let pool = PgPool::connect(&url).await.expect("the database");
            let _lost = work(&pool, &first, &CancellationToken::new());
            while first.total() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        runtime.shutdown_background();
    });
    died.join().expect("a dead worker");
    let (begun, stop) = (Instant::now(), CancellationToken::new());
    let worker = work(&db.pool, &seen, &stop);
    while seen.total() < 6 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "nobody took the tasks over"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    until_empty(&db.pool).await;
    stop.cancel();
    worker.await.expect("a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_stopped_ends_what_runs_and_hands_back_what_does_not() {
    let (pool, seen, stop) = (
        support::db().await.pool,
        Seen::default(),
        CancellationToken::new(),
    );
    enqueue(&pool, 0..40, "slow").await;
    let worker = work(&pool, &seen, &stop);
    while seen.total() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    worker.await.expect("a clean end");
    let (pending, locked): (i64, i64) =
        sqlx::query_as("SELECT count(*) FILTER (WHERE status = 'Pending'), count(*) FILTER (WHERE lock_by IS NOT NULL) FROM apalis.jobs")
            .fetch_one(&pool)
            .await
            .expect("tasks");
    assert_eq!(
        (locked, pending),
        (0, left(&pool).await),
        "what was not done is anybody's again"
    );
    assert!(pending >= 20, "{pending}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_lose_no_task_and_no_acknowledgement() {
    let (pool, seen, stop) = (
        support::db().await.pool,
        Seen::default(),
        CancellationToken::new(),
    );
    let worker = work(&pool, &seen, &stop);
    for round in 0..10_u32 {
        enqueue(&pool, round * 20..(round + 1) * 20, "").await;
        let broken = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        sqlx::query(broken)
            .execute(&pool)
            .await
            .expect("connections are broken");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    until_empty(&pool).await;
    assert!((0..200).all(|number| !seen.of(number).is_empty()));
    stop.cancel();
    worker.await.expect("a clean end");
}
