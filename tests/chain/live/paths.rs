//! A live job whose token three pools away is reached in one transaction.

use alloy_primitives::{Address, U256};
use lgi_mm::{
    devnet::BlockTime,
    domain::{
        pool::{NATIVE, Pool, PoolKey},
        span::Span,
    },
    store::orders::{self, Order},
};
use serde_json::{Value, json};
use testkit::{
    devnet,
    live::{World, coins},
};

use crate::live::buy_once;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_three_pools_away_is_bought_and_sold_and_the_ledger_is_the_chain() {
    let chain = devnet::devnet(BlockTime::OnTransaction).await;
    let near = chain.add_token("NEAR", 18).await.expect("a token");
    let far = chain.add_token("FAR", 6).await.expect("a token");
    let world = World::on(chain, |keys| lgi_mm::chain::ChainFile {
        connectors: Some(vec![near, far]),
        ..keys
    })
    .await;
    let token = world.devnet.add_token("AWAY", 18).await.expect("a token");
    let (six, weth) = (U256::from(300_000_000_000_u64), world.devnet.deployment().weth);
    for stakes in [
        [(token, coins(1_000_000)), (near, coins(300_000))],
        [(near, coins(300_000)), (far, six)],
        [(far, six), (weth, coins(100))],
    ] {
        world.devnet.add_v3_pool(stakes, 500).await.expect("a pool");
    }
    let route = format!("v3:500/{near:#x}/500/{far:#x}/500");
    let (code, said) = world
        .run(&["pools", &token.to_string(), "--chain", "local"])
        .await;
    assert!(code == 0 && said.contains(&route), "{code} {said}");
    there_and_back(&world, token, buy_once()).await;
}

/// Pools of three versions, found or pinned: the key's policy reads the transaction as that of any other pool.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_behind_pools_of_three_versions_is_bought_and_sold_and_the_ledger_is_the_chain() {
    let chain = devnet::devnet(BlockTime::OnTransaction).await;
    let near = chain.add_token("NEAR", 18).await.expect("a token");
    let far = chain.add_token("FAR", 6).await.expect("a token");
    let world = World::on(chain, |keys| lgi_mm::chain::ChainFile {
        connectors: Some(vec![near, far]),
        ..keys
    })
    .await;
    let token = world.devnet.add_token("AWAY", 18).await.expect("a token");
    let six = U256::from(300_000_000_000_u64);
    let key = PoolKey {
        currency0: NATIVE,
        currency1: near,
        fee: 500,
        tick_spacing: 10,
        hooks: Address::ZERO,
    };
    let (devnet, stake) = (&world.devnet, coins(300_000));
    let pair = devnet.add_v2_pair([(token, coins(1_000_000)), (far, six)]);
    pair.await.expect("a pair");
    let pool = devnet.add_v3_pool([(far, six), (near, stake)], 500);
    pool.await.expect("a pool");
    devnet
        .add_v4_pool(&key, [coins(100), stake])
        .await
        .expect("a pool");
    let route = format!("v2/{far:#x}/v3:500/{near:#x}/{}", Pool::V4(key));
    let (code, said) = world
        .run(&["pools", &token.to_string(), "--chain", "local"])
        .await;
    assert!(code == 0 && said.contains(&route), "{code} {said}");
    assert!(
        said.contains("no router swaps in them and in pools of another exchange"),
        "{said}"
    );
    let mut rules = buy_once();
    rules["venue"] = json!({ "pool": route });
    // Three hops cost more gas than the usual bound allows at the price of this chain.
    rules["limits"] = json!({ "max_gas_usd": 5 });
    there_and_back(&world, token, rules).await;
}

/// Buys once, sells all of it, and ends IDLE.
async fn there_and_back(world: &World, token: Address, rules: Value) {
    let job = world.start(token, "AWAY", rules).await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "it buys",
            "SELECT EXISTS (SELECT FROM trades WHERE status = 'EXECUTED')",
        )
        .await;
    let order = Order::Liquidate {
        over: Span::ZERO,
        slices: 1,
    };
    orders::order(&world.db.pool, job, order, "test")
        .await
        .expect("ordered");
    world
        .until(
            "it is idle with nothing left",
            "SELECT bool_and(status = 'IDLE' AND token_balance::numeric = 0) FROM jobs",
        )
        .await;
    daemon.kill().await.expect("killed");
    let swaps = world.audit().await.swaps;
    assert_eq!(swaps.len(), 2, "{}", world.story().await);
}
