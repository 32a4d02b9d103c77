//! The promise: processes are killed at random moments for a minute, and no slot, trade or token is lost or
//! doubled. The seed is printed; `LGI_MM_CRASH_SEED` runs the same kills again, `LGI_MM_CRASH_SECONDS` longer.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use alloy_primitives::Address;
use lgi_mm::{
    app::audit::{Findings, paper},
    domain::{config::JobConfig, job::JobMode, units::Amount},
    paper::{Fault, FaultKind, PaperMarkets, PaperSettings},
    store::{
        jobs,
        orders::{self, Order},
        trades,
    },
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use sqlx::PgPool;
use tokio::process::{Child, Command};

mod turns;

use testkit::paper_job;

const JOBS: u8 = 56;
/// With fewer trades than this, little was proven.
const TRADES_MIN: i64 = 50;
/// How much longer than asked it may take to get them.
const SLOWEST: Duration = Duration::from_secs(600);
const EXECUTED: &str = "SELECT count(*) FROM trades WHERE status = 'EXECUTED'";
const PROCESSES: [&str; 5] = ["scheduler", "scheduler", "worker", "worker", "worker"];

fn command(kind: &str, url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
    command
        .args([kind, "--until-stdin-closes"])
        .env("DATABASE_URL", url)
        .env("LGI_MM__DATABASE__POOL_MAX", "8")
        .env("LGI_MM__METRICS__LISTEN", "off")
        .env("LGI_MM__LOG__FILTER", "error")
        .env("LGI_MM__PAPER__BLOCK_TIME", "200ms")
        .env("LGI_MM__PAPER__REPLACE_AFTER", "1s")
        .env("LGI_MM__TRADING__SAMPLE_INTERVAL", "250ms")
        .env("LGI_MM__TRADING__CHECK_INTERVAL", "200ms")
        .env("LGI_MM__WORKER__HEARTBEAT", "300ms")
        .env("LGI_MM__WORKER__LEASE", "1500ms")
        .env("LGI_MM__SCHEDULER__SETTLE_LEASE", "2s")
        .env("LGI_MM__SCHEDULER__TICK_LEASE", "10s")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    command
}

fn spawn(kind: &str, url: &str) -> Child {
    command(kind, url).spawn().expect("our own program starts")
}

fn config(number: u8) -> (JobMode, JobConfig) {
    let accumulate = json!({
        "dca_amount_usd": 5, "dca_interval": format!("{}s", 2 + number % 4), "max_accumulation_usd": 2_000,
        "dip_buy_threshold_pct": 6, "dip_window": "20s", "dip_cooldown": "3s",
        "take_profit_pct": 6, "take_profit_cooldown": "3s",
    });
    let liquidity = json!({
        "budget_usd": 100, "spread_trade_usd": 5, "spread_cooldown": "1s", "ma_window": "20s",
        "max_daily_volume_usd": 0, "rebalance_threshold_pct": 10,
    });
    let mode = if number.is_multiple_of(4) {
        JobMode::Liquidity
    } else {
        JobMode::Accumulate
    };
    let (name, rules) = if mode == JobMode::Liquidity {
        ("liquidity", liquidity)
    } else {
        ("accumulate", accumulate)
    };
    let config = json!({
        "schedule": { "cron": "*/2 * * * * *" },
        "price": { "sources": ["generated"], "generated": { "seed": number, "start_usd": 3, "swing_pct": 20, "period": "9s" } },
        "limits": { "max_trades_per_hour": 0, "max_daily_spend_usd": 0, "failure_backoff": "1s" },
        name: rules,
    });
    (mode, serde_json::from_value(config).expect("a configuration"))
}

async fn create_jobs(pool: &PgPool) {
    for number in 1..=JOBS {
        let (mode, config) = config(number);
        config.validate(mode).expect("a valid configuration");
        let new = paper_job(Address::repeat_byte(number), format!("T{number}"), mode, config);
        let job = jobs::create(pool, &new, "test").await.expect("create");
        let deposit = if mode == JobMode::Liquidity {
            "100000000".parse().expect("amount")
        } else {
            Amount::ZERO
        };
        orders::order(pool, job, Order::Start { deposit }, "test")
            .await
            .expect("start");
    }
    sqlx::query("CREATE TABLE first_slots AS SELECT job_id, next_slot AS first_slot FROM job_slots")
        .execute(pool)
        .await
        .expect("the first slot of each job");
}

async fn count(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.expect(sql)
}

/// Lets no more slots come and everything open come to its end. A pause would give up what is not signed yet.
async fn drain(pool: &PgPool) {
    sqlx::query("UPDATE job_slots SET due_at = now() + interval '1 day' WHERE due_at IS NOT NULL")
        .execute(pool)
        .await
        .expect("no more slots");
    let begun = Instant::now();
    loop {
        let open = trades::open(pool).await.expect("open trades").len();
        let slots = count(pool, "SELECT count(*) FROM job_slots WHERE open_slot IS NOT NULL").await;
        if open == 0 && slots == 0 {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{open} trades and {slots} slots never ended"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn assert_the_venue_agrees(pool: &PgPool) {
    let found = paper::compare(pool).await.expect("both ledgers");
    assert_eq!(found, Findings::default(), "the venue's records and ours differ");
}

async fn assert_nothing_lost_or_doubled(pool: &PgPool) {
    assert_the_venue_agrees(pool).await;
    // A slot every two seconds from the first one on, whether or not a scheduler ran by then: those that were decided
    // and those that were missed leave none out, and none twice.
    let gaps = "SELECT format('job %s: %s decided, %s claimed, %s missed of %s', s.job_id, t.decided, s.slots_claimed,
                              s.slots_missed, extract(epoch FROM t.last - f.first_slot) / 2 + 1)
                FROM job_slots s JOIN first_slots f ON f.job_id = s.job_id JOIN LATERAL (
                    SELECT max(last_slot) AS last, sum(count) AS decided FROM ticks t WHERE t.job_id = s.job_id
                ) t ON true
                WHERE t.decided <> s.slots_claimed
                   OR s.slots_claimed + s.slots_missed <> extract(epoch FROM t.last - f.first_slot) / 2 + 1";
    let gaps: Vec<String> = sqlx::query_scalar(gaps).fetch_all(pool).await.expect("slots");
    assert_eq!(gaps, Vec::<String>::new(), "slots were lost or doubled");
    let unbalanced = "SELECT count(*) FROM jobs j WHERE token_balance <> (
                          SELECT coalesce(sum(CASE side WHEN 'BUY' THEN base_amount ELSE -base_amount END), 0) FROM fills f WHERE f.job_id = j.id)";
    assert_eq!(
        count(pool, unbalanced).await,
        0,
        "a position is not the sum of its fills"
    );
    assert_eq!(
        count(pool, "SELECT count(*) FROM turns").await,
        0,
        "a turn outlived its trade"
    );
    let nonces = "SELECT count(*) FROM (SELECT nonce, row_number() OVER (ORDER BY nonce) - 1 AS expected FROM transactions) n WHERE nonce <> expected";
    assert_eq!(count(pool, nonces).await, 0, "nonces have a gap");
    assert_eq!(
        count(pool, "SELECT count(*) FROM reservations").await,
        0,
        "a reservation outlived its trade"
    );
    assert_eq!(
        count(pool, "SELECT count(*) FROM apalis.jobs WHERE status = 'Killed'").await,
        0,
        "a task was given up"
    );
    assert_eq!(
        count(pool, "SELECT count(*) FROM signers WHERE halted_at IS NOT NULL").await,
        0,
        "a signer was halted"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_nothing_is_lost_and_nothing_happens_twice() {
    let from_env = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = from_env("LGI_MM_CRASH_SEED").unwrap_or_else(rand::random);
    let lasts = Duration::from_secs(from_env("LGI_MM_CRASH_SECONDS").unwrap_or(60));
    println!("seed {seed}: LGI_MM_CRASH_SEED={seed} repeats it");
    let mut random = StdRng::seed_from_u64(seed);
    let db = testkit::db().await;
    create_jobs(&db.pool).await;
    let faults = PaperMarkets::new(db.pool.clone(), PaperSettings::default()).faults();
    let mut children: Vec<(&str, Child)> = PROCESSES.map(|kind| (kind, spawn(kind, &db.url))).into();
    let (begun, mut kills, mut executed) = (Instant::now(), 0, 0);
    // A slow machine takes longer for as many trades; the test proves as much there.
    while begun.elapsed() < lasts || executed <= TRADES_MIN {
        assert!(
            begun.elapsed() < lasts + SLOWEST,
            "only {executed} trades: the test proves too little"
        );
        tokio::time::sleep(Duration::from_millis(random.random_range(100..2_500))).await;
        let victim = random.random_range(0..children.len());
        let (kind, child) = &mut children[victim];
        child.kill().await.expect("SIGKILL");
        kills += 1;
        *child = spawn(kind, &db.url);
        let kinds = [
            FaultKind::Lost,
            FaultKind::Drop,
            FaultKind::Stuck,
            FaultKind::Revert,
        ];
        let fault = Fault::new(kinds[random.random_range(0..kinds.len())], "base").times(1);
        faults.add(&fault).await.expect("fault");
        executed = count(&db.pool, EXECUTED).await;
    }
    faults.clear(None).await.expect("no more faults");
    drain(&db.pool).await;
    drop(children);
    executed = count(&db.pool, EXECUTED).await;
    let slots = count(&db.pool, "SELECT sum(slots_recorded)::bigint FROM job_slots").await;
    println!("{kills} kills, {slots} slots, {executed} trades executed");
    let reasons: Vec<(String, i64)> =
        sqlx::query_as("SELECT reason, sum(count)::bigint FROM ticks GROUP BY 1 ORDER BY 2 DESC")
            .fetch_all(&db.pool)
            .await
            .expect("reasons");
    println!("decisions: {reasons:?}");
    let failures: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT failure_kind, error, count(*) FROM trades WHERE status = 'FAILED'
         GROUP BY 1, regexp_replace(error, '0x[0-9a-f]+', ''), 2 ORDER BY 3 DESC LIMIT 20",
    )
    .fetch_all(&db.pool)
    .await
    .expect("failures");
    println!("failures: {failures:?}");
    assert_nothing_lost_or_doubled(&db.pool).await;
}
