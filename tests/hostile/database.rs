//! The database's password, its roles, its way to us, and who may change its tables.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sqlx::PgPool;

use crate::{cluster::Cluster, support};

const TOKEN: &str = "0xbbd9aDe16525acb4B336b6dAd3b9762901522B07";

/// A slot a second at prices without a network.
const START: [&str; 14] = [
    "start",
    TOKEN,
    "--mode",
    "accumulate",
    "--symbol",
    "CLAWD",
    "--set",
    "price.sources=[\"generated\"]",
    "--set",
    "schedule.cron=\"* * * * * *\"",
    "--set",
    "accumulate.dca_amount_usd=5",
    "--set",
    "accumulate.dca_interval=\"1s\"",
];

/// Killed with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(url: &str, dir: &std::path::Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
    command
        .args(args)
        .env_clear()
        .env("PATH", std::env::var("PATH").expect("PATH"))
        .env("HOME", dir)
        .env("DATABASE_URL", url)
        .current_dir(dir);
    command
}

fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().expect("our own program");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.success(),
        format!("{}{}", text(&output.stdout), text(&output.stderr)),
    )
}

/// What every user of the machine sees of a process and of its children.
fn command_lines(pid: u32) -> Vec<String> {
    let read = |path: String| std::fs::read_to_string(path).unwrap_or_default();
    let mut lines = vec![read(format!("/proc/{pid}/cmdline")).replace('\0', " ")];
    let mut children = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let list = read(format!("{}/children", task.path().display()));
        children.extend(
            list.split_whitespace()
                .filter_map(|child| child.parse::<u32>().ok()),
        );
    }
    lines.extend(children.into_iter().flat_map(command_lines));
    lines
}

