//! Tokens of few decimals, from the first buy to the last sale; and what is refused, by its right name.

use alloy_primitives::{Address, Bytes, U256, keccak256};
use lgi_mm::{
    devnet::{BlockTime, DEPLOYER},
    domain::{job::JobId, pool::NATIVE, pool::Pool, span::Span},
    store::orders::{self, Order},
};
use serde_json::{Value, json};
use testkit::live::{WALLET, World, coins};

use crate::live::{buy_once, pause};

const ETH: (Address, &str, u8) = (NATIVE, "ETH", 18);

async fn token(world: &World, symbol: &str, decimals: u8, units: u64, wei: U256) -> Address {
    let devnet = &world.devnet;
    let token = devnet.add_token(symbol, decimals).await.expect("a token");
    let stake = U256::from(units);
    devnet
        .add_pool(token, stake, wei, Pool::V2)
        .await
        .expect("a pool");
    token
}

fn buy(usd: u32) -> Value {
    let mut rules = buy_once();
    rules["accumulate"]["dca_amount_usd"] = json!(usd);
    rules["accumulate"]["max_accumulation_usd"] = json!(100_000);
    rules
}

async fn bought(world: &World, job: JobId) -> String {
    let sql =
        "SELECT base_amount::text FROM trades WHERE job_id = $1 AND status = 'EXECUTED' AND side = 'BUY'";
    let found: Vec<String> = sqlx::query_scalar(sql)
        .bind(job.0)
        .fetch_all(&world.db.pool)
        .await
        .expect("trades");
    found.join(" ")
}

/// What comes out of 10 USD is from Python's fractions: `997 x Y / (1000 X + 997 x)`, cut to a unit.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_no_and_of_two_digits_are_bought_and_liquidated_in_slices() {
    let world = World::new(BlockTime::OnTransaction).await;
    // 0.12 USD a unit; 1.5 USD a token, 0.015 USD a unit.
    let zero = token(&world, "ZERO", 0, 5_000_000, coins(200)).await;
    let two = token(&world, "TWO", 2, 40_000_000, coins(200)).await;
    let zero = world.start_pair(ETH, (zero, "ZERO", 0), buy_once()).await;
    let two = world.start_pair(ETH, (two, "TWO", 2), buy_once()).await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "both have bought",
            "SELECT count(*) = 2 FROM trades WHERE status = 'EXECUTED'",
        )
        .await;
    assert_eq!(
        (bought(&world, zero).await, bought(&world, two).await),
        ("83".into(), "664".into())
    );
    for job in [zero, two] {
        let order = Order::Liquidate {
            over: Span::from_secs(2),
            slices: 3,
        };
        orders::order(&world.db.pool, job, order, "test")
            .await
            .expect("ordered");
    }
    world
        .until(
            "both are idle with nothing left",
            "SELECT bool_and(status = 'IDLE' AND token_balance::numeric = 0) FROM jobs",
        )
        .await;
    daemon.kill().await.expect("killed");
    let sql = "SELECT string_agg(base_amount::text, ' ' ORDER BY id) FROM trades WHERE job_id = $1 AND side = 'SELL'";
    for (job, slices) in [(zero, "28 28 27"), (two, "222 221 221")] {
        let sold: String = sqlx::query_scalar(sql)
            .bind(job.0)
            .fetch_one(&world.db.pool)
            .await
            .expect("sales");
        assert_eq!(sold, slices, "{}", world.story().await);
    }
    assert_eq!(world.audit().await.swaps.len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thin_pool_and_an_expensive_unit_have_reasons_of_their_own() {
    let world = World::new(BlockTime::OnTransaction).await;
    // 30 USD a unit, a hundred of them: a tenth of a coin moves that by 907 basis points.
    let thin = token(&world, "THIN", 0, 100, coins(1)).await;
    // 4,000 USD a unit: 10 USD buy none.
    let expensive = token(&world, "COSTLY", 0, 300, coins(400)).await;
    for (address, symbol, usd, reason, told) in [
        (thin, "THIN", 300, "price_impact", "%moves the pool by 907 bps%"),
        (
            expensive,
            "COSTLY",
            10,
            "too_few_units",
            "%costs 4000 USD and the trade is worth 10 USD%",
        ),
    ] {
        let job = world.start_pair(ETH, (address, symbol, 0), buy(usd)).await;
        let mut daemon = world.daemon(None);
        world.ticks(3).await;
        daemon.kill().await.expect("killed");
        let sql = "SELECT reason, detail LIKE $2 FROM ticks WHERE job_id = $1 ORDER BY id DESC LIMIT 1";
        let held: (String, bool) = sqlx::query_as(sql)
            .bind(job.0)
            .bind(told)
            .fetch_one(&world.db.pool)
            .await
            .expect("a hold");
        assert_eq!(held, (reason.to_owned(), true), "{}", world.story().await);
        pause(&world, job).await;
    }
}

/// What the ledger counts is worth a sale and what the wallet still has is not: neither size is tried for ever, and
/// nothing is written down.
#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_kept_one_unit_of_a_position_holds_and_keeps_its_ledger() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().practice["STEADY"];
    let job = world.start(token, "STEADY", buy_once()).await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "it has bought",
            "SELECT EXISTS (SELECT FROM trades WHERE status = 'EXECUTED')",
        )
        .await;
    let units: U256 = bought(&world, job).await.parse().expect("a number");
    let mut burn = keccak256("burn(address,uint256)")[..4].to_vec();
    burn.extend(WALLET.into_word());
    burn.extend((units - U256::from(1)).to_be_bytes::<32>());
    world
        .devnet
        .node
        .submit(DEPLOYER, Some(token), &Bytes::from(burn), U256::ZERO, 100_000)
        .await
        .expect("burnt");
    let order = Order::Liquidate {
        over: Span::ZERO,
        slices: 1,
    };
    orders::order(&world.db.pool, job, order, "test")
        .await
        .expect("ordered");
    world
        .until(
            "it holds by name",
            "SELECT EXISTS (SELECT FROM ticks WHERE reason = 'too_few_units')",
        )
        .await;
    daemon.kill().await.expect("killed");
    let kept: (String, String) = sqlx::query_as("SELECT status, token_balance::text FROM jobs")
        .fetch_one(&world.db.pool)
        .await
        .expect("the job");
    assert_eq!(kept, ("LIQUIDATING".to_owned(), units.to_string()));
}
