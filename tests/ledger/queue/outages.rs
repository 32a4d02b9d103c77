//! Processes that die or stall, databases that go away.

use std::{
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use apalis_pg_groups::{Group, NewTask, QueueConfig};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::PgPool;
use tokio::sync::Semaphore;

use crate::queue::support::{
    Job, Journal, Worker, admin, connect, db, done, jobs, number, push_all, query, quick, socket, until,
    until_number,
};

const SOON: Duration = Duration::from_secs(20);
const CHILD: &str = "LGI_MM_TEST_QUEUE_WORKER";
const LOCKED: &str = "SELECT count(*) FROM apalis.jobs WHERE status = 'Running'";

/// The worker of another process; runs only where [`worker_process`] starts it. Its handlers take 3 s.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_process() {
    let Some(place) = std::env::var(CHILD).ok() else {
        return;
    };
    let (socket, database) = place.split_once(' ').expect("two words");
    let pool = connect(socket.as_ref(), database).await;
    let _worker = Worker::start(&pool, quick("tick"), |group: Group<Job>| async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        done(&group)
    });
    // Its parent kills it, or closes the pipe by dying.
    tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin()))
        .await
        .expect("no panic")
        .expect("a pipe");
    std::process::exit(0);
}

struct Process(Child);

impl Process {
    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.0.id()).expect("a pid");
        kill(Pid::from_raw(pid), signal).expect("signals");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().expect("kills");
        self.0.wait().expect("is gone");
    }
}

