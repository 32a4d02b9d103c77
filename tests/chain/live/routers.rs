//! A router beyond Uniswap's is used only where the policy names it.

use lgi_mm::{
    devnet::{BlockTime, Devnet},
    domain::{
        pool::{Curve, Pool},
        router::ExtraRouter,
        span::Span,
    },
    store::orders::{self, Order},
};
use serde_json::json;
use testkit::{
    devnet,
    live::{World, coins},
};

use crate::live::buy_once;

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_is_passed_over_until_the_policy_names_its_router_and_then_bought_and_sold_in() {
    let mut chain = devnet::devnet(BlockTime::OnTransaction).await;
    chain.add_pancake().await.expect("its contracts");
    passed_over_until_named(chain, Pool::Pancake(2_500), ExtraRouter::PancakeswapV3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_aerodrome_is_passed_over_until_the_policy_names_its_router_and_then_bought_and_sold_in() {
    let mut chain = devnet::devnet(BlockTime::OnTransaction).await;
    chain.add_aerodrome().await.expect("its contracts");
    passed_over_until_named(chain, Pool::Aerodrome(Curve::Volatile), ExtraRouter::Aerodrome).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_of_a_fork_of_v2_is_passed_over_until_the_policy_names_its_router_and_then_bought_and_sold_in()
{
    let mut chain = devnet::devnet(BlockTime::OnTransaction).await;
    chain.add_v2_fork("fork").await.expect("its contracts");
    let name = "fork".parse().expect("a name");
    passed_over_until_named(chain, Pool::V2Fork(name), ExtraRouter::V2(name)).await;
}

async fn passed_over_until_named(chain: Devnet, pool: Pool, router: ExtraRouter) {
    let world = World::on(chain, |keys| keys).await;
    let token = world.devnet.add_token("CAKE", 18).await.expect("a token");
    for (stake, wei, pool) in [
        (coins(1_000_000), coins(100), pool),
        // Worth a look for the price, and dear.
        (coins(800_000), coins(100), Pool::V3(10_000)),
    ] {
        world
            .devnet
            .add_pool(token, stake, wei, pool)
            .await
            .expect("a pool");
    }
    let mut rules = buy_once();
    rules["venue"] = json!({ "pool": pool });
    let job = world.start(token, "CAKE", rules).await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "it holds and says why",
            "SELECT EXISTS (SELECT FROM ticks WHERE detail LIKE '%does not name %: its key `routers`%')",
        )
        .await;
    let (code, said) = world
        .run(&["pools", &token.to_string(), "--chain", "local"])
        .await;
    assert!(
        code == 0 && said.contains(&pool.to_string()) && said.contains("names its router"),
        "{said}"
    );
    let (code, said) = world.run(&["policy", "check", "CAKE"]).await;
    assert!(
        code != 0 && said.contains(&format!("router {router}")),
        "{code} {said}"
    );
    let mut entry = world.permitted();
    entry.routers = vec![router];
    world.permit(&entry);
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
