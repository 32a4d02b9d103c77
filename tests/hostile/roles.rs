//! What each role of the database can do, and what it is refused.

use std::{
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use sqlx::PgPool;
use testkit::cluster::Cluster;

use crate::database::START;

/// Killed with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
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

/// Services with a role each, none of them a superuser, trade end to end.
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
    schedulers(&cluster).await;
    services(&cluster).await;
    scaler(&admin).await;
}

/// A scheduler and a worker, each as the role that it has in the stack.
fn processes(cluster: &Cluster) -> [Running; 2] {
    let fast = [
        ("LGI_MM__WORKER__HEARTBEAT", "200ms"),
        ("LGI_MM__TRADING__SAMPLE_INTERVAL", "1s"),
        ("LGI_MM__METRICS__CENSUS_EVERY", "1s"),
        // A receiver that does not answer: events are assigned, and failed deliveries recorded.
        ("LGI_MM__NOTIFY__RECEIVERS__OPS__KIND", "webhook"),
        ("LGI_MM__NOTIFY__RECEIVERS__OPS__URL", "http://127.0.0.1:9/"),
        ("LGI_MM__NOTIFY__RECEIVERS__OPS__SECRET", "sixteen bytes and more"),
    ];
    let log = |name: &str| std::fs::File::create(cluster.secrets().with_file_name(name)).expect("a log");
    [("scheduler", "scheduler"), ("engine", "worker")].map(|(role, service)| {
        let mut command = cluster.program(role, &[service]);
        // Metrics are served, so that the census and readiness are asked for.
        let listen = testkit::programs::free_address().to_string();
        command.envs(fast).env("LGI_MM__METRICS__LISTEN", listen);
        command.stdout(Stdio::null()).stderr(log(service));
        Running(command.spawn().expect("our own program"))
    })
}

async fn until(cluster: &Cluster, what: &str, at_least: i64, count: &'static str) {
    let (pool, begun) = (cluster.pool("postgres").await, Instant::now());
    loop {
        let counted: i64 = sqlx::query_scalar(count).fetch_one(&pool).await.expect("a count");
        if counted >= at_least {
            return;
        }
        let patient = begun.elapsed() < Duration::from_secs(90);
        assert!(patient, "never {what}: {}", logs(cluster));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// From `start` to a sale, with the role that each process has in the stack.
async fn trade(cluster: &Cluster) {
    let _processes = processes(cluster);
    cluster.run("cli", &START).expect("started");
    let traded = "SELECT count(*) FROM trades WHERE status = 'EXECUTED'";
    until(cluster, "traded", 3, traded).await;
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
    until(cluster, "sold", 1, sold).await;
    let told = "SELECT count(*) FROM deliveries WHERE attempts > 0";
    until(cluster, "told", 1, told).await;
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
    for query in testkit::panels::sql_of_every_panel() {
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

async fn schedulers(cluster: &Cluster) {
    let scheduler = cluster.pool("scheduler").await;
    for sql in [
        "SELECT raw FROM attempts",
        "SELECT count(*) FROM attempts",
        "INSERT INTO trades (job_id) VALUES (1)",
        "UPDATE trades SET amount_in = 1",
        "UPDATE jobs SET config = '{}'",
        "UPDATE signers SET next_nonce = 9",
        "INSERT INTO fills (trade_id) VALUES (1)",
        "TRUNCATE outbox",
        "SELECT hash FROM api_tokens",
        "INSERT INTO api_requests (token_id, key, request) VALUES (1, 'k', sha256('k'))",
        "UPDATE signals SET id = 'k'",
        "SELECT hash FROM chat_codes",
        "UPDATE chat_commands SET command = '/liquidate 1'",
        "CREATE TABLE mine (id bigint)",
    ] {
        refused(&scheduler, sql).await;
    }
}

async fn services(cluster: &Cluster) {
    let (engine, cli) = (cluster.pool("engine").await, cluster.pool("cli").await);
    for sql in [
        "INSERT INTO jobs (chain) VALUES ('base')",
        "UPDATE jobs SET config = '{}'",
        "UPDATE jobs SET look_back_secs = 0",
        "UPDATE jobs SET quote_address = token_address, quote_decimals = 1",
        "UPDATE jobs SET wallet = token_address",
        "UPDATE installation SET jitter_salt = gen_random_uuid()",
        "DELETE FROM job_events",
        "SELECT hash FROM api_tokens",
        "UPDATE api_tokens SET role = 'owner'",
        "SELECT answer FROM api_requests",
        "SELECT id FROM signals",
        "SELECT hash FROM chat_codes",
        "INSERT INTO chat_commands (bot, update_id, chat, person, command) VALUES (1, 1, 1, 1, '/liquidate 1')",
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
    // Append-only tables are so for every role that does not own them, the command line's too.
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

/// A sequence behind its table is noticed by the role of the service, not only by the owner.
#[tokio::test(flavor = "multi_thread")]
async fn each_service_notices_a_ledger_that_is_not_whole_with_its_own_role() {
    use lgi_mm::store::integrity::{Depth, missing};
    let cluster = Cluster::start().await;
    cluster.run("owner", &["migrate"]).expect("migrated");
    let late = "INSERT INTO audit (id, actor, action, subject, detail) OVERRIDING SYSTEM VALUE
                VALUES (100000, 'test', 'test', 'test', '{}')";
    allowed(&cluster.pool("owner").await, late).await;
    for role in ["engine", "scheduler", "cli"] {
        let found = missing(&cluster.pool(role).await, Depth::Full).await;
        let found = found.expect("an answer").join(", ");
        assert!(found.starts_with("numbers of audit: "), "{role}: {found}");
    }
}