fn worker_process(pool: &PgPool) -> Process {
    let (socket, database) = socket(pool);
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "queue::outages::a_worker_process"])
        .env(CHILD, format!("{} {database}", socket.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    Process(child)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tasks_of_a_killed_process_run_elsewhere_within_seconds() {
    let (pool, journal) = (db().await, Journal::default());
    let mut tasks = jobs(0..10);
    tasks[3].max_attempts = 1;
    push_all(&pool, "tick", &tasks).await;
    let process = worker_process(&pool);
    until_number(&pool, SOON, LOCKED, 10).await;
    let worker = Worker::noting(&pool, quick("tick"), &journal);
    process.signal(Signal::SIGKILL);
    let killed = Instant::now();
    until(SOON, async || (journal.runs().len() == 9).then_some(())).await;
    let took = killed.elapsed();
    println!("handed over in {took:?}, with a lease of 2 s");
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert!(
        journal
            .runs()
            .iter()
            .all(|run| run.attempt == 2 && run.group == 1)
    );
    // The one without attempts left is killed, the dead worker forgotten.
    until_number(&pool, SOON, "SELECT count(*) FROM apalis.workers", 1).await;
    worker.stop().await;
    let lost =
        "SELECT count(*) FROM apalis.jobs WHERE status = 'Killed' AND last_result->>'Err' LIKE 'its worker%'";
    assert_eq!(number(&pool, lost).await, 1);
    assert_eq!(number(&pool, "SELECT count(*) FROM apalis.jobs").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_acknowledgement_of_a_stalled_process_is_refused() {
    let (pool, journal) = (db().await, Journal::default());
    push_all(&pool, "tick", &jobs(0..1)).await;
    let process = worker_process(&pool);
    until_number(&pool, SOON, LOCKED, 1).await;
    process.signal(Signal::SIGSTOP);
    let gate = Arc::new(Semaphore::new(0));
    let worker = {
        let (journal, gate) = (journal.clone(), Arc::clone(&gate));
        Worker::start(&pool, quick("tick"), move |group: Group<Job>| {
            journal.note(&group);
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.expect("open").forget();
                done(&group)
            }
        })
    };
    until(SOON, async || (journal.runs().len() == 1).then_some(())).await;
    process.signal(Signal::SIGCONT);
    // The stalled handler ends and says Done, while the task runs here.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(
        number(
            &pool,
            "SELECT count(*) FROM apalis.jobs WHERE status = 'Running' AND attempts = 2"
        )
        .await,
        1
    );
    gate.add_permits(1);
    until_number(&pool, SOON, "SELECT count(*) FROM apalis.jobs", 0).await;
    worker.stop().await;
    assert_eq!(journal.numbers(), [0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_longer_than_the_lease_keeps_its_tasks_even_with_the_pool_exhausted() {
    let (pool, journal) = (db().await, Journal::default());
    let (socket, database) = socket(&pool);
    let other = connect(&socket, &database).await;
    push_all(&pool, "tick", &jobs(0..1)).await;
    let worker = {
        let (journal, pool) = (journal.clone(), pool.clone());
        Worker::start(&pool.clone(), quick("tick"), move |group: Group<Job>| {
            journal.note(&group);
            let pool = pool.clone();
            async move {
                let mut taken = Vec::new();
                for _ in 0..pool.options().get_max_connections() {
                    taken.push(pool.acquire().await.expect("a connection"));
                }
                tokio::time::sleep(Duration::from_secs(5)).await;
                done(&group)
            }
        })
    };
    until(SOON, async || (journal.runs().len() == 1).then_some(())).await;
    let thief = Worker::noting(&other, quick("tick"), &journal);
    until_number(&other, SOON, "SELECT count(*) FROM apalis.jobs", 0).await;
    worker.stop().await;
    thief.stop().await;
    assert_eq!(journal.numbers(), [0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_connections_stop_nothing_and_lose_nothing() {
    let (pool, journal) = (db().await, Journal::default());
    let workers = [(); 2].map(|()| {
        let journal = journal.clone();
        Worker::start(&pool, quick("tick"), move |group: Group<Job>| {
            journal.note(&group);
            async move {
                tokio::time::sleep(Duration::from_millis(5)).await;
                done(&group)
            }
        })
    });
    let admin = admin(&pool).await;
    let (_, database) = socket(&pool);
    let cut = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}' AND pid <> pg_backend_pid()"
    );
    push_all(&pool, "tick", &jobs(0..4_000)).await;
    let mut cuts = 0;
    while journal.runs().len() < 3_500 {
        query(&admin, &cut).await;
        cuts += 1;
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let fresh = connect(&socket(&pool).0, &database).await;
    until_number(&fresh, SOON, "SELECT count(*) FROM apalis.jobs", 0).await;
    // The listeners are back as well: a wake-up still comes through.
    push_all(&fresh, "tick", &jobs(4_000..4_001)).await;
    until_number(&fresh, SOON, "SELECT count(*) FROM apalis.jobs", 0).await;
    for worker in workers {
        worker.stop().await;
    }
    let mut numbers = journal.numbers();
    let runs = numbers.len();
    numbers.dedup();
    println!(
        "{cuts} cuts, {} tasks, {} extra runs",
        numbers.len(),
        runs - numbers.len()
    );
    assert!(cuts >= 5, "{cuts}");
    assert_eq!(numbers, (0..4_001).collect::<Vec<_>>());
    assert_eq!(runs, numbers.len(), "no lease ran out, so nothing ran twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_away_for_longer_than_a_lease_finds_every_ending_when_it_is_back() {
    let (pool, journal) = (db().await, Journal::default());
    let tasks: Vec<NewTask<Job>> = jobs(0..40);
    push_all(&pool, "tick", &tasks).await;
    let noted = journal.clone();
    let config = QueueConfig {
        concurrency: 4,
        ..quick("tick")
    };
    let worker = Worker::start(&pool, config, move |group: Group<Job>| {
        noted.note(&group);
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            done(&group)
        }
    });
    until(SOON, async || (journal.runs().len() == 40).then_some(())).await;
    let (admin, (_, database)) = (admin(&pool).await, socket(&pool));
    query(
        &admin,
        &format!("ALTER DATABASE {database} ALLOW_CONNECTIONS false"),
    )
    .await;
    query(
        &admin,
        &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"),
    )
    .await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    query(
        &admin,
        &format!("ALTER DATABASE {database} ALLOW_CONNECTIONS true"),
    )
    .await;
    until_number(&pool, SOON, "SELECT count(*) FROM apalis.jobs", 0).await;
    worker.stop().await;
    assert_eq!(journal.numbers(), (0..40).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_answer_was_lost_is_given_back_by_the_living_worker_itself() {
    let (pool, journal) = (db().await, Journal::default());
    let worker = Worker::noting(&pool, quick("tick"), &journal);
    until_number(&pool, SOON, "SELECT count(*) FROM apalis.workers", 1).await;
    query(
        &pool,
        "INSERT INTO apalis.jobs (id, job_type, job, status, attempts, lock_by, lock_at)
         SELECT 'stray', 'tick', '{\"n\": 1}', 'Running', 1, id, now() FROM apalis.workers",
    )
    .await;
    until_number(&pool, SOON, "SELECT count(*) FROM apalis.jobs", 0).await;
    worker.stop().await;
    let runs = journal.runs();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].attempt, 1, "the claim that nobody saw burned none");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_removed_worker_claimed_at_its_last_moment_is_handed_over() {
    let (pool, journal) = (db().await, Journal::default());
    let worker = Worker::noting(&pool, quick("tick"), &journal);
    until_number(&pool, SOON, "SELECT count(*) FROM apalis.workers", 1).await;
    query(
        &pool,
        "INSERT INTO apalis.jobs (id, job_type, job, status, attempts, lock_by, lock_at)
         VALUES ('orphan', 'tick', '{\"n\": 1}', 'Running', 1, 'nobody any more', now())",
    )
    .await;
    until_number(&pool, SOON, "SELECT count(*) FROM apalis.jobs", 0).await;
    worker.stop().await;
    let runs = journal.runs();
    assert_eq!(runs.len(), 1);
    assert_eq!(
        runs[0].attempt, 2,
        "the claim that its worker did not live to see counts"
    );
}
