//! The database's password, its roles, its way to us, and who may change its tables.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use sqlx::PgPool;
use testkit::cluster::Cluster;

const TOKEN: &str = "0xbbd9aDe16525acb4B336b6dAd3b9762901522B07";

/// A slot a second at prices without a network.
pub const START: [&str; 14] = [
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

/// Refused before the password is on its way, so nobody need be there.
#[tokio::test(flavor = "multi_thread")]
async fn live_trading_refuses_a_database_whose_answers_somebody_else_could_give() {
    let dir = tempfile::tempdir().expect("a directory");
    let live = [("LGI_MM__CHAINS__BASE__RPC_URLS", "[\"http://127.0.0.1:9\"]")];
    // No server listens at these: a URL that is not refused fails to connect.
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

/// Also without a node in the settings: another installation's worker signs what the rows of a live job say.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_live_jobs_is_not_worked_with_over_a_connection_that_others_can_answer() {
    let (cluster, dir) = (Cluster::start().await, tempfile::tempdir().expect("a directory"));
    cluster.run("owner", &["migrate"]).expect("migrated");
    cluster.run("cli", &START).expect("started");
    // The same server, by an address that nothing says is this machine's.
    let away = |role: &str| format!("{}?hostaddr=::ffff:127.0.0.1", cluster.url(role, "lgi_mm"));
    let (done, text) = said(&mut program(&away("cli"), dir.path(), &["doctor"]));
    assert!(
        done && text.contains("WARN") && text.contains("sslmode = prefer"),
        "{text}"
    );
    let (done, text) = said(&mut program(
        &away("scheduler"),
        dir.path(),
        &["scheduler", "--once"],
    ));
    assert!(done, "on paper it is only a warning: {text}");
    let admin = cluster.pool("postgres").await;
    let live = "SET session_replication_role = replica; UPDATE jobs SET realm = 'live', config = '{\"unreadable\": 1}'";
    sqlx::raw_sql(live).execute(&admin).await.expect("a live job");
    for (role, args) in [
        ("scheduler", &["scheduler", "--once"][..]),
        ("engine", &["worker"]),
        ("cli", &["pause", "1"]),
    ] {
        let (done, text) = said(&mut program(&away(role), dir.path(), args));
        assert!(
            !done && text.contains("live jobs") && text.contains("verify-full"),
            "{args:?}: {text}"
        );
    }
    let mut allowed = program(&away("scheduler"), dir.path(), &["scheduler", "--once"]);
    let (done, text) = said(allowed.env("LGI_MM__DATABASE__INSECURE", "true"));
    assert!(done, "{text}");
    let (done, text) = said(&mut program(
        &cluster.url("scheduler", "lgi_mm"),
        dir.path(),
        &["scheduler", "--once"],
    ));
    assert!(done, "loopback: {text}");
}

/// One row that was written or broken by hand keeps no other job from its slots.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_a_schedule_keeps_no_other_job_from_its_slots() {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    for token in [TOKEN, "0x940181a94a35a4569e4529a3cdfb74e38fd98631"] {
        let start = START.map(|word| if word == TOKEN { token } else { word });
        let (done, text) = said(&mut program(&db.url, dir.path(), &start));
        assert!(done, "{text}");
    }
    for config in ["{}", "[]", "null", "{\"schedule\": null}", "{\"schedule\": 7}"] {
        let broken = "UPDATE jobs SET config = $1::jsonb WHERE id = 1";
        sqlx::query(broken)
            .bind(config)
            .execute(&db.pool)
            .await
            .expect("a row");
        let due =
            "UPDATE job_slots SET open_slot = NULL, open_since = NULL, due_at = now() - interval '1 second'";
        sqlx::query(due).execute(&db.pool).await.expect("due slots");
        let (done, text) = said(&mut program(&db.url, dir.path(), &["scheduler", "--once"]));
        assert!(done, "{config}: {text}");
        let open = "SELECT open_slot IS NOT NULL FROM job_slots ORDER BY job_id";
        let open: Vec<bool> = sqlx::query_scalar(open).fetch_all(&db.pool).await.expect("slots");
        assert_eq!(open, [false, true], "{config}: {text}");
    }
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

/// The first process creates the private server; later readers leave it as it is there too.
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

/// A database that `migrate` never saw roles in is as it always was.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_roles_nothing_is_granted_to_anybody() {
    let db = testkit::db().await;
    let granted =
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relacl IS NOT NULL";
    let granted: i64 = sqlx::query_scalar(granted)
        .fetch_one(&db.pool)
        .await
        .expect("a count");
    assert_eq!(granted, 0);
}
