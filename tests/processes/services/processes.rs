//! Real daemons: what they do when told to stop, when the database goes away, and when nothing is there yet.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use lgi_mm::embedded::{Options, ensure_database, start_or_join};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::PgPool;

use crate::services::schedulers::job;

fn daemon(url: &str, log: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
    command.arg("daemon");
    start(command, url, log)
}

fn start(mut command: Command, url: &str, log: &Path) -> Child {
    prepare(&mut command, url, log.parent().expect("a directory"));
    command
        .stderr(File::create(log).expect("a log"))
        .spawn()
        .expect("our own program")
}

fn prepare(command: &mut Command, url: &str, dir: &Path) {
    command
        .env("DATABASE_URL", url)
        .env("LGI_MM__METRICS__LISTEN", "off")
        .env("LGI_MM__WORKER__HEARTBEAT", "200ms")
        .env("LGI_MM__WORKER__LEASE", "1s")
        // A server that is killed may lose the last commit of a test's database: the slot is handed out again.
        .env("LGI_MM__SCHEDULER__TICK_LEASE", "5s")
        .env("RUST_LOG", "warn,lgi_mm=info,lgi_mm::engine=warn")
        .current_dir(dir)
        .stdout(Stdio::null());
}

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).expect("a pid")), signal).expect("a signal");
}

async fn recorded(pool: &PgPool) -> i64 {
    let sql = "SELECT coalesce(sum(slots_recorded), 0)::bigint FROM job_slots";
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap_or_default()
}

async fn until_recorded(pool: &PgPool, at_least: i64) {
    let begun = Instant::now();
    while recorded(pool).await < at_least {
        assert!(
            begun.elapsed() < Duration::from_secs(40),
            "{} of {at_least} slots",
            recorded(pool).await
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A daemon with work gets a stop signal; it ends in time, without an error, and leaves nothing locked.
async fn ends_after(stop: Signal) {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    for number in 1..=5 {
        job(&db.pool, number, "* * * * * *").await;
    }
    let log = dir.path().join("log");
    // Under nohup the tests ignore SIGHUP, and so would the daemon.
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_lgi-mm"), "daemon"]);
    let mut process = start(command, &db.url, &log);
    until_recorded(&db.pool, 10).await;
    signal(process.id(), stop);
    let begun = Instant::now();
    let status = process.wait().expect("an end");
    assert!(
        status.success() && begun.elapsed() < Duration::from_secs(20),
        "{status}"
    );
    let locked: i64 = sqlx::query_scalar("SELECT count(*) FROM apalis.jobs WHERE lock_by IS NOT NULL")
        .fetch_one(&db.pool)
        .await
        .expect("locked");
    let workers: i64 = sqlx::query_scalar("SELECT count(*) FROM apalis.workers")
        .fetch_one(&db.pool)
        .await
        .expect("workers");
    assert_eq!((locked, workers), (0, 0));
    let text = std::fs::read_to_string(&log).expect("a log");
    assert_eq!(
        text.matches("stopping: running tasks may finish").count(),
        1,
        "{text}"
    );
    assert!(text.contains(stop.as_str()), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_work_end_and_leaves_nothing_locked() {
    ends_after(Signal::SIGTERM).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_terminal_ends_a_daemon_as_sigterm_does() {
    ends_after(Signal::SIGHUP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn under_nohup_a_daemon_survives_the_end_of_its_terminal() {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    job(&db.pool, 1, "* * * * * *").await;
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "trap '' HUP; exec \"$0\" daemon",
        env!("CARGO_BIN_EXE_lgi-mm"),
    ]);
    let mut process = start(shell, &db.url, &dir.path().join("log"));
    until_recorded(&db.pool, 2).await;
    signal(process.id(), Signal::SIGHUP);
    let before = recorded(&db.pool).await;
    until_recorded(&db.pool, before + 3).await;
    assert!(process.try_wait().expect("a process").is_none(), "it continues");
    signal(process.id(), Signal::SIGTERM);
    assert!(process.wait().expect("an end").success());
}

/// Its terminal is closed while it logs: a line that cannot be written is lost, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_whose_standard_error_is_closed_goes_on() {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    job(&db.pool, 1, "* * * * * *").await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
    command.arg("daemon");
    prepare(&mut command, &db.url, dir.path());
    let mut process = command
        .env("RUST_LOG", "info")
        .stderr(Stdio::piped())
        .spawn()
        .expect("our own program");
    until_recorded(&db.pool, 2).await;
    drop(process.stderr.take());
    let before = recorded(&db.pool).await;
    until_recorded(&db.pool, before + 5).await;
    signal(process.id(), Signal::SIGTERM);
    let status = process.wait().expect("an end");
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_and_comes_back_is_survived_and_said_once() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("permissions");
    let options = Options {
        data_dir: Some(dir.path().join("data")),
        fast: true,
        remove: false,
    };
    let open = {
        let options = options.clone();
        move || start_or_join(&options).expect("a server")
    };
    let server = tokio::task::spawn_blocking(open.clone()).await.expect("a server");
    ensure_database(&server, "outage").await.expect("a database");
    let url = server.url("outage");
    let pool = PgPool::connect(&url).await.expect("the database");
    lgi_mm::store::migrate(&pool).await.expect("migrations");
    job(&pool, 1, "* * * * * *").await;
    let log = dir.path().join("log");
    let mut process = daemon(&url, &log);
    until_recorded(&pool, 3).await;
    let text =
        std::fs::read_to_string(dir.path().join("data/postgres/data/postmaster.pid")).expect("a pid file");
    signal(
        text.lines().next().expect("a pid").trim().parse().expect("a pid"),
        Signal::SIGKILL,
    );
    tokio::time::sleep(Duration::from_secs(6)).await;
    let _again = tokio::task::spawn_blocking(open).await.expect("the server again");
    let pool = PgPool::connect(&url).await.expect("the database again");
    let before = recorded(&pool).await;
    until_recorded(&pool, before + 3).await;
    assert!(
        process.try_wait().expect("a process").is_none(),
        "the daemon survives"
    );
    signal(process.id(), Signal::SIGTERM);
    process.wait().expect("an end");
    let text = std::fs::read_to_string(&log).expect("a log");
    let said = |what: &str| {
        text.lines()
            .filter(|line| line.contains(what) && line.contains("scheduler"))
            .count()
    };
    assert_eq!(
        (said("unavailable; retrying"), said("available again")),
        (1, 1),
        "{text}"
    );
}
