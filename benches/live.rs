//! What live trading costs, on a local chain with the real contracts: a trade, a hold and rest next to a bare loop, and
//! the swaps per second that one signer settles with a block time of one second. `scripts/bench-live [costs] [rate]`;
//! the figures are in docs/live-figures.md.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark says what it measured, and stops when it cannot"
)]

#[path = "live/bare.rs"]
mod bare;
#[path = "live/costs.rs"]
mod costs;

use std::time::{Duration, Instant};

use lgi_mm::{devnet::BlockTime, domain::pool::Pool};
use serde_json::json;
use testkit::live::{World, coins};

/// Jobs of the one wallet, each with its own token: each has at most one open trade.
const JOBS: usize = 120;
/// Duration of the measurement, after a warm-up.
const MEASURED: Duration = Duration::from_secs(45);
const METRICS: &str = "127.0.0.1:19464";

async fn executed(world: &World) -> i64 {
    let sql = "SELECT count(*) FROM trades WHERE status = 'EXECUTED'";
    sqlx::query_scalar(sql)
        .fetch_one(&world.db.pool)
        .await
        .expect("a count")
}

/// Transactions of this database, those of other sessions included.
async fn statements(world: &World) -> i64 {
    sqlx::query("SELECT pg_stat_force_next_flush()")
        .execute(&world.db.pool)
        .await
        .expect("a flush");
    let sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
    sqlx::query_scalar(sql)
        .fetch_one(&world.db.pool)
        .await
        .expect("a count")
}

/// Round trips to nodes so far.
async fn round_trips() -> u64 {
    let text = reqwest::get(format!("http://{METRICS}/metrics"))
        .await
        .expect("metrics")
        .text()
        .await
        .expect("text");
    let counts = text
        .lines()
        .filter(|line| line.starts_with("lgi_mm_rpc_requests_total"));
    counts
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

#[tokio::main]
async fn main() {
    // Cargo says --bench.
    let parts: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|given| given == part);
    if wanted("costs") {
        costs::compare().await;
    }
    if wanted("rate") {
        rate().await;
    }
}

/// The jobs, each with a token and a pool of its own.
async fn buyers(world: &World) {
    for number in 0..JOBS {
        let symbol = format!("B{number}");
        let token = world.devnet.add_token(&symbol, 18).await.expect("a token");
        let pool = world
            .devnet
            .add_pool(token, coins(1_000_000), coins(100), Pool::V3(3_000));
        pool.await.expect("a pool");
        let rules = json!({
            "accumulate": { "dca_amount_usd": 5, "dca_interval": "1s", "max_accumulation_usd": 100_000, "dip_buy_threshold_pct": 0 },
        });
        world.start(token, &symbol, rules).await;
    }
}

/// Swaps per second of one signer.
async fn rate() {
    // Patience of a real L2: a transaction is not stuck after one block.
    let world = World::with(BlockTime::OnTransaction, |mut keys| {
        (keys.resend_after, keys.replace_after) = (None, None);
        keys
    })
    .await;
    buyers(&world).await;
    let every_second: Result<serde_json::Value, _> = world
        .devnet
        .node
        .request("evm_setIntervalMining", json!([1]))
        .await;
    every_second.expect("a block a second");
    world
        .devnet
        .node
        .set_automine(false)
        .await
        .expect("no other blocks");
    let mut daemon = world.daemon_with(&[
        ("LGI_MM__METRICS__LISTEN", METRICS),
        ("LGI_MM__TRADING__PIPELINE_MAX", "200"),
        ("LGI_MM__TRADING__CHECK_INTERVAL", "1s"),
        ("LGI_MM__SCHEDULER__SETTLE_LEASE", "5s"),
    ]);
    tokio::time::sleep(Duration::from_secs(15)).await;
    let (begun, before) = (
        Instant::now(),
        (
            executed(&world).await,
            statements(&world).await,
            round_trips().await,
        ),
    );
    tokio::time::sleep(MEASURED).await;
    let (after, seconds) = (
        (
            executed(&world).await,
            statements(&world).await,
            round_trips().await,
        ),
        begun.elapsed().as_secs_f64(),
    );
    daemon.kill().await.expect("killed");
    let swaps = after.0 - before.0;
    assert!(swaps > 0, "{}", world.story().await);
    let per = |count: f64| count / f64::from(i32::try_from(swaps).expect("a small number"));
    let number = |count: i64| f64::from(i32::try_from(count).expect("a small number"));
    println!(
        "{swaps} swaps settled in {seconds:.1} s: {:.2} a second, from one signer, {JOBS} jobs, a block a second",
        number(swaps) / seconds
    );
    println!(
        "database transactions a swap: {:.1}, of scheduler, queue, ticks and settling together",
        per(number(after.1 - before.1))
    );
    println!(
        "round trips to the node a swap: {:.1}",
        per(number(i64::try_from(after.2 - before.2).expect("a small number")))
    );
}
