//! Pruning a real database.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use lgi_mm::{
    config::Settings,
    retention::{self, Pass, Pruned, RetentionSettings},
    store::views,
};
use sqlx::{Connection, PgConnection, PgPool};
use testkit::{TestDb, clawd};

/// Two jobs: one looks 20 days back for a high, one has a mean of four hours.
const JOBS: &str = r#"
INSERT INTO jobs (realm, chain, wallet, token_address, token_symbol, token_decimals, quote_address, quote_symbol,
                  quote_decimals, mode, status, config, look_back_secs)
SELECT 'paper', 'base', '0x' || repeat('1', 40), '0x' || repeat(token, 40), 'T', 18, '0x' || repeat('f', 40), 'USDC', 6, mode,
       'RUNNING', config::jsonb, days * 86400
FROM (VALUES ('a', 'ACCUMULATE', '{"accumulate": {"dip_window": "20d"}}', 20),
             ('b', 'LIQUIDITY', '{"liquidity": {"ma_window": "4h"}}', 1.0 / 6)) j (token, mode, config, days)"#;

const TRADE: &str = "
INSERT INTO trades (job_id, slot, cycle, side, reason, status, amount_in, amount_out_expected, amount_out_min, value_usd,
    config_version, expires_at, base_amount, quote_amount, price_usd, plan_price_usd, failure_kind)
SELECT 1, now() - interval '50 days', 1, 'BUY', 'DCA', 'FAILED', 1, 1, 1, 1, 1, now(), 1, 1, 1, 1, 'expired'";

/// job, outcome, reason, days since its first and its last slot, slots.
const TICKS: &str = "
INSERT INTO ticks (job_id, outcome, reason, first_slot, last_slot, count, trade_id)
SELECT job, outcome, reason, now() - first * interval '1 day', now() - last * interval '1 day', slots, trade
FROM (VALUES (1, 'hold', 'gone', 60, 55, 7, NULL), (1, 'trade', 'DCA', 50, 50, 1, 1), (1, 'hold', 'gone', 49, 40, 5, NULL),
             (1, 'hold', 'straddles', 39, 10, 3, NULL), (1, 'hold', 'newest', 9, 8, 2, NULL),
             (2, 'hold', 'gone', 60, 50, 4, NULL), (2, 'hold', 'pointed at', 49, 45, 6, NULL))
     t (job, outcome, reason, first, last, slots, trade)";

const SLOTS: &str = "
INSERT INTO job_slots (job_id, last_slot, slots_recorded, run_reason, run_first_slot)
SELECT job_id, max(last_slot), sum(count), (array_agg(reason ORDER BY first_slot DESC))[1], max(first_slot)
FROM ticks GROUP BY job_id";

/// token, days old, whether it stays.
const SAMPLES: &str = "
INSERT INTO price_samples (chain, token, series, bucket, price, observed_at)
SELECT 'base', '0x' || repeat(token, 40), stays, at, 1, at
FROM (VALUES ('a', 40, 'goes'), ('a', 26, 'goes'), ('a', 19, 'stays'), ('a', 1, 'stays'), ('b', 4, 'goes'), ('b', 2, 'stays'),
             ('c', 4, 'goes'), ('c', 1, 'stays')) s (token, days, stays)
CROSS JOIN LATERAL (SELECT now() - days * interval '1 day' AS at) t";

/// Old and told, old and waiting, old and told to nobody, new.
const EVENTS: &str = "
INSERT INTO receivers (name, kind, events) VALUES ('ops', 'webhook', '{all}'), ('room', 'discord', '{all}');
WITH written AS (
    INSERT INTO outbox (job_id, event, payload, created_at, fanned_out_at)
    SELECT 1, event, '{}', now() - days * interval '1 day', now() - interval '1 hour'
    FROM (VALUES ('trade.filled', 100), ('trade.failed', 100), ('trade.reversed', 100), ('job.error', 1)) e (event, days)
    RETURNING id, event
)
INSERT INTO deliveries (outbox_id, receiver, status, happened_at, ended_at)
SELECT id, receiver, CASE WHEN waits THEN 'waiting' ELSE 'delivered' END, now(), CASE WHEN NOT waits THEN now() END
FROM written JOIN (VALUES ('trade.filled', 'ops', false), ('trade.filled', 'room', false), ('trade.failed', 'ops', false),
                          ('trade.failed', 'room', true)) d (event, receiver, waits) USING (event)";