/// Finding 18.
#[tokio::test(flavor = "multi_thread")]
async fn no_process_that_we_start_on_the_database_shows_the_password() {
    let (cluster, dir) = (Cluster::start().await, tempfile::tempdir().expect("a directory"));
    let password = std::fs::read_to_string(cluster.secrets().join("postgres_password")).expect("a password");
    let (url, password) = (cluster.url("postgres", "lgi_mm"), password.trim().to_owned());
    let in_query = format!(
        "{}&password={password}",
        url.replace(&format!(":{password}@"), "@") + "?application_name=me"
    );
    for url in [url, in_query] {
        let mut db = program(
            &url,
            dir.path(),
            &["db", "psql", "--no-psqlrc", "--tuples-only", "--no-align"],
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("our own program");
        let mut to = db.stdin.take().expect("a pipe");
        to.write_all(b"SELECT 'in ' || current_database();\n")
            .expect("a statement");
        to.flush().expect("a statement");
        let mut answer = String::new();
        let mut from = BufReader::new(db.stdout.take().expect("a pipe"));
        from.read_line(&mut answer).expect("an answer");
        let lines = command_lines(db.id());
        drop(to);
        assert!(db.wait().expect("an end").success());
        assert_eq!(answer.trim(), "in lgi_mm");
        assert!(
            lines
                .iter()
                .any(|line| line.contains("psql --no-psqlrc --tuples-only") && !line.contains(" db ")),
            "{lines:?}"
        );
        assert!(!lines.iter().any(|line| line.contains(&password)), "{lines:?}");
    }
    // Other programs of PostgreSQL find the database too.
    let (done, dump) = said(&mut program(
        &cluster.url("postgres", "lgi_mm"),
        dir.path(),
        &["db", "pg_dump", "--schema-only"],
    ));
    assert!(done && dump.contains("PostgreSQL database dump"), "{dump}");
}

/// Finding 19: refused before the password is on its way, so nobody need be there.
#[tokio::test(flavor = "multi_thread")]
async fn live_trading_refuses_a_database_whose_answers_somebody_else_could_give() {
    let dir = tempfile::tempdir().expect("a directory");
    let live = [("LGI_MM__CHAINS__BASE__RPC_URLS", "[\"http://127.0.0.1:9\"]")];
    // Nobody listens at these: whoever is not refused fails to connect.
    let remote = "postgres://u:secret@192.0.2.1:9/x";
    for args in [
        &["worker"][..],
        &["daemon"],
        &["scheduler", "--once"],
        &["list"],
        &["start", TOKEN, "--live"],
    ] {
        for mode in [
            "",
            "?sslmode=prefer",
            "?sslmode=require",
            "?sslmode=verify-ca",
            "?sslmode=disable",
        ] {
            let mut command = program(&format!("{remote}{mode}"), dir.path(), args);
            let (done, text) = said(command.envs(live).env("LGI_MM__DATABASE__CONNECT_TIMEOUT", "1s"));
            assert!(!done && text.contains("verify-full"), "{args:?} {mode}: {text}");
            assert!(text.contains("database.insecure = true"), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }
    for (url, insecure) in [
        (format!("{remote}?sslmode=verify-full"), "false"),
        (remote.to_owned(), "true"),
        ("postgres://u@127.0.0.1:9/x".to_owned(), "false"),
    ] {
        let mut command = program(&url, dir.path(), &["worker"]);
        command.envs(live).env("LGI_MM__DATABASE__CONNECT_TIMEOUT", "1s");
        let (done, text) = said(command.env("LGI_MM__DATABASE__INSECURE", insecure));
        assert!(!done && text.contains("cannot use the database"), "{url}: {text}");
    }
    // The environment does not loosen what the URL says, and tightens what it does not.
    let mut tightened = program(remote, dir.path(), &["worker"]);
    tightened
        .envs(live)
        .env("PGSSLMODE", "verify-full")
        .env("LGI_MM__DATABASE__CONNECT_TIMEOUT", "1s");
    assert!(said(&mut tightened).1.contains("cannot use the database"));
}

async fn tables(pool: &PgPool) -> Vec<(String, i64)> {
    let sql = "SELECT table_schema || '.' || table_name, count(*) FROM information_schema.columns
               WHERE table_schema IN ('public', 'apalis', 'paper') GROUP BY 1 ORDER BY 1";
    sqlx::query_as(sql).fetch_all(pool).await.expect("the catalog")
}

/// Only `migrate` makes or changes tables of a database that others may be using.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_migrate_changes_the_tables_of_a_shared_database() {
    let (cluster, dir) = (Cluster::start().await, tempfile::tempdir().expect("a directory"));
    let (url, pool) = (cluster.url("owner", "lgi_mm"), cluster.pool("owner").await);
    let commands: [&[&str]; 12] = [
        &["list"],
        &["status", "1"],
        &["trades"],
        &["export"],
        &["doctor"],
        &["config", "show", "1"],
        &["reconcile"],
        &["prune", "--dry-run"],
        &["start", TOKEN, "--mode", "accumulate"],
        &["scheduler", "--once"],
        &["worker"],
        &["daemon"],
    ];
    for args in commands {
        let (done, text) = said(&mut program(&url, dir.path(), args));
        assert!(!done && text.contains("lgi-mm migrate"), "{args:?}: {text}");
    }
    assert_eq!(tables(&pool).await, [], "an empty database was changed");
    let (done, text) = said(&mut program(&url, dir.path(), &["migrate"]));
    assert!(done, "{text}");
    assert!(said(&mut program(&url, dir.path(), &["list"])).0);
    // As it was before the newest migration.
    let undo = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).expect("migrations");
    let newest = undo.flatten().map(|file| file.path());
    let newest = newest
        .filter(|path| path.to_string_lossy().ends_with(".down.sql"))
        .max()
        .expect("one");
    let sql = std::fs::read_to_string(newest).expect("a migration");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&pool)
        .await
        .expect("undone");
    let forget = "DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
    sqlx::query(forget).execute(&pool).await.expect("forgotten");
    let before = tables(&pool).await;
    for args in commands {
        let (done, text) = said(&mut program(&url, dir.path(), args));
        assert!(!done && text.contains("migrations to run: 1"), "{args:?}: {text}");
    }
    assert_eq!(tables(&pool).await, before, "an older database was changed");
    assert!(said(&mut program(&url, dir.path(), &["migrate"])).0);
    assert!(said(&mut program(&url, dir.path(), &["list"])).0);
}

/// The private server is made by whoever comes first; afterwards readers leave it as it is there too.
#[tokio::test(flavor = "multi_thread")]
async fn the_private_server_s_first_use_makes_the_tables_and_a_reader_changes_them_never() {
    let dir = tempfile::Builder::new()
        .prefix("lgi-mm-reader-")
        .tempdir_in("/tmp")
        .expect("a directory");
    let data = dir.path().join("data");
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("a mode");
    let run = |args: &[&str]| {
        let mut command = program("", dir.path(), args);
        if let Some(bin) = std::env::var_os("PG_BIN") {
            command.env("PG_BIN", bin);
        }
        said(command.env("LGI_MM_DATA_DIR", &data))
    };
    let (done, text) = run(&["list"]);
    assert!(done && text.contains("no jobs"), "{text}");
    let forget = "DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
    let (done, text) = run(&["db", "psql", "--no-psqlrc", "-c", forget]);
    assert!(done && text.contains("DELETE 1"), "{text}");
    for args in [&["list"][..], &["trades"], &["doctor"]] {
        let (done, text) = run(args);
        assert!(!done && text.contains("migrations to run: 1"), "{args:?}: {text}");
    }
}

