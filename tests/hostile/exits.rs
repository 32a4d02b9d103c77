//! Ways out: tokens that limit or shrink what is held, and a wallet that takes no coins. Each position ends sold, with
//! a ledger that says what the chain says, and without a command.

use alloy::sol_types::SolValue;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use lgi_mm::{
    devnet::BlockTime,
    domain::span::Span,
    store::orders::{self, Order},
};
use serde_json::json;
use testkit::live::{WALLET, World};

use crate::prices::BOUGHT;
use crate::tokens::{Trick, play};

/// Of the devnet's usual token: where it keeps balances.
const BALANCES: u64 = 3;

const SOLD: &str = "SELECT bool_and(status = 'IDLE') FROM jobs";

fn once() -> serde_json::Value {
    json!({ "accumulate": { "dca_amount_usd": 100, "dca_interval": "1h", "dip_buy_threshold_pct": 0 } })
}

async fn word(world: &World, token: Address, call: Vec<u8>) -> U256 {
    let answer = world
        .devnet
        .node
        .call(token, &call.into())
        .await
        .expect("an answer");
    U256::from_be_slice(&answer[..32])
}

async fn balance(world: &World, token: Address) -> U256 {
    let call = [&[0x70, 0xa0, 0x82, 0x31][..], WALLET.into_word().as_slice()].concat();
    word(world, token, call).await
}

async fn set_balance(world: &World, token: Address, units: U256) {
    let slot = keccak256((WALLET, U256::from(BALANCES)).abi_encode());
    let node = &world.devnet.node;
    node.set_storage(token, slot.into(), B256::from(units))
        .await
        .expect("stored");
    assert_eq!(balance(world, token).await, units, "the slot of its balance");
}

/// Buys once and orders to sell all, with `meanwhile` in between.
async fn bought(world: &World, token: Address) -> (tokio::process::Child, U256) {
    world.start(token, "TOKEN", once()).await;
    let daemon = world.daemon(None);
    world.until("it has bought", BOUGHT).await;
    (daemon, balance(world, token).await)
}

async fn liquidate(world: &World) {
    let order = Order::Liquidate {
        over: Span::ZERO,
        slices: 1,
    };
    let job = sqlx::query_scalar("SELECT id FROM jobs")
        .fetch_one(&world.db.pool)
        .await;
    let job = lgi_mm::domain::job::JobId(job.expect("a job"));
    orders::order(&world.db.pool, job, order, "test")
        .await
        .expect("ordered");
}

async fn sales(world: &World) -> Vec<(U256, U256)> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT base_amount::text, quote_amount::text FROM trades WHERE side = 'SELL' AND status = 'EXECUTED' ORDER BY id",
    )
    .fetch_all(&world.db.pool)
    .await
    .expect("sales");
    let number = |text: String| text.parse().expect("units");
    rows.into_iter()
        .map(|(base, quote)| (number(base), number(quote)))
        .collect()
}

/// A limit that appears after the buy: found by smaller and smaller sizes, remembered, and approached again from below.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_limits_transfers_is_sold_in_sizes_that_it_lets_go() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().token;
    let (_daemon, held) = bought(&world, token).await;
    let limit = held / U256::from(3);
    play(&world.devnet, token, Trick::SmallSales(limit)).await;
    liquidate(&world).await;
    world.until("all is sold", SOLD).await;
    let sold = sales(&world).await;
    assert!(sold.len() >= 4, "{sold:?}");
    assert!(sold.iter().all(|(base, _)| *base <= limit), "{sold:?}");
    let sum = sold.iter().fold(U256::ZERO, |sum, (base, _)| sum + base);
    assert_eq!((sum, balance(&world, token).await), (held, U256::ZERO));
    assert!(world.audit().await.swaps.len() > 4);
}

