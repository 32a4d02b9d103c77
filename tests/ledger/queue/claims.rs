//! Pushing, claiming, grouping.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use apalis_pg_groups::{Completion, Group, NewTask, QueueConfig, push, run};
use chrono::{TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use crate::queue::support::{
    Job, Journal, Worker, db, done, jobs, number, push_all, query, quick, rows, until, until_number,
};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn tasks_due_together_run_in_groups_once_and_their_rows_are_deleted() {
    let (pool, journal) = (db().await, Journal::default());
    assert_eq!(push_all(&pool, "tick", &jobs(0..250)).await, 250);
    let config = QueueConfig {
        batch: 100,
        concurrency: 4,
        ..quick("tick")
    };
    let worker = Worker::noting(&pool, config, &journal);
    until_number(&pool, SOON, "SELECT count(*) FROM apalis.jobs", 0).await;
    worker.stop().await;
    assert_eq!(journal.numbers(), (0..250).collect::<Vec<_>>());
    let runs = journal.runs();
    let in_groups_of = |size| runs.iter().filter(|run| run.group == size).count();
    assert_eq!((in_groups_of(100), in_groups_of(50)), (200, 50));
    assert_eq!(number(&pool, "SELECT count(*) FROM apalis.workers").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn finished_rows_stay_when_asked_for() {
    let (pool, journal) = (db().await, Journal::default());
    push_all(&pool, "tick", &jobs(0..5)).await;
    let config = QueueConfig {
        keep_done: true,
        ..quick("tick")
    };
    let worker = Worker::noting(&pool, config, &journal);
    let kept =
        "SELECT count(*) FROM apalis.jobs WHERE status = 'Done' AND done_at IS NOT NULL AND attempts = 1";
    until_number(&pool, SOON, kept, 5).await;
    worker.stop().await;
    assert_eq!(journal.numbers().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_workers_never_run_a_row_twice() {
    let (pool, journal) = (db().await, Journal::default());
    let running = Arc::new(Mutex::new(HashSet::new()));
    let workers: Vec<Worker> = (0..4)
        .map(|_| {
            let (journal, running) = (journal.clone(), Arc::clone(&running));
            Worker::start(&pool, quick("tick"), move |group: Group<Job>| {
                let (journal, running) = (journal.clone(), Arc::clone(&running));
                async move {
                    journal.note(&group);
                    for member in &group.members {
                        assert!(running.lock().expect("whole").insert(member.payload.n), "at once");
                    }
                    tokio::time::sleep(Duration::from_millis(3)).await;
                    for member in &group.members {
                        running.lock().expect("whole").remove(&member.payload.n);
                    }
                    done(&group)
                }
            })
        })
        .collect();
    for hundred in 0..30 {
        push_all(&pool, "tick", &jobs(hundred * 100..hundred * 100 + 100)).await;
    }
    until_number(&pool, SOON, "SELECT count(*) FROM apalis.jobs", 0).await;
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!(journal.numbers(), (0..3_000).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_pushed_once_and_a_rolled_back_push_never_was() {
    let pool = db().await;
    let keyed = |numbers: std::ops::Range<u32>| -> Vec<NewTask<Job>> {
        numbers
            .map(|n| NewTask::now(Job { n }).once(format!("job-{n}")))
            .collect()
    };
    let mut transaction = pool.begin().await.expect("begins");
    assert_eq!(
        push(&mut transaction, "tick", &keyed(0..5))
            .await
            .expect("pushes"),
        5
    );
    transaction.rollback().await.expect("rolls back");
    assert_eq!(rows(&pool).await, 0);

    assert_eq!(push_all(&pool, "tick", &keyed(0..5)).await, 5);
    assert_eq!(push_all(&pool, "tick", &keyed(3..8)).await, 3);
    assert_eq!(
        push_all(&pool, "tick", &[keyed(9..10), keyed(9..10)].concat()).await,
        1
    );
    assert_eq!(push_all(&pool, "other queue", &keyed(0..5)).await, 5);
    assert_eq!(push_all(&pool, "tick", &[]).await, 0);

    let racing: Vec<_> = (0..8)
        .map(|_| {
            let (pool, tasks) = (pool.clone(), keyed(100..200));
            tokio::spawn(async move { push_all(&pool, "tick", &tasks).await })
        })
        .collect();
    let mut new = 0;
    for push in racing {
        new += push.await.expect("no panic");
    }
    assert_eq!(new, 100);
    let error = push(
        &mut pool.acquire().await.expect("a connection"),
        "tick",
        &[NewTask {
            max_attempts: 0,
            ..NewTask::now(Job { n: 0 })
        }],
    )
    .await;
    assert!(error.expect_err("refused").to_string().contains("1 to 1000"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_starts_at_once_what_is_pushed_and_on_time_what_is_scheduled() {
    let (pool, journal) = (db().await, Journal::default());
    let config = QueueConfig {
        poll: Duration::from_secs(60),
        ..quick("tick")
    };
    let worker = Worker::noting(&pool, config, &journal);
    until_number(&pool, SOON, "SELECT count(*) FROM apalis.workers", 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let pushed = Instant::now();
    push_all(&pool, "tick", &jobs(1..2)).await;
    until_number(&pool, SOON, "SELECT count(*) FROM apalis.jobs", 0).await;
    let scheduled = Instant::now();
    let later = Utc::now() + TimeDelta::milliseconds(700);
    push_all(&pool, "tick", &[NewTask::now(Job { n: 2 }).at(later)]).await;
    until_number(&pool, SOON, "SELECT count(*) FROM apalis.jobs", 0).await;
    worker.stop().await;
    let waited = journal.of(1)[0].at - pushed;
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    let waited = journal.of(2)[0].at - scheduled;
    assert!(waited >= Duration::from_millis(690), "early: {waited:?}");
    assert!(waited < Duration::from_secs(3), "late: {waited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_of_different_payloads_share_a_pool() {
    let (pool, journal) = (db().await, Journal::default());
    let words = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&words);
    let stop = CancellationToken::new();
    let other = tokio::spawn(run(
        pool.clone(),
        quick("words"),
        move |group: Group<String>| {
            let outcomes = group.members.iter().map(|_| Completion::Done).collect();
            let said = group.members.into_iter().map(|member| member.payload);
            heard.lock().expect("whole").extend(said);
            std::future::ready(outcomes)
        },
        stop.clone().cancelled_owned(),
    ));
    let worker = Worker::noting(&pool, quick("tick"), &journal);
    push_all(&pool, "tick", &jobs(0..3)).await;
    let mut connection = pool.acquire().await.expect("a connection");
    push(&mut connection, "words", &[NewTask::now("hello")])
        .await
        .expect("pushes");
    drop(connection);
    until_number(&pool, SOON, "SELECT count(*) FROM apalis.jobs", 0).await;
    worker.stop().await;
    stop.cancel();
    other.await.expect("no panic").expect("runs");
    assert_eq!(journal.numbers(), [0, 1, 2]);
    assert_eq!(*words.lock().expect("whole"), ["hello"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_killed_with_a_reason_and_the_others_go_on() {
    let (pool, journal) = (db().await, Journal::default());
    push_all(&pool, "tick", &jobs(0..4)).await;
    query(
        &pool,
        "INSERT INTO apalis.jobs (id, job_type, job) VALUES
             ('01AAAAAAAAAAAAAAAAAAAAAAAA', 'tick', '{\"n\": \"seven\"}'),
             ('01AAAAAAAAAAAAAAAAAAAAAAAB', 'tick', '\\xff00'),
             ('no ulid at all', 'tick', '{\"n\": 4}')",
    )
    .await;
    let worker = Worker::noting(&pool, quick("tick"), &journal);
    until_number(
        &pool,
        SOON,
        "SELECT count(*) FROM apalis.jobs WHERE status <> 'Killed'",
        0,
    )
    .await;
    worker.stop().await;
    assert_eq!(journal.numbers(), (0..5).collect::<Vec<_>>());
    let said = "SELECT count(*) FROM apalis.jobs WHERE status = 'Killed' AND lock_by IS NULL
                AND done_at IS NOT NULL AND last_result->>'Err' LIKE 'the payload cannot be read: %'";
    assert_eq!(number(&pool, said).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_work_are_refused_before_anything_happens() {
    let pool = db().await;
    let config = QueueConfig {
        batch: 0,
        ..quick("tick")
    };
    let refused = run(
        pool.clone(),
        config,
        |group: Group<Job>| std::future::ready(done(&group)),
        std::future::pending(),
    );
    assert!(
        refused
            .await
            .expect_err("refused")
            .to_string()
            .contains("batch is 0")
    );
    assert_eq!(number(&pool, "SELECT count(*) FROM apalis.workers").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_out_of_a_hundred_thousand_takes_milliseconds() {
    let (pool, journal) = (db().await, Journal::default());
    query(
        &pool,
        "INSERT INTO apalis.jobs (id, job_type, job, run_at)
         SELECT 'r' || n, CASE WHEN n % 10 = 0 THEN 'other' ELSE 'tick' END, convert_to('{\"n\": ' || n || '}', 'UTF8'),
                now() - n * interval '1 millisecond'
         FROM generate_series(1, 100000) n;
         INSERT INTO apalis.jobs (id, job_type, job, run_at)
         SELECT 'f' || n, 'tick', '{}', now() + interval '1 day' FROM generate_series(1, 20000) n;
         ANALYZE apalis.jobs",
    )
    .await;
    let took = Arc::new(Mutex::new(Vec::new()));
    let config = QueueConfig {
        concurrency: 1,
        batch: 100,
        ..quick("tick")
    };
    let worker = {
        let (journal, took) = (journal.clone(), Arc::clone(&took));
        Worker::start(&pool, config, move |group: Group<Job>| {
            journal.note(&group);
            took.lock().expect("whole").push(Instant::now());
            std::future::ready(done(&group))
        })
    };
    until(SOON, async || {
        (took.lock().expect("whole").len() >= 200).then_some(())
    })
    .await;
    worker.stop().await;
    let starts = took.lock().expect("whole").clone();
    let mut cycles: Vec<Duration> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    cycles.sort_unstable();
    let median = cycles[cycles.len() / 2];
    println!("100 rows of 100,000 claimed, run and acknowledged: median {median:?}");
    assert!(median < Duration::from_millis(150), "{median:?}");
    let by_index =
        "SELECT count(*) FROM pg_stat_user_indexes WHERE indexrelname = 'lgi_jobs_due' AND idx_scan >= 200";
    until_number(&pool, SOON, by_index, 1).await;
    // The oldest first.
    assert_eq!(journal.runs()[0].n, 99_999);
}
