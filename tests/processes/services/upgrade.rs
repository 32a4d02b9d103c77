//! The database gets the schema of a later version while services of this one run.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use sqlx::PgPool;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a later version's `migrate` does: it adds what this version does not use, and is on record.
const LATER: &str = "ALTER TABLE jobs ADD COLUMN of_a_later_version text NOT NULL DEFAULT 'later';
    ALTER TABLE trades ADD COLUMN of_a_later_version text;
    CREATE TABLE of_a_later_version (id bigint PRIMARY KEY);
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
    VALUES (9999, 'later', true, '', 0)";

/// The way back, as a later version's own file has it.
const BACK: &str = "DROP TABLE of_a_later_version;
    ALTER TABLE trades DROP COLUMN of_a_later_version;
    ALTER TABLE jobs DROP COLUMN of_a_later_version;
    DELETE FROM _sqlx_migrations WHERE version = 9999";

struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(url: &str, dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
    command
        .args(args)
        .env("DATABASE_URL", url)
        .env("LGI_MM__METRICS__LISTEN", "off")
        .env_remove("RUST_LOG")
        .current_dir(dir);
    command
}

fn service(url: &str, dir: &Path, role: &str) -> Service {
    let log = fs::File::create(dir.join(format!("{role}.log"))).expect("a log");
    let mut command = program(url, dir, &[role]);
    command.stdout(Stdio::null()).stderr(log);
    Service(command.spawn().expect("our own program"))
}

fn ran(url: &str, dir: &Path, args: &[&str]) -> Output {
    program(url, dir, args).output().expect("our own program")
}

/// Waits for this many fills more than there are.
async fn more_fills(pool: &PgPool, more: i64) {
    let fills = || async {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM trades WHERE status = 'EXECUTED'")
            .fetch_one(pool)
            .await
            .expect("a count")
    };
    let (begun, before) = (Instant::now(), fills().await);
    while fills().await < before + more {
        assert!(begun.elapsed() < PATIENCE, "no {more} fills after {before}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn running_services_trade_on_while_the_database_is_migrated_and_none_of_this_version_starts_until_it_is_undone()
 {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    let (url, dir, pool) = (&*db.url, dir.path(), &db.pool);
    let scheduler = service(url, dir, "scheduler");
    let worker = service(url, dir, "worker");
    let token = "0xbbd9aDe16525acb4B336b6dAd3b9762901522B07";
    let mut start = vec!["start", token, "--mode", "accumulate", "--symbol", "CLAWD"];
    for set in [
        "price.sources=[\"generated\"]",
        "price.generated.swing_pct=0",
        "schedule.cron=\"* * * * * *\"",
        "accumulate.dca_interval=1s",
    ] {
        start.extend(["--set", set]);
    }
    let started = ran(url, dir, &start);
    assert!(started.status.success(), "{started:?}");
    more_fills(pool, 2).await;

    sqlx::raw_sql(LATER).execute(pool).await.expect("a later schema");
    more_fills(pool, 3).await;
    let orders = |args: &[&str]| {
        let refused = ran(url, dir, args);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(5), "{args:?}: {said}");
        assert!(
            said.contains("newer version") && said.contains("9999"),
            "{args:?}: {said}"
        );
    };
    for args in [
        &["pause", "1"][..],
        &["scheduler"],
        &["worker"],
        &["daemon"],
        &["migrate"],
    ] {
        orders(args);
    }
    // What was refused changed nothing, and those that run are not disturbed by it.
    more_fills(pool, 1).await;
    drop((scheduler, worker));

    sqlx::raw_sql(BACK).execute(pool).await.expect("the way back");
    let _daemon = service(url, dir, "daemon");
    more_fills(pool, 2).await;
    let twice: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT 1 FROM trades GROUP BY job_id, slot HAVING count(*) > 1) twice",
    )
    .fetch_one(pool)
    .await
    .expect("a count");
    assert_eq!(twice, 0);
}
