//! Pools that were just made: not bought in before they are old enough, and what their launch taxes has a name.

use alloy::{sol, sol_types::SolCall};
use alloy_primitives::{Address, U256, aliases::U24};
use lgi_mm::{
    devnet::{BlockTime, DEPLOYER},
    domain::{
        pool::{DYNAMIC_FEE, NATIVE, Pool, PoolKey},
        span::Span,
    },
    store::orders::{self, Order},
};
use serde_json::json;
use testkit::live::{World, coins};

use crate::live::buy_once;

sol! {
    function setFee(uint24 fee) external;
}

/// Two tokens with a V2 pair and a V3 pool of this block.
async fn elsewhere(world: &World) -> [Address; 2] {
    let mut tokens = [Address::ZERO; 2];
    for (token, pool) in tokens.iter_mut().zip([Pool::V2, Pool::V3(3_000)]) {
        *token = world.devnet.add_token("FRESH", 18).await.expect("a token");
        let stake = U256::from(1_000_000) * coins(1);
        let made = world.devnet.add_pool(*token, stake, coins(10), pool);
        made.await.expect("a pool");
    }
    tokens
}

#[tokio::test(flavor = "multi_thread")]
async fn a_young_pair_of_v2_or_v3_waits_and_is_then_bought_and_sold() {
    let world = World::new(BlockTime::OnTransaction).await;
    let mut rules = buy_once();
    rules["venue"] = json!({ "min_pool_age": "1h" });
    for (token, symbol) in elsewhere(&world).await.into_iter().zip(["PAIR", "POOL"]) {
        world.start(token, symbol, rules.clone()).await;
    }
    // A token that keeps a share, in a pair of this hour: that may still fall.
    let mut taxed = buy_once();
    taxed["limits"]["max_pool_fee_bps"] = json!(100);
    world.start(world.devnet.deployment().taxed, "TAXED", taxed).await;
    let mut daemon = world.daemon(None);
    for (what, sql) in [
        (
            "the taxed one waits",
            "SELECT EXISTS (SELECT FROM ticks WHERE reason = 'launch_tax'
             AND detail ~ 'after the pool was made, limits.max_pool_fee_bps is 100')",
        ),
        (
            "both wait",
            "SELECT count(DISTINCT job_id) = 2 FROM ticks WHERE reason = 'young_pool'
             AND detail ~ '^the pool was made .* ago, venue.min_pool_age is 1h$'",
        ),
        ("nothing was bought", "SELECT count(*) = 0 FROM trades"),
    ] {
        world.until(what, sql).await;
    }
    for symbol in ["PAIR", "POOL"] {
        let (code, said) = world
            .run(&["config", "edit", symbol, "--set", "venue.min_pool_age=0s"])
            .await;
        assert_eq!(code, 0, "{said}");
    }
    world
        .until(
            "both have bought",
            "SELECT count(*) = 2 FROM trades WHERE status = 'EXECUTED' AND side = 'BUY'",
        )
        .await;
    daemon.kill().await.expect("killed");
    assert_eq!(world.audit().await.swaps.len(), 2, "{}", world.story().await);
}

/// A token in one V4 pool of this block, with this fee and hook.
async fn launched(world: &World, symbol: &str, fee: u32, hooks: Address) -> Address {
    let token = world.devnet.add_token(symbol, 18).await.expect("a token");
    let key = PoolKey {
        currency0: NATIVE,
        currency1: token,
        fee,
        tick_spacing: 200,
        hooks,
    };
    let stakes = [coins(10), U256::from(1_000_000) * coins(1)];
    world.devnet.add_v4_pool(&key, stakes).await.expect("a pool");
    token
}

async fn hook_fee(world: &World, fee: u32) {
    let fee = U24::saturating_from(fee);
    let data = setFeeCall { fee }.abi_encode().into();
    let hook = Some(world.devnet.deployment().hook);
    let sent = world.devnet.node.send(DEPLOYER, hook, &data, U256::ZERO);
    sent.await.expect("a fee");
}

async fn edited(world: &World, age: &str) {
    let age = format!("venue.min_pool_age={age}");
    let (code, said) = world.run(&["config", "edit", "YOUNG", "--set", &age]).await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_waits_until_its_pool_is_old_enough_and_its_tax_fell() {
    let world = World::new(BlockTime::OnTransaction).await;
    hook_fee(&world, 60_000).await;
    let young = launched(&world, "YOUNG", 3_000, Address::ZERO).await;
    let taxed = launched(&world, "TAXED", DYNAMIC_FEE, world.devnet.deployment().hook).await;
    let mut rules = buy_once();
    rules["venue"] = json!({ "min_pool_age": "1h" });
    let young = world.start(young, "YOUNG", rules).await;
    world.start(taxed, "TAXED", buy_once()).await;
    let mut daemon = world.daemon(None);
    for (what, sql) in [
        (
            "the young one waits",
            "SELECT EXISTS (SELECT FROM ticks WHERE reason = 'young_pool'
             AND detail ~ '^the pool was made .* ago, venue.min_pool_age is 1h$')",
        ),
        (
            "the taxed one waits",
            "SELECT EXISTS (SELECT FROM ticks WHERE reason = 'launch_tax'
             AND detail ~ '^6 % of this trade would be kept .* after the pool was made, limits.max_pool_fee_bps is 300')",
        ),
        ("nothing was bought", "SELECT count(*) = 0 FROM trades"),
    ] {
        world.until(what, sql).await;
    }
    hook_fee(&world, 10_000).await;
    edited(&world, "0s").await;
    world
        .until(
            "both have bought",
            "SELECT count(*) = 2 FROM trades WHERE status = 'EXECUTED' AND side = 'BUY'",
        )
        .await;
    // What is held is sold at any age.
    edited(&world, "1h").await;
    let order = Order::Liquidate {
        over: Span::ZERO,
        slices: 1,
    };
    let ordered = orders::order(&world.db.pool, young, order, "test").await;
    ordered.expect("ordered");
    world
        .until(
            "it is sold",
            "SELECT count(*) = 1 FROM jobs WHERE status = 'IDLE' AND token_balance::numeric = 0",
        )
        .await;
    daemon.kill().await.expect("killed");
    assert_eq!(world.audit().await.swaps.len(), 3, "{}", world.story().await);
}
