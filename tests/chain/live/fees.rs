//! Pools that keep much of each trade: traded where the owner allows it, held by name where not.

use alloy_primitives::{Address, U256};
use lgi_mm::{
    devnet::BlockTime,
    domain::pool::{NATIVE, PoolKey},
    domain::span::Span,
    store::orders::{self, Order},
};
use testkit::live::{World, coins};

use crate::live::buy_once;

async fn pool_of_fee(world: &World, fee: u32) -> Address {
    let token = world.devnet.add_token("FEE", 18).await.expect("a token");
    let key = PoolKey {
        currency0: NATIVE,
        currency1: token,
        fee,
        tick_spacing: 200,
        hooks: Address::ZERO,
    };
    let stakes = [coins(10), U256::from(1_000_000) * coins(1)];
    world.devnet.add_v4_pool(&key, stakes).await.expect("a pool");
    token
}

/// With limits that nobody changed: 1.75 % is bought and sold again, 6 % is held and told with its number.
#[tokio::test(flavor = "multi_thread")]
async fn a_fee_is_no_slippage_and_has_a_limit_and_a_hold_of_its_own() {
    let world = World::new(BlockTime::OnTransaction).await;
    let fair = pool_of_fee(&world, 17_500).await;
    let dear = pool_of_fee(&world, 60_000).await;
    let fair = world.start(fair, "FAIR", buy_once()).await;
    let dear = world.start(dear, "DEAR", buy_once()).await;
    let _daemon = world.daemon(None);
    world
        .until(
            "the first has bought",
            "SELECT count(*) = 1 FROM trades WHERE status = 'EXECUTED' AND side = 'BUY'",
        )
        .await;
    let order = Order::Liquidate {
        over: Span::ZERO,
        slices: 1,
    };
    orders::order(&world.db.pool, fair, order, "test")
        .await
        .expect("ordered");
    world
        .until(
            "it has sold all of it",
            "SELECT count(*) = 1 FROM trades WHERE status = 'EXECUTED' AND side = 'SELL'",
        )
        .await;
    world
        .until(
            "the other is held by name",
            "SELECT count(*) > 0 FROM ticks WHERE reason = 'pool_fee'",
        )
        .await;
    let detail: String =
        sqlx::query_scalar("SELECT detail FROM ticks WHERE reason = 'pool_fee' AND job_id = $1 LIMIT 1")
            .bind(dear.0)
            .fetch_one(&world.db.pool)
            .await
            .expect("a hold");
    assert!(
        detail.starts_with("6 % of this trade would be kept, limits.max_pool_fee_bps is 300"),
        "{detail}"
    );
    let floors: Vec<(String, String)> = sqlx::query_as(
        "SELECT amount_out_expected::text, amount_out_min::text FROM trades WHERE job_id = $1 ORDER BY id",
    )
    .bind(fair.0)
    .fetch_all(&world.db.pool)
    .await
    .expect("trades");
    for (expected, least) in floors {
        let [expected, least] = [expected, least].map(|number| number.parse::<U256>().expect("units"));
        // What slippage allows of what the fee leaves, and nothing of the fee.
        assert!(least <= expected, "{least} {expected}");
        assert!(
            least * U256::from(1_000) > expected * U256::from(988),
            "{least} {expected}"
        );
    }
    assert_eq!(world.audit().await.swaps.len(), 2);
}

/// The view in what a command printed; a warning may follow.
fn first_json(text: &str) -> serde_json::Value {
    let begins = text.find('{').expect("JSON");
    let mut values = serde_json::Deserializer::from_str(&text[begins..]).into_iter();
    values.next().expect("JSON").expect("JSON")
}

/// What thirty dollars cost there and back in a pool of 1.75 %.
fn all_in(costs: &serde_json::Value) {
    let number = |costs: &serde_json::Value, name: &str| -> rust_decimal::Decimal {
        let text = costs[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name} of {costs}"));
        text.parse().expect("a number")
    };
    assert_eq!(number(costs, "amount_usd"), 30.into(), "{costs}");
    assert_eq!(
        number(costs, "pool_fee_pct"),
        "1.75".parse().expect("a number"),
        "{costs}"
    );
    assert_eq!(number(costs, "tax_pct"), 0.into(), "{costs}");
    // Twice the fee, and the impact of a coin's hundredth in ten; gas costs what the local chain says.
    let share = number(costs, "pool_usd") * rust_decimal::Decimal::ONE_HUNDRED / number(costs, "amount_usd");
    assert!(
        share > "3.4".parse().expect("a number") && share < 4.into(),
        "{costs}"
    );
    assert!(number(costs, "gas_usd") > number(costs, "buy_gas_usd"), "{costs}");
    assert_eq!(
        number(costs, "round_trip_usd"),
        number(costs, "pool_usd") + number(costs, "gas_usd"),
        "{costs}"
    );
}

/// What a round trip costs is shown before anything is bought, and afterwards as the newest buy was tried.
#[tokio::test(flavor = "multi_thread")]
async fn start_and_status_show_what_a_round_trip_costs_all_in() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = pool_of_fee(&world, 17_500).await;
    world.permit_token(token);
    let address = token.to_checksum(None);
    let start = [
        "start",
        &address,
        "--mode",
        "accumulate",
        "--live",
        "--chain",
        "local",
        "--symbol",
        "FEE",
        "--json",
        "--set",
        "schedule.cron=* * * * * *",
        "--set",
        "schedule.jitter=0s",
        "--set",
        "accumulate.dca_amount_usd=30",
        "--set",
        "price.sources=onchain",
        "--set",
        "price.single_source=true",
        "--set",
        "limits.gas_reserve=1",
    ];
    let (code, text) = world.run(&start).await;
    assert_eq!(code, 0, "{text}");
    let view = first_json(&text);
    all_in(&view["costs"]);
    assert_eq!(view["costs"]["at"], serde_json::Value::Null, "now");
    let (_, text) = world.run(&["status", "FEE", "--json"]).await;
    let view = first_json(&text);
    assert_eq!(view["costs"], serde_json::Value::Null, "nothing was bought yet");
    let _daemon = world.daemon(None);
    world
        .until(
            "it has bought",
            "SELECT count(*) > 0 FROM trades WHERE status = 'EXECUTED' AND side = 'BUY'",
        )
        .await;
    let (_, text) = world.run(&["status", "FEE", "--json"]).await;
    let view = first_json(&text);
    all_in(&view["costs"]);
    assert!(view["costs"]["at"].is_string(), "{text}");
    let (_, text) = world.run(&["status", "FEE"]).await;
    assert!(
        text.contains("round trip") && text.contains("pool 1.75 % each way"),
        "{text}"
    );
}