const TASKS: &str = "
INSERT INTO apalis.jobs (job, id, job_type, status, run_at)
SELECT 'x', kind || status || days, kind, status, now() - days * interval '1 day'
FROM (VALUES ('lgi-mm:ticks', 'Killed', 40), ('lgi-mm:ticks', 'Done', 40), ('lgi-mm:ticks', 'Pending', 40),
             ('lgi-mm:ticks', 'Killed', 1), ('other', 'Killed', 40)) t (kind, status, days)";

async fn run(pool: &PgPool, sql: &'static str) {
    sqlx::raw_sql(sql).execute(pool).await.expect(sql);
}

async fn texts(pool: &PgPool, sql: &'static str) -> Vec<String> {
    sqlx::query_scalar(sql).fetch_all(pool).await.expect(sql)
}

async fn filled() -> TestDb {
    let db = testkit::db().await;
    for sql in [JOBS, TRADE, TICKS, SLOTS, SAMPLES, EVENTS, TASKS] {
        run(&db.pool, sql).await;
    }
    db
}

async fn pruned(pool: &PgPool, settings: &RetentionSettings, dry: bool) -> Pruned {
    match retention::prune(pool, settings, dry).await.expect("a pass") {
        Pass::Done(pruned) => pruned,
        Pass::Busy => panic!("nobody else prunes"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_go_goes_and_what_must_stay_stays() {
    let db = filled().await;
    let pool = &db.pool;
    let settings = RetentionSettings::default();
    let expected = Pruned {
        ticks: 3,
        samples: 4,
        events: 2,
        tasks: 2,
    };
    assert_eq!(
        pruned(pool, &settings, true).await,
        expected,
        "a dry run says what would go"
    );
    assert_eq!(
        pruned(pool, &settings, true).await,
        expected,
        "and takes nothing away"
    );
    assert_eq!(pruned(pool, &settings, false).await, expected);
    for again in [true, false] {
        assert_eq!(
            pruned(pool, &settings, again).await,
            Pruned::default(),
            "there is nothing left"
        );
    }

    let left = "SELECT reason FROM ticks ORDER BY job_id, first_slot";
    assert_eq!(
        texts(pool, left).await,
        ["DCA", "straddles", "newest", "pointed at"]
    );
    let left = "SELECT DISTINCT series FROM price_samples";
    assert_eq!(texts(pool, left).await, ["stays"]);
    let left = "SELECT event FROM outbox ORDER BY id";
    assert_eq!(texts(pool, left).await, ["trade.failed", "job.error"]);
    let left = "SELECT receiver FROM deliveries ORDER BY receiver";
    assert_eq!(texts(pool, left).await, ["ops", "room"]);
    let left = "SELECT id FROM apalis.jobs ORDER BY id";
    assert_eq!(
        texts(pool, left).await,
        ["lgi-mm:ticksKilled1", "lgi-mm:ticksPending40", "otherKilled40"]
    );
    let noted = "SELECT concat_ws(' ', job_id, runs, slots) FROM ticks_pruned ORDER BY job_id";
    assert_eq!(texts(pool, noted).await, ["1 2 12", "2 1 4"]);
    let totals = views::ledger_totals(pool).await.expect("totals");
    assert_eq!(totals.duplicate_slots, 0, "what is pruned still counts");
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_goes_on_where_it_stopped() {
    let db = filled().await;
    let mut settings = RetentionSettings::default();
    pruned(&db.pool, &settings, false).await;
    // The job continues, and less is kept: all its old runs may be deleted, but not its trade's tick.
    for sql in [
        "INSERT INTO ticks (job_id, outcome, reason, first_slot, last_slot) VALUES (1, 'hold', 'new', now(), now())",
        "UPDATE job_slots SET run_reason = 'new', run_first_slot = (SELECT max(first_slot) FROM ticks WHERE job_id = 1),
                slots_recorded = slots_recorded + 1 WHERE job_id = 1",
    ] {
        run(&db.pool, sql).await;
    }
    settings.ticks = "5d".parse().expect("a span");
    assert_eq!(pruned(&db.pool, &settings, false).await.ticks, 2);
    let left = "SELECT reason FROM ticks WHERE job_id = 1 ORDER BY first_slot";
    assert_eq!(texts(&db.pool, left).await, ["DCA", "new"]);
    let noted = "SELECT concat_ws(' ', runs, slots) FROM ticks_pruned WHERE job_id = 1";
    assert_eq!(texts(&db.pool, noted).await, ["4 17"]);
    let totals = views::ledger_totals(&db.pool).await.expect("totals");
    assert_eq!(totals.duplicate_slots, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_where_retention_is_for_ever() {
    let db = filled().await;
    let zero = "0s".parse().expect("a span");
    let settings = RetentionSettings {
        ticks: zero,
        samples: zero,
        events: zero,
        tasks: zero,
        ..RetentionSettings::default()
    };
    assert_eq!(settings.problems(), vec![]);
    assert_eq!(pruned(&db.pool, &settings, false).await, Pruned::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_prunes_at_a_time() {
    let db = filled().await;
    let mut other = PgConnection::connect(&db.url).await.expect("a connection");
    let locked: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(x'6c67692d6d6d0002'::bigint)")
        .fetch_one(&mut other)
        .await
        .expect("a lock");
    assert!(locked);
    let pass = retention::prune(&db.pool, &RetentionSettings::default(), false).await;
    assert_eq!(pass.expect("an answer"), Pass::Busy);
    let ran = Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
        .arg("prune")
        .env("DATABASE_URL", &db.url)
        .output()
        .expect("our own program");
    assert_eq!(
        ran.status.code(),
        Some(4),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    other.close().await.expect("closed");
    // The server ends the session after the client has gone.
    let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let begun = Instant::now();
    while sqlx::query_scalar::<_, i64>(held)
        .fetch_one(&db.pool)
        .await
        .expect("a count")
        > 0
    {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "the session does not end"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let passed = pruned(&db.pool, &RetentionSettings::default(), false).await;
    assert_eq!(passed.ticks, 3, "the lock goes with its connection");
}

/// Old events: not handed out, handed out just now, handed out to nobody, and handed out to a receiver that waits.
const TO_BE_TOLD: &str = "
INSERT INTO receivers (name, kind, events) VALUES ('ops', 'webhook', '{all}');
INSERT INTO outbox (job_id, event, payload, created_at, fanned_out_at)
SELECT 1, event, '{}', now() - interval '100 days', now() - ago::interval
FROM (VALUES ('trade.filled', NULL), ('trade.failed', '1 second'), ('trade.reversed', '2 minutes'), ('job.error', '2 minutes'))
     e (event, ago);
INSERT INTO deliveries (outbox_id, receiver, happened_at) SELECT id, 'ops', created_at FROM outbox WHERE event = 'job.error'";

#[tokio::test(flavor = "multi_thread")]
async fn an_event_stays_until_its_receivers_were_told_of_it() {
    let db = testkit::db().await;
    run(&db.pool, JOBS).await;
    run(&db.pool, TO_BE_TOLD).await;
    let seen = async |ago: &str| {
        let sql = "UPDATE receivers SET seen_at = now() - $1::text::interval";
        sqlx::query(sql).bind(ago).execute(&db.pool).await.expect(sql);
    };
    let settings = RetentionSettings::default();
    let left = "SELECT event FROM outbox ORDER BY id";
    // A process may be away for a while and still have its receiver, as for delivery.
    seen("9 minutes").await;
    for dry in [true, false] {
        assert_eq!(pruned(&db.pool, &settings, dry).await.events, 1, "dry: {dry}");
    }
    assert_eq!(
        texts(&db.pool, left).await,
        ["trade.filled", "trade.failed", "job.error"]
    );
    // Its row is still there, for nobody delivers who would sweep it; it keeps nothing.
    seen("11 minutes").await;
    for dry in [true, false] {
        assert_eq!(pruned(&db.pool, &settings, dry).await.events, 2, "dry: {dry}");
    }
    assert_eq!(texts(&db.pool, left).await, ["trade.failed"]);
    run(
        &db.pool,
        "UPDATE outbox SET fanned_out_at = now() - interval '2 minutes'",
    )
    .await;
    assert_eq!(pruned(&db.pool, &settings, false).await.events, 1);
}

#[test]
fn events_may_not_go_before_their_messages_are_given_up() {
    let dir = tempfile::tempdir().expect("a directory");
    let load = |events: &str, give_up_after: &str| {
        let file = dir.path().join("lgi-mm.toml");
        let text =
            format!("[retention]\nevents = \"{events}\"\n[notify]\ngive_up_after = \"{give_up_after}\"\n");
        std::fs::write(&file, text).expect("settings");
        Settings::load(Some(&file)).map_err(|error| error.to_string())
    };
    for (events, give_up_after) in [("3d", "3d"), ("0s", "3d"), ("90d", "30d")] {
        assert_eq!(load(events, give_up_after).err(), None);
    }
    assert_eq!(
        load("2d", "3d").expect_err("a contradiction"),
        "retention.events = 2d is not allowed: 0s (keep indefinitely), or at least notify.give_up_after = 3d; lengthen one \
         or shorten the other"
    );
}

struct Service(Child);

impl Service {
    fn start(command: &str, db: &TestDb, dir: &std::path::Path, settings: &[(String, &str)]) -> Self {
        let process = Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
            .arg(command)
            .env("DATABASE_URL", &db.url)
            .env("LGI_MM__METRICS__LISTEN", "off")
            .envs(settings.iter().map(|(key, value)| (key, value)))
            .current_dir(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("our own program");
        Self(process)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_prunes_by_itself() {
    let (db, dir) = (filled().await, tempfile::tempdir().expect("a directory"));
    let _scheduler = Service::start("scheduler", &db, dir.path(), &[]);
    let begun = Instant::now();
    while texts(&db.pool, "SELECT reason FROM ticks").await.len() > 4 {
        assert!(begun.elapsed() < Duration::from_secs(40), "nothing was pruned");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Old runs of a job, one slot each, and old samples: a pass over them takes many statements.
const MUCH: &str = "
INSERT INTO ticks (job_id, outcome, reason, first_slot, last_slot)
SELECT 1, 'hold', 'r' || n % 2, at, at FROM generate_series(1, 6000) n
CROSS JOIN LATERAL (SELECT now() - interval '60 days' + n * interval '1 minute' AS at) t;
UPDATE job_slots SET slots_recorded = slots_recorded + 6000 WHERE job_id = 1;
INSERT INTO price_samples (chain, token, series, bucket, price, observed_at)
SELECT 'base', '0x' || repeat('d', 40), 's', at, 1, at FROM generate_series(1, 20000) n
CROSS JOIN LATERAL (SELECT now() - interval '60 days' + n * interval '1 minute' AS at) t;";

#[tokio::test(flavor = "multi_thread")]
async fn ticks_go_on_while_old_rows_are_pruned() {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    clawd::start(&db.url, dir.path(), &[]);
    // What the daemon would prune is left to this test.
    let keeping =
        ["TICKS", "SAMPLES", "EVENTS", "TASKS"].map(|key| (format!("LGI_MM__RETENTION__{key}"), "0s"));
    let _daemon = Service::start("daemon", &db, dir.path(), &keeping);
    let recorded = async || -> i64 {
        let sql = "SELECT coalesce(sum(slots_recorded), 0)::bigint FROM job_slots";
        sqlx::query_scalar(sql).fetch_one(&db.pool).await.expect("slots")
    };
    let begun = Instant::now();
    while recorded().await < 3 {
        assert!(begun.elapsed() < Duration::from_secs(40), "nothing ticks");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    run(&db.pool, MUCH).await;
    let (before, begun) = (recorded().await, Instant::now());
    let gone = loop {
        // The daemon looks, and finds nothing.
        match retention::prune(&db.pool, &RetentionSettings::default(), false).await {
            Ok(Pass::Done(gone)) => break gone,
            other => assert_eq!(other.expect("a pass"), Pass::Busy),
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "the daemon holds the lock"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let (took, ticked) = (begun.elapsed(), recorded().await - before);
    assert_eq!((gone.ticks, gone.samples), (6_000, 20_000));
    assert!(
        took > Duration::from_secs(3),
        "it took only {took:?}: that shows nothing"
    );
    let seconds = i64::try_from(took.as_secs()).expect("a time");
    assert!(ticked >= seconds - 1, "{ticked} ticks in {took:?}");
    let missed: i64 = sqlx::query_scalar("SELECT sum(slots_missed)::bigint FROM job_slots")
        .fetch_one(&db.pool)
        .await
        .expect("missed");
    assert_eq!(missed, 0);
}
