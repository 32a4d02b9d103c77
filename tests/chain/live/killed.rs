//! Killed at every place between a decision and a settled trade: after a restart there is exactly one swap on the
//! chain for each trade, the ledger says what the chain says to the last unit, and no nonce is open.
use testkit::live::{World, coins};

use crate::live::{ALL_FINAL, buy_once, pause};
use alloy_primitives::U256;
use lgi_mm::{
    devnet::BlockTime,
    domain::{job::JobId, span::Span},
    store::orders::{self, Order},
};
use serde_json::json;

/// Places that a trade passes which goes well.
const GOING_WELL: [&str; 7] = [
    "frozen", "signed", "recorded", "sent", "noted", "filling", "filled",
];

/// Lets the program settle everything that is open, and stops it.
async fn recover(world: &World) {
    let mut daemon = world.daemon(None);
    world.until("every trade is final", ALL_FINAL).await;
    daemon.kill().await.expect("killed");
}

/// A job that has bought once.
async fn bought(world: &World, rules: serde_json::Value) -> JobId {
    let job = world
        .start(world.devnet.deployment().clanker, "CLAWDIA", rules)
        .await;
    recover(world).await;
    job
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_in_a_buy_it_buys_once() {
    for place in GOING_WELL {
        let world = World::new(BlockTime::OnTransaction).await;
        let token = world.devnet.deployment().clanker;
        let job = world.start(token, "CLAWDIA", buy_once()).await;
        world.die_at(place).await;
        recover(&world).await;
        pause(&world, job).await;
        let found = world.audit().await;
        assert_eq!(found.swaps.len(), 1, "{place}: {}", world.story().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_in_a_sell_with_approvals_it_sells_once() {
    // Approvals and swap are sent one after the other: the third time is the swap.
    for place in [
        "frozen", "signed", "recorded", "sent", "sent@2", "sent@3", "noted@2", "noted@3", "filling", "filled",
    ] {
        let world = World::new(BlockTime::OnTransaction).await;
        let rules = json!({ "accumulate": {
            "dca_amount_usd": 10, "dca_interval": "1h", "dip_buy_threshold_pct": 0,
            "take_profit_pct": 5, "take_profit_sell_pct": 50, "take_profit_cooldown": "1h",
        } });
        let job = bought(&world, rules).await;
        world
            .push(world.devnet.deployment().clanker, true, coins(10))
            .await;
        world.die_at(place).await;
        recover(&world).await;
        pause(&world, job).await;
        let found = world.audit().await;
        assert_eq!(found.swaps.len(), 2, "{place}: {}", world.story().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_in_a_liquidation_it_sells_everything_once_and_is_idle() {
    for place in GOING_WELL {
        let world = World::new(BlockTime::OnTransaction).await;
        let job = bought(&world, buy_once()).await;
        let order = Order::Liquidate {
            over: Span::ZERO,
            slices: 1,
        };
        orders::order(&world.db.pool, job, order, "test")
            .await
            .expect("ordered");
        world.die_at(place).await;
        let mut daemon = world.daemon(None);
        world
            .until("the job is idle", "SELECT bool_and(status = 'IDLE') FROM jobs")
            .await;
        daemon.kill().await.expect("killed");
        let found = world.audit().await;
        assert_eq!(found.swaps.len(), 2, "{place}: {}", world.story().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_in_a_replacement_one_of_the_attempts_is_mined() {
    for place in ["bumped", "sent@2", "noted@2", "bumped@2"] {
        let world = World::new(BlockTime::OnDemand).await;
        world.devnet.node.mine(1).await.expect("a block");
        let token = world.devnet.deployment().clanker;
        let job = world.start(token, "CLAWDIA", buy_once()).await;
        world.die_at(place).await;
        let mut daemon = world.daemon(None);
        world
            .until(
                "the replacement was sent",
                "SELECT coalesce((SELECT count(*) > 1 AND bool_and(sent_at IS NOT NULL) FROM attempts), false)",
            )
            .await;
        world.devnet.node.mine(1).await.expect("a block");
        world.until("every trade is final", ALL_FINAL).await;
        daemon.kill().await.expect("killed");
        pause(&world, job).await;
        let found = world.audit().await;
        assert_eq!(found.swaps.len(), 1, "{place}: {}", world.story().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_in_a_failure_nothing_is_bought_and_the_nonce_is_used() {
    for place in ["failing", "failed"] {
        let world = World::new(BlockTime::OnDemand).await;
        world.devnet.node.mine(1).await.expect("a block");
        let token = world.devnet.deployment().clanker;
        let job = world.start(token, "CLAWDIA", buy_once()).await;
        let mut daemon = world.daemon(Some(place));
        world
            .until(
                "the swap waits",
                "SELECT EXISTS (SELECT FROM attempts WHERE sent_at IS NOT NULL)",
            )
            .await;
        // Another trader is faster and the price moved: the minimum output holds.
        let gas_price = U256::from(1_000_000_000_000_u64);
        world.push_at(token, true, coins(20), gas_price).await;
        world.devnet.node.mine(1).await.expect("a block");
        daemon.wait().await.expect("an end");
        recover(&world).await;
        pause(&world, job).await;
        let found = world.audit().await;
        assert_eq!(
            (found.swaps.len(), found.mined),
            (0, 1),
            "{place}: {}",
            world.story().await
        );
    }
}
