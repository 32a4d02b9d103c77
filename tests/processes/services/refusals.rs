//! PostgreSQL says no: each cause is named with what to do, by commands, by `doctor`, and by `/readyz` while a service
//! runs.

mod restored;

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, PgPool};
use testkit::{cluster::Cluster, lgi_mm, pooler::Pooler, programs::free_address};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

fn program(url: &str, dir: &std::path::Path, args: &[&str]) -> Command {
    let mut command = Command::new(lgi_mm());
    command
        .args(args)
        .env_clear()
        .env("PATH", std::env::var("PATH").expect("PATH"))
        .env("HOME", dir)
        .env("DATABASE_URL", url)
        .env("LGI_MM__METRICS__LISTEN", "off")
        .env("LGI_MM__DATABASE__CONNECT_TIMEOUT", "2s")
        .current_dir(dir);
    command
}

/// Exit code and everything printed, on one line.
fn said(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().expect("our own program");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let words: Vec<&str> = text.split_whitespace().collect();
    (output.status.code(), words.join(" "))
}

async fn run(pool: &PgPool, sql: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(pool).await;
    done.expect(sql);
}

/// `args` fails for the database, and says both.
fn refused(url: &str, args: &[&str], means: &str, remedy: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let (code, text) = said(&mut program(url, dir.path(), args));
    assert_eq!(code, Some(5), "{args:?}: {text}");
    assert!(text.contains(means) && text.contains(remedy), "{args:?}: {text}");
    assert!(
        !text.contains(" at line ") && !text.contains("returned from database"),
        "{text}"
    );
    // The columns of the table break words: `doctor` is read as JSON.
    let (code, text) = said(&mut program(url, dir.path(), &["doctor", "--json"]));
    assert_eq!(code, Some(6), "{text}");
    assert!(
        text.contains("FAIL") && text.contains(means) && text.contains(remedy),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_is_named_with_its_remedy() {
    let cluster = Cluster::start().await;
    let admin = cluster.pool("postgres").await;
    cluster.run("owner", &["migrate"]).expect("migrated");
    let (owner, cli) = (cluster.url("owner", "lgi_mm"), cluster.url("cli", "lgi_mm"));
    refused(
        &cluster.url("cli", "lgi_mn"),
        &["list"],
        "no such database",
        "correct the database name",
    );
    let wrong = cli
        .replacen(":", "\0", 1)
        .replacen(':', ":not", 1)
        .replace('\0', ":");
    refused(
        &wrong,
        &["list"],
        "the password is wrong",
        "check the user and the password",
    );
    run(&admin, "CREATE ROLE stranger LOGIN PASSWORD 'stranger'").await;
    let (scheme, rest) = owner.split_once("://").expect("a URL");
    let (_, place) = rest.split_once('@').expect("a place");
    let stranger = format!("{scheme}://stranger:stranger@{place}");
    refused(
        &stranger,
        &["list"],
        "may not connect to this database",
        "GRANT CONNECT",
    );
    run(&admin, "GRANT CONNECT ON DATABASE lgi_mm TO stranger").await;
    refused(
        &stranger,
        &["list"],
        "this role lacks a right",
        "docs/scale-out.md",
    );
    run(&admin, "CREATE DATABASE empty").await;
    let (code, text) = said(&mut program(
        &stranger.replace("/lgi_mm", "/empty"),
        std::path::Path::new("/tmp"),
        &["migrate"],
    ));
    assert!(
        code == Some(5) && text.contains("may not create") && text.contains("owns the database"),
        "{text}"
    );
    run(&admin, "ALTER ROLE stranger CONNECTION LIMIT 0").await;
    refused(
        &stranger,
        &["list"],
        "accepts no more connections",
        "CONNECTION LIMIT",
    );
    run(&admin, "ALTER ROLE stranger NOLOGIN").await;
    refused(&stranger, &["trades"], "may not log in", "LOGIN");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_used_or_takes_no_writes_is_named_with_its_remedy() {
    let cluster = Cluster::start().await;
    let admin = cluster.pool("postgres").await;
    cluster.run("owner", &["migrate"]).expect("migrated");
    let owner = cluster.url("owner", "lgi_mm");
    run(
        &admin,
        "CREATE DATABASE latin ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0",
    )
    .await;
    refused(
        &cluster.url("owner", "latin"),
        &["list"],
        "encoding is not UTF8",
        "ENCODING 'UTF8'",
    );
    run(
        &admin,
        "ALTER DATABASE lgi_mm SET default_transaction_read_only = on",
    )
    .await;
    for args in [&["scheduler", "--once"][..], &["pause", "1"], &["migrate"]] {
        refused(
            &owner,
            args,
            "the database is read-only",
            "point DATABASE_URL at the primary",
        );
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (code, text) = said(&mut program(&owner, dir.path(), &["list"]));
    assert!(code == Some(0) && text.contains("read-only"), "{text}");
    refused(
        "postgres://u@127.0.0.1:9/x",
        &["list"],
        "no server listens",
        "start PostgreSQL",
    );
    refused(
        &format!("{owner}?sslmode=require"),
        &["list"],
        "TLS with the database failed",
        "sslmode",
    );
    let (code, text) = said(&mut program("postgres://u@one:1,two:2/x", dir.path(), &["list"]));
    assert!(code == Some(2) && text.contains("several hosts"), "{text}");
}

/// The row of the table that a statement of a service meets, not a connection: the server says so in the middle of
/// work.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_named_and_readiness_says_that_no_slot_is_claimed() {
    let cluster = Cluster::start().await;
    cluster.run("owner", &["migrate"]).expect("migrated");
    let owner = cluster.pool("owner").await;
    let service = Service::start(&cluster.url("scheduler", "lgi_mm"), &["scheduler"]);
    service.until(200, "ready").await;
    // As PostgreSQL reports it where a table cannot grow.
    run(
        &owner,
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
         CREATE TRIGGER full_disk BEFORE UPDATE ON job_slots FOR EACH STATEMENT EXECUTE FUNCTION full_disk()",
    )
    .await;
    cluster
        .run("cli", &START)
        .expect_err("the slot cannot be planned");
    service.until(503, "disk is full").await;
    run(&owner, "DROP TRIGGER full_disk ON job_slots").await;
    service.until(200, "ready").await;
}

const START: [&str; 8] = [
    "start",
    "0x00000000000000000000000000000000000000a7",
    "--mode",
    "accumulate",
    "--symbol",
    "OWN",
    "--set",
    "price.sources=[\"generated\"]",
];

/// A service with its port.
struct Service {
    process: Child,
    address: String,
    _dir: tempfile::TempDir,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Service {
    fn start(url: &str, args: &[&str]) -> Self {
        let (dir, address) = (
            tempfile::tempdir().expect("a directory"),
            free_address().to_string(),
        );
        let process = program(url, dir.path(), args)
            .env("LGI_MM__METRICS__LISTEN", &address)
            .env("LGI_MM__DATABASE__CONNECT_TIMEOUT", "30s")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("our own program");
        Self {
            process,
            address,
            _dir: dir,
        }
    }

    async fn until(&self, status: u16, words: &str) {
        let begun = Instant::now();
        loop {
            let answer = reqwest::get(format!("http://{}/readyz", self.address)).await;
            let said = match answer {
                Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
                Err(error) => (0, error.to_string()),
            };
            if said.0 == status && said.1.contains(words) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{status} {words}: {said:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_service_is_ready_while_the_database_is_read_only_and_each_is_ready_again_afterwards() {
    let cluster = Cluster::start().await;
    let admin = cluster.pool("postgres").await;
    cluster.run("owner", &["migrate"]).expect("migrated");
    let services = [
        Service::start(&cluster.url("scheduler", "lgi_mm"), &["scheduler"]),
        Service::start(&cluster.url("engine", "lgi_mm"), &["worker"]),
        Service::start(&cluster.url("owner", "lgi_mm"), &["daemon"]),
    ];
    for service in &services {
        service.until(200, "ready").await;
    }
    run(&admin, "ALTER SYSTEM SET default_transaction_read_only = on").await;
    run(&admin, "SELECT pg_reload_conf()").await;
    for service in &services {
        service.until(503, "read-only").await;
    }
    // One session, which takes writes by its own setting.
    let mut session = admin.acquire().await.expect("a session");
    for statement in [
        "SET default_transaction_read_only = off",
        "ALTER SYSTEM RESET default_transaction_read_only",
        "SELECT pg_reload_conf()",
    ] {
        let done = sqlx::raw_sql(statement).execute(&mut *session).await;
        done.expect(statement);
    }
    for service in &services {
        service.until(200, "ready").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_is_refused_unless_its_sessions_are_whole() {
    let cluster = Cluster::start().await;
    cluster.run("owner", &["migrate"]).expect("migrated");
    let owner = cluster.url("owner", "lgi_mm");
    for mode in ["transaction", "statement"] {
        for size in [1, 7] {
            let Some(pooler) = Pooler::start(&owner, mode, size) else {
                return;
            };
            refused(
                pooler.url(),
                &["list"],
                "a pooler in transaction or statement mode",
                "pool_mode = session",
            );
            refused(
                pooler.url(),
                &["worker"],
                "a pooler in transaction or statement mode",
                "pool_mode = session",
            );
        }
    }
}

/// With few connections a service waited for more than there were, and reported nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_trades_with_eleven_connections_of_a_pooler_and_is_refused_with_fewer() {
    let cluster = Cluster::start().await;
    cluster.run("owner", &["migrate"]).expect("migrated");
    let owner = cluster.url("owner", "lgi_mm");
    for (size, args, least) in [(10, "daemon", 11), (9, "worker", 10), (6, "scheduler", 7)] {
        let Some(pooler) = Pooler::start(&owner, "session", size) else {
            return;
        };
        let dir = tempfile::tempdir().expect("a directory");
        let (code, text) = said(&mut program(pooler.url(), dir.path(), &[args]));
        let counted =
            format!("{size} connections to the database are served, and a {args} needs at least {least}");
        assert!(
            code == Some(5) && text.contains(&counted) && text.contains("default_pool_size"),
            "{code:?} {text}"
        );
    }
    let pooler = Pooler::start(&owner, "session", 11).expect("pgbouncer");
    let service = Service::start(pooler.url(), &["daemon"]);
    service.until(200, "ready").await;
    // Commands connect directly: the daemon may hold all that the pooler has.
    let dir = tempfile::tempdir().expect("a directory");
    let (code, text) = said(&mut program(
        &owner,
        dir.path(),
        &[&START[..], &EACH_SECOND].concat(),
    ));
    assert_eq!(code, Some(0), "{text}");
    let direct = cluster.pool("owner").await;
    let begun = Instant::now();
    while executed(&direct).await < 5 {
        assert!(begun.elapsed() < PATIENCE, "no five trades");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    service.until(200, "ready").await;
}

/// A role whose limit is reached later: sessions are gone, and no new ones are served.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_with_few_connections_is_counted_and_one_that_gets_none_is_no_readiness() {
    let cluster = Cluster::start().await;
    let admin = cluster.pool("postgres").await;
    cluster.run("owner", &["migrate"]).expect("migrated");
    run(&admin, "ALTER ROLE lgi_mm_scheduler CONNECTION LIMIT 3").await;
    let (url, dir) = (
        cluster.url("scheduler", "lgi_mm"),
        tempfile::tempdir().expect("a directory"),
    );
    let (code, text) = said(&mut program(&url, dir.path(), &["scheduler"]));
    let counted = "3 connections to the database are served, and a scheduler needs at least 7";
    assert!(code == Some(5) && text.contains(counted), "{code:?} {text}");
    run(&admin, "ALTER ROLE lgi_mm_scheduler CONNECTION LIMIT 8").await;
    let service = Service::start(&url, &["scheduler"]);
    service.until(200, "ready").await;
    run(&admin, "ALTER ROLE lgi_mm_scheduler CONNECTION LIMIT 0").await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'lgi_mm_scheduler'";
    run(&admin, end).await;
    service.until(503, "serves no more connections").await;
    run(&admin, "ALTER ROLE lgi_mm_scheduler CONNECTION LIMIT 8").await;
    service.until(200, "ready").await;
}

const EACH_SECOND: [&str; 4] = [
    "--set",
    "schedule.cron=\"* * * * * *\"",
    "--set",
    "accumulate.dca_interval=\"1s\"",
];

async fn executed(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM trades WHERE status = 'EXECUTED'")
        .fetch_one(pool)
        .await
        .expect("a count")
}

/// A trade of a job that buys each second.
async fn trade(db: &testkit::TestDb, dir: &std::path::Path) {
    let (code, text) = said(&mut program(&db.url, dir, &[&START[..], &EACH_SECOND].concat()));
    assert_eq!(code, Some(0), "{text}");
    let mut daemon = testkit::quick_daemon(&db.url).spawn().expect("a daemon");
    let begun = Instant::now();
    while executed(&db.pool).await == 0 {
        assert!(begun.elapsed() < PATIENCE, "no trade");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    daemon.kill().await.expect("killed");
}
