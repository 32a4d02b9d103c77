//! A live job whose token three pools away is reached in one transaction.

use alloy_primitives::U256;
use lgi_mm::{
    devnet::BlockTime,
    domain::span::Span,
    store::orders::{self, Order},
};
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
    let job = world.start(token, "AWAY", buy_once()).await;
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
