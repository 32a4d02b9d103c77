//! Gas: what a chain asks, what it may ask, and what a node that is never content makes us pay.

use alloy_primitives::U256;
use lgi_mm::domain::onchain::{Asset, Fees};
use lgi_mm::{
    domain::{decision::HoldReason, ids::TradeId, trade::TradeStatus},
    engine::{Engine, Progress, TickOutcome},
    ports::Markets,
    store::trades,
};
use rust_decimal::Decimal;
use testkit::unsteady::Node;

use crate::engine::{
    laws::{account, unsteady},
    world::{World, accumulate, engine_settings},
};

const GWEI: u128 = 1_000_000_000;

fn asking(gwei: u128) -> Option<Fees> {
    Some(Fees {
        max_fee_per_gas: gwei * GWEI,
        max_priority_fee_per_gas: GWEI,
    })
}

async fn world() -> (World, Engine, Node) {
    let world = World::new(accumulate()).await;
    let (engine, node) = unsteady(&world, engine_settings());
    (world, engine, node)
}

async fn planned(world: &World, engine: &Engine) -> TradeId {
    let outcome = engine.evaluate(&[world.next_tick()]).await.remove(0).outcome;
    match outcome.expect("a tick") {
        TickOutcome::Traded { trade } => trade,
        other => panic!("no trade: {other:?}"),
    }
}

async fn nothing_is_signed(world: &World, engine: &Engine, trade: TradeId, why: &str) {
    assert_eq!(engine.drive(trade).await.expect("waits"), Progress::Waiting);
    let loaded = trades::load(&world.pool, trade).await.expect("the trade");
    assert_eq!(loaded.state.status, TradeStatus::Pending);
    assert!(loaded.state.transactions.is_empty());
    let note: Option<String> = sqlx::query_scalar("SELECT note FROM trades WHERE id = $1")
        .bind(trade.0)
        .fetch_one(&world.pool)
        .await
        .expect("a note");
    assert!(note.as_ref().is_some_and(|note| note.contains(why)), "{note:?}");
}

#[tokio::test]
async fn a_chain_that_asks_more_than_its_cap_is_a_named_hold_and_nothing_is_signed_until_it_asks_less() {
    let (world, engine, node) = world().await;
    node.cap(100 * GWEI);
    node.charge(asking(101));
    let outcome = engine.evaluate(&[world.next_tick()]).await.remove(0).outcome;
    let Ok(TickOutcome::Held { reason, detail }) = outcome else {
        panic!("no hold: {outcome:?}")
    };
    assert_eq!(reason, HoldReason::GasTooExpensive);
    assert!(detail.is_some_and(|detail| detail.contains("max_fee_gwei")));

    node.charge(None);
    let trade = planned(&world, &engine).await;
    node.charge(asking(101));
    nothing_is_signed(&world, &engine, trade, "max_fee_gwei").await;
    node.charge(None);
    world.finish(trade).await;
}

#[tokio::test]
async fn gas_that_passes_max_gas_usd_between_plan_and_signature_is_not_paid() {
    let (world, engine, node) = world().await;
    let trade = planned(&world, &engine).await;
    node.charge(asking(1_000_000));
    nothing_is_signed(&world, &engine, trade, "max_gas_usd").await;
    node.charge(None);
    world.finish(trade).await;
}

#[tokio::test]
async fn replacements_cost_at_most_twice_max_gas_usd_and_no_node_can_ask_for_more_than_attempts_max() {
    let (world, engine, node) = world().await;
    let trade = planned(&world, &engine).await;
    node.refuse();
    engine.drive(trade).await.expect("a step");
    node.charge(asking(1_000_000));
    for _ in 0..20 {
        engine.drive(trade).await.expect("a step");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let market = world.paper.market(&account()).await.expect("market");
    let loaded = trades::load(&world.pool, trade).await.expect("the trade");
    let state = &loaded.state.transactions[0];
    assert!(
        (2..=market.chain.patience().attempts_max).contains(&state.attempts.len()),
        "{} attempts",
        state.attempts.len()
    );
    let price = market
        .chain
        .usd_price(Asset::Native)
        .await
        .expect("a price")
        .price;
    let highest = state
        .attempts
        .iter()
        .map(|attempt| attempt.fees.max_fee_per_gas)
        .max()
        .expect("fees");
    let wei = U256::from(highest) * U256::from(state.gas_limit);
    let coins = Decimal::from(u128::try_from(wei).expect("small")) / Decimal::from(10_u64.pow(18));
    let cost = coins * price.decimal();
    let allowed = world.job().await.config.limits.max_gas_usd.decimal() * Decimal::TWO;
    assert!(cost <= allowed, "{cost} of {allowed}");
}