async fn refused(pool: &PgPool, sql: &'static str) {
    let answer = sqlx::raw_sql(sql).execute(pool).await;
    denied(sql, answer.map(drop));
}

fn denied(sql: &str, answer: Result<(), sqlx::Error>) {
    let error = answer.expect_err(sql);
    let code = error
        .as_database_error()
        .and_then(|error| error.code())
        .unwrap_or_default()
        .into_owned();
    assert!(code == "42501", "{sql}: {error}");
}

async fn allowed(pool: &PgPool, sql: &'static str) {
    let answer = sqlx::raw_sql(sql).execute(pool).await;
    assert!(answer.is_ok(), "{sql}: {answer:?}");
}

/// Finding 20: services with a role each, none of them a superuser, trade end to end.
#[tokio::test(flavor = "multi_thread")]
async fn each_role_can_do_its_work_and_nothing_else() {
    let cluster = Cluster::start().await;
    for role in ["engine", "scheduler", "cli"] {
        let said = cluster.run(role, &["migrate"]).expect_err("no owner");
        assert!(said.contains("permission denied"), "{role}: {said}");
    }
    cluster.run("owner", &["migrate"]).expect("migrated");
    // Again: roles and grants are as they were.
    cluster.make_roles();
    cluster.run("owner", &["migrate"]).expect("migrated");
    trade(&cluster).await;
    let admin = cluster.pool("postgres").await;
    let supers = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'lgi!_mm%' ESCAPE '!'
                  AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication)";
    let supers: i64 = sqlx::query_scalar(supers)
        .fetch_one(&admin)
        .await
        .expect("a count");
    assert_eq!(supers, 0);
    dashboards(&cluster).await;
    services(&cluster).await;
    scaler(&admin).await;
}