/// Buys, loses all but `left` fifths without a transaction of its own, and liquidates.
async fn shrink(left: u64) {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().token;
    let (_daemon, held) = bought(&world, token).await;
    let left = held * U256::from(left) / U256::from(5);
    set_balance(&world, token, left).await;
    liquidate(&world).await;
    // Evidence needs two blocks, and a write-down that no trade can be taken back any more.
    for _ in 0..200 {
        world.devnet.node.mine(1).await.expect("a block");
        let idle = sqlx::query_scalar(SOLD).fetch_one(&world.db.pool).await;
        if idle.expect("jobs") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    world.until("the job is idle", SOLD).await;
    assert_eq!(
        balance(&world, token).await,
        U256::ZERO,
        "{}",
        world.story().await
    );
    let sold = sales(&world).await;
    let sold = sold.iter().fold(U256::ZERO, |sum, (base, _)| sum + base);
    assert_eq!(sold, left, "{}", world.story().await);
    let (lost, cost): (String, bool) =
        sqlx::query_as("SELECT (-token_delta)::text, cost_delta < 0 FROM adjustments WHERE kind = 'dust'")
            .fetch_one(&world.db.pool)
            .await
            .expect("one write-down");
    assert_eq!((lost.parse(), cost), (Ok(held - left), true));
    let blocks: i64 = sqlx::query_scalar(
        "SELECT (after->'evidence'->'blocks'->>1)::bigint - (after->'evidence'->'blocks'->>0)::bigint
         FROM job_events WHERE action = 'written_down' AND actor = 'engine'",
    )
    .fetch_one(&world.db.pool)
    .await
    .expect("evidence");
    assert!(blocks > 0, "seen at two blocks");
}

/// A fifth vanishes: what is there is sold, and what is not is written down, with who said so and when.
#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_shrank_by_itself_is_written_down_with_evidence_and_the_rest_is_sold() {
    shrink(4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_vanished_is_written_down_and_its_job_ends() {
    shrink(0).await;
}

/// A wallet that delegated itself to code without a way to take coins: it is paid in the wrapped form.
#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_whose_code_refuses_coins_is_paid_in_the_wrapped_form() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().clanker;
    let weth = world.devnet.deployment().weth;
    let (_daemon, held) = bought(&world, token).await;
    let refuses = Address::repeat_byte(0x5e);
    let node = &world.devnet.node;
    node.set_code(refuses, &Bytes::from_static(&[0x5f, 0x5f, 0xfd]))
        .await
        .expect("code");
    let delegated = [&[0xef, 0x01, 0x00], refuses.as_slice()].concat();
    node.set_code(WALLET, &delegated.into()).await.expect("delegated");
    assert_eq!(balance(&world, weth).await, U256::ZERO);
    liquidate(&world).await;
    world.until("all is sold", SOLD).await;
    let sold = sales(&world).await;
    let [(base, quote)] = sold.as_slice() else {
        panic!("one sale: {sold:?}");
    };
    assert_eq!((*base, balance(&world, token).await), (held, U256::ZERO));
    assert_eq!(
        *quote,
        balance(&world, weth).await,
        "what came is what the ledger says came"
    );
    let gained: bool =
        sqlx::query_scalar("SELECT total_accumulated > 0 AND token_balance::numeric = 0 FROM jobs")
            .fetch_one(&world.db.pool)
            .await
            .expect("a job");
    assert!(gained);
}

/// A token that its owner stops: the exit waits by name, and sells as soon as it may.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_paused_is_sold_when_it_goes_on() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().token;
    let (_daemon, held) = bought(&world, token).await;
    play(&world.devnet, token, Trick::SmallSales(U256::ZERO)).await;
    liquidate(&world).await;
    world
        .until(
            "it waits, and says why",
            "SELECT EXISTS (SELECT FROM ticks WHERE reason IN ('simulation_failed', 'no_liquidity') AND detail <> '')",
        )
        .await;
    assert_eq!(balance(&world, token).await, held);
    play(&world.devnet, token, Trick::Honest).await;
    world.until("all is sold", SOLD).await;
    assert_eq!(balance(&world, token).await, U256::ZERO);
    assert!(world.audit().await.swaps.len() >= 2);
}

/// A token that gives its holders more: what was bought is sold, and what came besides stays the wallet's.
#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_grew_by_itself_is_sold_as_it_was_bought() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().token;
    let (_daemon, held) = bought(&world, token).await;
    let fifth = held / U256::from(5);
    set_balance(&world, token, held + fifth).await;
    liquidate(&world).await;
    world.until("all is sold", SOLD).await;
    let sold = sales(&world).await;
    let sum = sold.iter().fold(U256::ZERO, |sum, (base, _)| sum + base);
    assert_eq!((sum, balance(&world, token).await), (held, fifth));
}
