//! How groups and members end.

use std::{sync::Arc, time::Duration};

use apalis_pg_groups::{Completion, Group, NewTask, QueueConfig};
use tokio::sync::Semaphore;

use crate::queue::support::{
    Job, Journal, Worker, db, done, jobs, number, push_all, quick, until, until_number,
};

const SOON: Duration = Duration::from_secs(20);
const POISON: u32 = 7;

/// Ten tasks of three attempts each, number 7 of which makes its group fail as `harm` does.
async fn poisoned<F>(config: QueueConfig, says: &str, harm: impl Fn() -> F + Clone + Send + Sync + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (pool, journal) = (db().await, Journal::default());
    let tasks: Vec<NewTask<Job>> = jobs(0..10)
        .into_iter()
        .map(|task| NewTask {
            max_attempts: 3,
            ..task
        })
        .collect();
    push_all(&pool, "tick", &tasks).await;
    let worker = {
        let journal = journal.clone();
        Worker::start(&pool, config, move |group: Group<Job>| {
            let (journal, harm) = (journal.clone(), harm.clone());
            async move {
                journal.note(&group);
                if group.members.iter().any(|member| member.payload.n == POISON) {
                    harm().await;
                }
                done(&group)
            }
        })
    };
    until_number(
        &pool,
        SOON,
        "SELECT count(*) FROM apalis.jobs WHERE status <> 'Killed'",
        0,
    )
    .await;
    worker.stop().await;
    let killed = format!(
        "SELECT count(*) FROM apalis.jobs WHERE attempts = 3 AND done_at IS NOT NULL AND lock_by IS NULL
         AND convert_from(job, 'UTF8') = '{{\"n\":7}}' AND last_result->>'Err' LIKE '%{says}%the last%'"
    );
    assert_eq!(number(&pool, &killed).await, 1);
    for n in 0..10 {
        let groups: Vec<usize> = journal.of(n).iter().map(|run| run.group).collect();
        let expected: &[usize] = if n == POISON { &[10, 1, 1] } else { &[10, 1] };
        assert_eq!(groups, expected, "task {n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_retried_alone_and_its_neighbours_finish() {
    poisoned(quick("tick"), "panicked: poison", || async { panic!("poison") }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_is_retried_alone_and_its_neighbours_finish() {
    let config = QueueConfig {
        timeout: Duration::from_millis(300),
        ..quick("tick")
    };
    poisoned(config, "did not finish within 300ms", std::future::pending).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_number_of_outcomes_is_a_failure_of_the_group() {
    let (pool, journal) = (db().await, Journal::default());
    push_all(&pool, "tick", &jobs(0..3)).await;
    let noted = journal.clone();
    let worker = Worker::start(&pool, quick("tick"), move |group: Group<Job>| {
        noted.note(&group);
        let mut outcomes = done(&group);
        if group.members.len() > 1 {
            outcomes.pop();
        }
        std::future::ready(outcomes)
    });
    until_number(&pool, SOON, "SELECT count(*) FROM apalis.jobs", 0).await;
    worker.stop().await;
    assert_eq!(journal.numbers(), [0, 0, 1, 1, 2, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_member_has_its_own_ending_and_a_retry_waits_for_its_pause() {
    let (pool, journal) = (db().await, Journal::default());
    push_all(&pool, "tick", &jobs(0..3)).await;
    let noted = journal.clone();
    let config = QueueConfig {
        poll: Duration::from_secs(60),
        ..quick("tick")
    };
    let worker = Worker::start(&pool, config, move |group: Group<Job>| {
        noted.note(&group);
        let outcomes = group
            .members
            .iter()
            .map(|member| match (member.payload.n, member.attempt) {
                (1, 1) => Completion::RetryAfter(Duration::from_millis(600), "not yet".to_owned()),
                (2, _) => Completion::Kill("no such\0 job".to_owned()),
                _ => Completion::Done,
            });
        std::future::ready(outcomes.collect())
    });
    until_number(
        &pool,
        SOON,
        "SELECT count(*) FROM apalis.jobs WHERE status <> 'Killed'",
        0,
    )
    .await;
    worker.stop().await;
    assert_eq!(journal.numbers(), [0, 1, 1, 2]);
    let runs = journal.of(1);
    assert_eq!((runs[0].attempt, runs[1].attempt), (1, 2));
    let pause = runs[1].at - runs[0].at;
    assert!(pause >= Duration::from_millis(600), "early: {pause:?}");
    assert!(pause < Duration::from_secs(3), "late: {pause:?}");
    let killed =
        "SELECT count(*) FROM apalis.jobs WHERE last_result = '{\"Err\": \"no such job\"}' AND attempts = 1";
    assert_eq!(number(&pool, killed).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_end_with_the_last_attempt() {
    let (pool, journal) = (db().await, Journal::default());
    let task = NewTask {
        max_attempts: 2,
        ..NewTask::now(Job { n: 1 })
    };
    push_all(&pool, "tick", &[task]).await;
    let noted = journal.clone();
    let worker = Worker::start(&pool, quick("tick"), move |group: Group<Job>| {
        noted.note(&group);
        std::future::ready(vec![Completion::RetryAfter(
            Duration::ZERO,
            "never works".to_owned(),
        )])
    });
    let killed = "SELECT count(*) FROM apalis.jobs WHERE status = 'Killed' AND attempts = 2
                  AND last_result->>'Err' = 'never works (attempt 2, the last)'";
    until_number(&pool, SOON, killed, 1).await;
    worker.stop().await;
    assert_eq!(journal.numbers(), [1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_waits_for_what_runs_and_leaves_the_rest_untouched() {
    let (pool, journal) = (db().await, Journal::default());
    push_all(&pool, "tick", &jobs(0..20)).await;
    let config = QueueConfig {
        concurrency: 1,
        batch: 5,
        ..quick("tick")
    };
    let gate = Arc::new(Semaphore::new(0));
    let worker = {
        let (journal, gate) = (journal.clone(), Arc::clone(&gate));
        Worker::start(&pool, config, move |group: Group<Job>| {
            journal.note(&group);
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.expect("open").forget();
                done(&group)
            }
        })
    };
    until(SOON, async || (journal.runs().len() == 5).then_some(())).await;
    let stopping = tokio::spawn(worker.stop());
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(!stopping.is_finished(), "the handler still runs, past its lease");
    gate.add_permits(1);
    stopping.await.expect("no panic");
    assert_eq!(journal.runs().len(), 5);
    let untouched =
        "SELECT count(*) FROM apalis.jobs WHERE status = 'Pending' AND attempts = 0 AND lock_by IS NULL";
    assert_eq!(number(&pool, untouched).await, 15);
    assert_eq!(number(&pool, "SELECT count(*) FROM apalis.jobs").await, 15);
    assert_eq!(number(&pool, "SELECT count(*) FROM apalis.workers").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_cuts_off_what_outlasts_its_grace_and_burns_no_attempt() {
    let (pool, journal) = (db().await, Journal::default());
    push_all(&pool, "tick", &jobs(0..3)).await;
    let config = QueueConfig {
        grace: Duration::from_millis(300),
        ..quick("tick")
    };
    let noted = journal.clone();
    let worker = Worker::start(&pool, config, move |group: Group<Job>| {
        noted.note(&group);
        std::future::pending()
    });
    until(SOON, async || (journal.runs().len() == 3).then_some(())).await;
    let began = std::time::Instant::now();
    worker.stop().await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let back =
        "SELECT count(*) FROM apalis.jobs WHERE status = 'Pending' AND attempts = 0 AND lock_by IS NULL";
    assert_eq!(number(&pool, back).await, 3);
    assert_eq!(number(&pool, "SELECT count(*) FROM apalis.workers").await, 0);

    let next = Worker::noting(&pool, quick("tick"), &journal);
    until_number(&pool, SOON, "SELECT count(*) FROM apalis.jobs", 0).await;
    next.stop().await;
    assert_eq!(journal.numbers(), [0, 0, 1, 1, 2, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_come_and_go_at_any_moment_burn_no_attempt_and_leave_no_trace() {
    let (pool, journal) = (db().await, Journal::default());
    push_all(&pool, "tick", &jobs(0..2_000)).await;
    for moment in 0..40 {
        let worker = Worker::noting(&pool, quick("tick"), &journal);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        worker.stop().await;
        assert_eq!(number(&pool, "SELECT count(*) FROM apalis.workers").await, 0);
        let touched = "SELECT count(*) FROM apalis.jobs WHERE status <> 'Pending' OR attempts <> 0";
        assert_eq!(number(&pool, touched).await, 0, "stopped after {moment} ms");
    }
    let worker = Worker::noting(&pool, quick("tick"), &journal);
    until_number(&pool, SOON, "SELECT count(*) FROM apalis.jobs", 0).await;
    worker.stop().await;
    assert_eq!(journal.numbers(), (0..2_000).collect::<Vec<_>>());
}