/// From `start` to a trade that is seen by `list`, with the role that each process has in the stack.
async fn trade(cluster: &Cluster) {
    let fast = [
        ("LGI_MM__WORKER__HEARTBEAT", "200ms"),
        ("LGI_MM__TRADING__SAMPLE_INTERVAL", "1s"),
        ("LGI_MM__METRICS__CENSUS_EVERY", "1s"),
    ];
    let log = |name: &str| std::fs::File::create(cluster.secrets().with_file_name(name)).expect("a log");
    let spawn = |role: &str, service: &str| {
        let mut command = cluster.program(role, &[service]);
        // Metrics are served, so that the census and readiness are asked for.
        let listen = crate::programs::free_address().to_string();
        command.envs(fast).env("LGI_MM__METRICS__LISTEN", listen);
        // Somebody to tell, who is not there: events are handed out, and their failures noted.
        command
            .env("LGI_MM__NOTIFY__RECEIVERS__OPS__KIND", "webhook")
            .env("LGI_MM__NOTIFY__RECEIVERS__OPS__URL", "http://127.0.0.1:9/")
            .env("LGI_MM__NOTIFY__RECEIVERS__OPS__SECRET", "sixteen bytes and more");
        command.stdout(Stdio::null()).stderr(log(service));
        Running(command.spawn().expect("our own program"))
    };
    let _scheduler = spawn("scheduler", "scheduler");
    let _worker = spawn("engine", "worker");
    cluster.run("cli", &START).expect("started");
    let pool = cluster.pool("postgres").await;
    let begun = Instant::now();
    let traded = "SELECT count(*) FROM trades WHERE status = 'EXECUTED'";
    while sqlx::query_scalar::<_, i64>(traded)
        .fetch_one(&pool)
        .await
        .expect("a count")
        < 3
    {
        assert!(
            begun.elapsed() < Duration::from_secs(90),
            "no trades: {}",
            logs(cluster)
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for (args, shows) in [
        (&["list"][..], "CLAWD"),
        (&["status", "1"], "CLAWD"),
        (&["trades"], "DCA"),
        (&["doctor"], "lgi_mm_cli"),
        (
            &["config", "edit", "1", "--set", "accumulate.dca_amount_usd=6"],
            "version 2",
        ),
        (&["pause", "1"], "PAUSED"),
        (&["resume", "1"], "RUNNING"),
        (&["tick", "1"], ""),
        (&["reconcile"], ""),
        (&["liquidate", "1"], "LIQUIDATING"),
    ] {
        let text = cluster.run("cli", args);
        assert!(
            text.as_ref().is_ok_and(|text| text.contains(shows)),
            "{args:?}: {text:?}"
        );
    }
    let sold = "SELECT count(*) FROM jobs WHERE status = 'IDLE'";
    while sqlx::query_scalar::<_, i64>(sold)
        .fetch_one(&pool)
        .await
        .expect("a count")
        < 1
    {
        assert!(
            begun.elapsed() < Duration::from_secs(180),
            "not sold: {}",
            logs(cluster)
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let told = "SELECT count(*) FROM deliveries WHERE attempts > 0";
    while sqlx::query_scalar::<_, i64>(told)
        .fetch_one(&pool)
        .await
        .expect("a count")
        < 1
    {
        assert!(
            begun.elapsed() < Duration::from_secs(180),
            "nobody was told: {}",
            logs(cluster)
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    prune(cluster).await;
    cluster.run("cli", &["prune"]).expect("pruned");
    cluster.run("cli", &["remove", "1"]).expect("removed");
    let logs = logs(cluster);
    assert!(!logs.contains("permission denied"), "{logs}");
}

/// What the scheduler takes away: all that may go, as if years had passed.
async fn prune(cluster: &Cluster) {
    let admin = cluster.pool("postgres").await;
    let age = "SET session_replication_role = replica;
               UPDATE ticks SET first_slot = first_slot - interval '9 years', last_slot = last_slot - interval '9 years';
               UPDATE price_samples SET bucket = bucket - interval '9 years';
               UPDATE outbox SET created_at = created_at - interval '9 years';
               UPDATE deliveries SET status = 'given_up', ended_at = now() - interval '9 years'";
    sqlx::raw_sql(age).execute(&admin).await.expect("old rows");
    let settings = lgi_mm::retention::RetentionSettings::default();
    let pass = lgi_mm::retention::prune(&cluster.pool("scheduler").await, &settings, false).await;
    assert!(matches!(pass, Ok(lgi_mm::retention::Pass::Done(_))), "{pass:?}");
}

fn logs(cluster: &Cluster) -> String {
    let read =
        |name: &str| std::fs::read_to_string(cluster.secrets().with_file_name(name)).unwrap_or_default();
    format!("{}\n{}", read("scheduler"), read("worker"))
}

async fn dashboards(cluster: &Cluster) {
    let reader = cluster.pool("reader").await;
    for sql in [
        "SELECT raw FROM attempts",
        "SELECT * FROM attempts",
        "SELECT attempts::text FROM attempts",
        "SELECT jitter_salt FROM installation",
        "SELECT due_at FROM job_slots",
        "SELECT * FROM apalis.jobs",
        "SELECT raw FROM paper.transactions",
        "SELECT payload FROM outbox",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_try_advisory_lock_shared(1, 2)",
        "SELECT pg_advisory_xact_lock(1)",
        "SELECT pg_notify('lgi_mm_wake', '')",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY jobs TO PROGRAM 'id'",
        "SET ROLE lgi_mm_engine",
        "SET ROLE lgi_mm_owner",
    ] {
        refused(&reader, sql).await;
    }
    // A session may make itself able to write; that does not let it.
    for sql in [
        "UPDATE jobs SET status = 'IDLE'",
        "DELETE FROM trades",
        "CREATE TABLE mine (id bigint)",
        "CREATE TEMPORARY TABLE mine (id bigint)",
        "CREATE SCHEMA mine",
        "SELECT lo_create(0)",
        "SELECT id FROM jobs FOR UPDATE",
    ] {
        let mut writing = reader
            .begin_with("BEGIN READ WRITE")
            .await
            .expect("a transaction");
        let answer = sqlx::raw_sql(sql).execute(&mut *writing).await;
        denied(sql, answer.map(drop));
    }
    for sql in [
        "SELECT id, hash, max_fee_per_gas FROM attempts",
        "SELECT count(*) FROM attempts",
        "SELECT job_id, next_slot, last_price FROM job_slots",
    ] {
        allowed(&reader, sql).await;
    }
    for query in crate::panels::sql_of_every_panel() {
        let answer = sqlx::raw_sql(sqlx::AssertSqlSafe(query.clone()))
            .execute(&reader)
            .await;
        assert!(answer.is_ok(), "{query}: {answer:?}");
    }
    let settings = "SELECT current_setting('default_transaction_read_only') || ' ' || current_setting('statement_timeout')";
    let settings: String = sqlx::query_scalar(settings)
        .fetch_one(&reader)
        .await
        .expect("settings");
    assert_eq!(settings, "on 5s");
    let other = PgPool::connect(&cluster.url("reader", "postgres")).await;
    assert!(other.is_err(), "the reader may enter another database");
}

async fn services(cluster: &Cluster) {
    let (engine, scheduler, cli) = (
        cluster.pool("engine").await,
        cluster.pool("scheduler").await,
        cluster.pool("cli").await,
    );
    for sql in [
        "SELECT raw FROM attempts",
        "SELECT count(*) FROM attempts",
        "INSERT INTO trades (job_id) VALUES (1)",
        "UPDATE trades SET amount_in = 1",
        "UPDATE jobs SET config = '{}'",
        "UPDATE signers SET next_nonce = 9",
        "INSERT INTO fills (trade_id) VALUES (1)",
        "TRUNCATE outbox",
        "CREATE TABLE mine (id bigint)",
    ] {
        refused(&scheduler, sql).await;
    }
    for sql in [
        "INSERT INTO jobs (chain) VALUES ('base')",
        "UPDATE jobs SET config = '{}'",
        "UPDATE jobs SET quote_address = token_address, quote_decimals = 1",
        "UPDATE jobs SET wallet = token_address",
        "UPDATE installation SET jitter_salt = gen_random_uuid()",
        "DELETE FROM job_events",
        "DELETE FROM price_samples",
        "TRUNCATE fills, fill_watches",
        "ALTER TABLE fills DISABLE TRIGGER ALL",
        "DROP TRIGGER fills_append_only ON fills",
        "SET session_replication_role = replica",
        "CREATE OR REPLACE FUNCTION history_is_append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TABLE mine (id bigint)",
        "SET ROLE lgi_mm_cli",
    ] {
        refused(&engine, sql).await;
    }
    allowed(&engine, "SELECT pg_advisory_xact_lock(1)").await;
    for sql in [
        "TRUNCATE fills, fill_watches",
        "ALTER TABLE fills DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "UPDATE _sqlx_migrations SET version = 0",
        "UPDATE installation SET jitter_salt = gen_random_uuid()",
    ] {
        refused(&cli, sql).await;
    }
    // What is append-only holds for whoever owns no table, the command line's role too.
    let bought = "SELECT count(*) FROM fills";
    let bought: i64 = sqlx::query_scalar(bought).fetch_one(&cli).await.expect("a count");
    assert!(bought >= 3);
    for sql in [
        "UPDATE fills SET base_amount = 0",
        "DELETE FROM fills",
        "DELETE FROM transactions",
        "DELETE FROM attempts",
        "DELETE FROM trades",
    ] {
        let answer = sqlx::raw_sql(sql).execute(&cli).await.expect_err(sql);
        assert!(answer.to_string().contains("append-only"), "{sql}: {answer}");
    }
}

/// It has no password in the compose stack: nothing there scales by itself.
async fn scaler(admin: &PgPool) {
    for (sql, works) in [
        (
            "SET LOCAL ROLE lgi_mm_scaler; SELECT count(*) FROM apalis.jobs WHERE status = 'Pending' AND run_at <= now()",
            true,
        ),
        ("SET LOCAL ROLE lgi_mm_scaler; SELECT job FROM apalis.jobs", false),
        ("SET LOCAL ROLE lgi_mm_scaler; SELECT count(*) FROM trades", false),
        ("SET LOCAL ROLE lgi_mm_scaler; SELECT pg_advisory_lock(1)", false),
        (
            "SET LOCAL ROLE lgi_mm_scaler; UPDATE apalis.jobs SET status = 'Done'",
            false,
        ),
    ] {
        let answer = sqlx::raw_sql(sql).execute(admin).await;
        assert_eq!(answer.is_ok(), works, "{sql}: {answer:?}");
    }
}

/// A database that `migrate` never saw roles in is as it always was.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_roles_nothing_is_granted_to_anybody() {
    let db = support::db().await;
    let granted =
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relacl IS NOT NULL";
    let granted: i64 = sqlx::query_scalar(granted)
        .fetch_one(&db.pool)
        .await
        .expect("a count");
    assert_eq!(granted, 0);
}
