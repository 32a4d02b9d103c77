//! What each release has left with its users: migrations that have run, and backups that must come to life again.
//!
//! `UPDATE_RELEASE=0.1.0 scripts/test --test cli a_migration_of_a_release` records a release: docs/install.md.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use sqlx::PgPool;

use super::{again, elsewhere, ledger, made, restore};
use crate::terminal::Terminal;

/// Longest wait for trades.
const PATIENCE: Duration = Duration::from_secs(60);

/// What no migration may change of a ledger: positions, what was paid, and trades up to $1.
const FACTS: [&str; 3] = [
    "SELECT concat_ws(' ', 'job', id, mode, status, token_balance, cost_basis) FROM jobs
     WHERE NOT EXISTS (SELECT FROM trades t WHERE t.job_id = jobs.id AND t.id > $1) ORDER BY id",
    "SELECT concat_ws(' ', 'trade', id, job_id, side, reason, status, extract(epoch FROM slot)) FROM trades
     WHERE id <= $1 ORDER BY id",
    "SELECT concat_ws(' ', 'fill', trade_id, kind, round, base_amount, quote_amount, gas_native) FROM fills
     WHERE trade_id <= $1 ORDER BY trade_id, kind, round",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn backups() -> PathBuf {
    root().join("tests/data/releases")
}

/// Release, file and SHA-256 of each migration of a release.
fn migrations() -> Vec<[String; 3]> {
    let text = fs::read_to_string(root().join("migrations/RELEASED")).expect("migrations/RELEASED");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            words.try_into().expect("release, file and checksum")
        })
        .collect()
}

fn checksum(file: &str) -> String {
    let bytes = fs::read(root().join("migrations").join(file)).expect(file);
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("memory");
            text
        })
}

async fn facts(pool: &PgPool, last: i64) -> String {
    let mut lines = Vec::new();
    for sql in FACTS {
        let rows: Vec<String> = sqlx::query_scalar(sql)
            .bind(last)
            .fetch_all(pool)
            .await
            .expect("facts");
        lines.extend(rows);
    }
    lines.join("\n") + "\n"
}

async fn last_trade(pool: &PgPool) -> i64 {
    let last = sqlx::query_scalar("SELECT max(id) FROM trades");
    last.fetch_one(pool).await.expect("trades")
}

struct Daemon(Child);

impl Daemon {
    fn of(terminal: &Terminal) -> Self {
        let log = fs::File::create(terminal.path("daemon.log")).expect("a log");
        let mut command = terminal.command(&["daemon"]);
        command
            .env("LGI_MM__METRICS__LISTEN", "off")
            .stdout(Stdio::null())
            .stderr(log);
        Self(command.spawn().expect("our own program"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for a fill of a trade after this one: every other job is paused.
async fn a_fill_after(pool: &PgPool, last: i64) {
    let sql = "SELECT EXISTS (SELECT FROM trades WHERE status = 'EXECUTED' AND id > $1)";
    let begun = Instant::now();
    while !sqlx::query_scalar::<_, bool>(sql)
        .bind(last)
        .fetch_one(pool)
        .await
        .expect("an answer")
    {
        assert!(begun.elapsed() < PATIENCE, "no fill after trade {last}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Writes what `release` leaves: checksums of migrations, a backup, and what is in it.
async fn record(release: &str) {
    let mut text = fs::read_to_string(root().join("migrations/RELEASED")).expect("migrations/RELEASED");
    let known = migrations();
    let mut files: Vec<String> = fs::read_dir(root().join("migrations"))
        .expect("migrations")
        .map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".sql") && !known.iter().any(|[_, file, _]| file == name))
        .collect();
    files.sort();
    for file in files {
        writeln!(text, "{release} {file} {}", checksum(&file)).expect("memory");
    }
    fs::write(root().join("migrations/RELEASED"), text).expect("migrations/RELEASED");

    let terminal = ledger().await;
    terminal.ok(&["pause", "--all"]);
    let every_second = [
        "--set",
        "schedule.cron=\"* * * * * *\"",
        "--set",
        "accumulate.dca_interval=1s",
    ];
    terminal.start(&every_second);
    let before = last_trade(&terminal.pool).await;
    {
        let _daemon = Daemon::of(&terminal);
        a_fill_after(&terminal.pool, before).await;
    }
    let (last, dump) = (last_trade(&terminal.pool).await, made(&terminal, "release.dump"));
    fs::create_dir_all(backups()).expect("a directory");
    fs::copy(dump, backups().join(format!("{release}.dump"))).expect("a backup");
    fs::write(
        backups().join(format!("{release}.facts")),
        facts(&terminal.pool, last).await,
    )
    .expect("facts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_of_a_release_never_changes() {
    if let Ok(release) = std::env::var("UPDATE_RELEASE") {
        record(&release).await;
    }
    let released = migrations();
    for [release, file, sum] in &released {
        assert_eq!(
            &checksum(file),
            sum,
            "{file} was released with {release}, so databases have run it: restore the file and add a migration"
        );
    }
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).expect("the changelog");
    let releases: Vec<&str> = changelog
        .lines()
        .filter_map(|line| line.strip_prefix("## ")?.split(" - ").next())
        .filter(|heading| *heading != "Unreleased")
        .collect();
    assert!(!releases.is_empty());
    for release in releases {
        let backup = backups().join(format!("{release}.dump"));
        assert!(
            backup.exists(),
            "{release} is not recorded: UPDATE_RELEASE={release} scripts/test --test cli a_migration_of_a_release"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_each_release_is_restored_trades_on_and_goes_back_to_the_schema_of_its_release() {
    let mut tried = 0;
    for entry in fs::read_dir(backups()).expect("backups of releases") {
        let file = entry.expect("a file").path();
        if file.extension().is_none_or(|extension| extension != "dump") {
            continue;
        }
        let release = file
            .file_stem()
            .and_then(|name| name.to_str())
            .expect("a version")
            .to_owned();
        let known = fs::read_to_string(file.with_extension("facts")).expect("facts");
        let terminal = elsewhere().await;
        let ran = restore(&terminal, &file);
        assert_eq!(ran.code, 0, "{release}: {}", ran.stderr);
        let pool = again(&terminal).await;
        let last = last_trade(&pool).await;
        assert_eq!(facts(&pool, last).await, known, "{release}, restored");
        let before: Vec<String> = known
            .lines()
            .filter(|line| !line.starts_with("job"))
            .map(str::to_owned)
            .collect();
        {
            let _daemon = Daemon::of(&terminal);
            a_fill_after(&pool, last).await;
        }
        goes_back(&pool, &release).await;
        let after = facts(&pool, last).await;
        let after: Vec<&str> = after.lines().filter(|line| !line.starts_with("job")).collect();
        assert_eq!(after, before, "{release}, after trades and the way back");
        pool.close().await;
        tried += 1;
    }
    assert!(tried > 0, "no release");
}

/// Undoes what later versions have added, newest first.
async fn goes_back(pool: &PgPool, release: &str) {
    let released = migrations();
    let mut later: Vec<String> = fs::read_dir(root().join("migrations"))
        .expect("migrations")
        .map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".down.sql"))
        .filter(|name| {
            !released
                .iter()
                .any(|[of, file, _]| file == name && of.as_str() <= release)
        })
        .collect();
    later.sort();
    for file in later.iter().rev() {
        let sql = fs::read_to_string(root().join("migrations").join(file)).expect("the way back");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(pool)
            .await
            .expect(file);
    }
}
