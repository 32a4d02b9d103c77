//! Findings 3, 7 and 9: prices, digits, clocks and fees that a node lies about.

use alloy_primitives::U256;
use lgi_mm::{
    devnet::BlockTime,
    domain::{
        onchain::{Checks, SwapRequest},
        pool::{NATIVE, Pool},
        units::Amount,
    },
    ports::{Chain, QuoteError},
};
use serde_json::json;
use testkit::live::{World, coins};

use crate::prices::set_up::*;
use crate::tokens::{Trick, play};

/// A node says that the token is worth twenty times what it is, and is honest about everything else: the
/// floor would be a twentieth of the quote.
#[tokio::test(flavor = "multi_thread")]
async fn finding_3a_a_price_that_the_quote_contradicts_buys_nothing() {
    let (world, liar) = lied_to(BlockTime::OnTransaction).await;
    let at = world.devnet.deployment().clone();
    let token = *at.practice.get("DIPPER").expect("a token of one V3 pool");
    // Every square root of a price in an answer about the pool's state, times or by the root of twenty.
    let token_is_zero = token < at.weth;
    let factory = at.contracts["v3_factory"];
    let pool = v3_pool(&world, factory, token, at.weth).await;
    let slot0 = world
        .devnet
        .node
        .call(pool, &alloy_primitives::bytes!("3850c7bd"))
        .await
        .expect("slot0");
    let honest = U256::from_be_slice(&slot0[..32]);
    let factor = U256::from(4_472);
    let lied = if token_is_zero {
        honest * factor / U256::from(1_000)
    } else {
        honest * U256::from(1_000) / factor
    };
    let hex = |word: U256| alloy_primitives::hex::encode(word.to_be_bytes::<32>());
    let (honest, lied) = (hex(honest), hex(lied));
    liar.lie(move |method, _, answer| {
        if method == "eth_call"
            && let Some(text) = answer["result"].as_str()
        {
            answer["result"] = json!(text.replace(&honest, &lied));
        }
    });
    let mut rules = buy_often();
    // What was lied before is in the samples: without this the honest price is a jump that must last.
    rules["price"] = json!({ "max_price_move_pct": 0 });
    world.start(token, "DIPPER", rules).await;
    let _daemon = world.daemon(None);
    let detail = held(&world, "quote_disagrees").await;
    assert!(detail.contains("max_price_deviation_bps"), "{detail}");
    assert_eq!(trades(&world).await, 0, "{}", world.story().await);
    liar.repent();
    world.until("an honest node's price buys", BOUGHT).await;
}

/// Decimals that were reported wrong once, when the job began.
#[tokio::test(flavor = "multi_thread")]
async fn finding_3b_digits_that_were_a_lie_at_the_start_buy_nothing() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().clanker;
    let job = world.start(token, "CLAWDIA", buy_often()).await;
    sqlx::query("UPDATE jobs SET token_decimals = 6 WHERE id = $1")
        .bind(job.0)
        .execute(&world.db.pool)
        .await
        .expect("as if a node had lied");
    let _daemon = world.daemon(None);
    let detail = held(&world, "decimals_changed").await;
    assert!(detail.contains("18") && detail.contains('6'), "{detail}");
    assert_eq!(trades(&world).await, 0);
}

/// The same, and the contract changes its mind after the first buy.
#[tokio::test(flavor = "multi_thread")]
async fn finding_3b_a_contract_that_changes_its_digits_is_traded_no_more() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().clanker;
    world.start(token, "CLAWDIA", buy_often()).await;
    let _daemon = world.daemon(None);
    world.until("it buys", BOUGHT).await;
    play(&world.devnet, token, Trick::Decimals(6)).await;
    held(&world, "decimals_changed").await;
    let before = trades(&world).await;
    world.ticks(3).await;
    assert_eq!(trades(&world).await, before);
    play(&world.devnet, token, Trick::Honest).await;
    let more = "SELECT count(*) FILTER (WHERE status = 'EXECUTED') > 2 FROM trades";
    world.until("it continues by itself", more).await;
    // The venue compares as well, whatever source the price is from.
    let mut buy = swap(NATIVE, token, tenth());
    buy.checks.decimals = Some((18, 6));
    let refused = world.live.venue.quote(&buy).await.expect_err("other digits");
    assert!(matches!(refused, QuoteError::DecimalsChanged(_)), "{refused}");
}

/// The tax rises between the simulation and the block.
#[tokio::test(flavor = "multi_thread")]
async fn finding_3d_a_tax_that_rises_before_the_block_reverts_on_every_pool() {
    let world = World::new(BlockTime::OnTransaction).await;
    let at = world.devnet.deployment().clone();
    let v4 = format!("v4:{NATIVE:#x}/{:#x}/3000/60/{NATIVE:#x}", at.token);
    for pool in ["v2", "v3:10000", &v4] {
        play(&world.devnet, at.token, Trick::Honest).await;
        let pool: Pool = pool.parse().expect("a pool");
        let buy = SwapRequest {
            pool: Some(pool),
            checks: Checks {
                slip_max_bps: 30,
                ..Checks::none()
            },
            ..swap(NATIVE, at.token, tenth())
        };
        let quote = world.live.venue.quote(&buy).await.expect("a quote").amount_out;
        // A floor that is far away: what holds is the slip from what was simulated.
        let floor = Amount::new(of(quote.units(), 90, 100));
        let calls = world.live.venue.calls(&buy, floor, soon()).await.expect("calls");
        play(&world.devnet, at.token, Trick::TaxedBuy(2)).await;
        assert!(
            !sent(&world, &calls).await,
            "{pool}: 2 % less arrives, 0.3 % are allowed"
        );
        play(&world.devnet, at.token, Trick::Honest).await;
        assert!(
            sent(&world, &calls).await,
            "{pool}: the same bytes, without the tax"
        );
    }
}

/// An attacker who moves the pool's price does not get the slack between the quote and the plan's floor.
#[tokio::test(flavor = "multi_thread")]
async fn finding_3c_a_pool_that_is_pushed_after_the_simulation_reverts() {
    let world = World::new(BlockTime::OnTransaction).await;
    let at = world.devnet.deployment().clone();
    let buy = SwapRequest {
        pool: Some(at.clanker_pool),
        checks: Checks {
            slip_max_bps: 30,
            ..Checks::none()
        },
        ..swap(NATIVE, at.clanker, tenth())
    };
    let quote = world.live.venue.quote(&buy).await.expect("a quote").amount_out;
    let floor = Amount::new(of(quote.units(), 95, 100));
    let calls = world.live.venue.calls(&buy, floor, soon()).await.expect("calls");
    world.push(at.clanker, true, coins(1)).await;
    assert!(
        !sent(&world, &calls).await,
        "1 % more expensive is within the floor, not within the slip"
    );
}

/// The node's clock is ten years ahead.
#[tokio::test(flavor = "multi_thread")]
async fn finding_7_a_clock_that_is_ahead_signs_nothing() {
    let (world, liar) = lied_to(BlockTime::OnTransaction).await;
    liar.lie(|method, _, answer| {
        if method == "eth_getBlockByNumber"
            && let Some(text) = answer["result"]["timestamp"].as_str()
        {
            let time = U256::from_str_radix(text.trim_start_matches("0x"), 16).expect("hex");
            answer["result"]["timestamp"] = json!(format!("{:#x}", time + U256::from(315_360_000_u64)));
        }
    });
    let token = world.devnet.deployment().clanker;
    world.start(token, "CLAWDIA", buy_often()).await;
    let _daemon = world.daemon(None);
    let detail = held(&world, "chain_clock").await;
    assert!(detail.contains("315"), "{detail}");
    assert_eq!(trades(&world).await, 0);
    liar.repent();
    world.until("an honest clock buys", BOUGHT).await;
    let most: bool =
        sqlx::query_scalar("SELECT bool_and(deadline < now() + interval '5 minutes') FROM transactions")
            .fetch_one(&world.db.pool)
            .await
            .expect("deadlines");
    assert!(most, "no deadline is far away");
}

/// A tip of 45 gwei, as the node wants it.
#[tokio::test(flavor = "multi_thread")]
async fn finding_9_a_tip_is_no_more_than_the_chain_usually_wants() {
    let (world, liar) = lied_to(BlockTime::OnTransaction).await;
    let honest = world.live.chain.fees().await.expect("fees");
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    liar.lie(|method, _, answer| {
        if method == "eth_maxPriorityFeePerGas" {
            answer["result"] = json!(format!("{:#x}", 45_000_000_000_000_u64));
        }
    });
    let lied = world.live.chain.fees().await.expect("fees");
    // A chain of one's own: 10 gwei, or ten base fees.
    assert!(
        lied.max_priority_fee_per_gas <= 10_000_000_000,
        "{lied:?} {honest:?}"
    );
}

/// The price of the coin goes missing while a swap waits. Replacements stop at twice what was paid first.
#[tokio::test(flavor = "multi_thread")]
async fn finding_9_without_a_price_replacements_cost_no_more_than_twice_the_first() {
    let world = World::new(BlockTime::OnDemand).await;
    world.devnet.node.mine(1).await.expect("a block");
    let token = world.devnet.deployment().clanker;
    world
        .start(
            token,
            "CLAWDIA",
            json!({ "accumulate": { "dca_amount_usd": 10, "dca_interval": "1h", "dip_buy_threshold_pct": 0 } }),
        )
        .await;
    let _daemon = world.daemon(None);
    world
        .until(
            "the swap waits",
            "SELECT EXISTS (SELECT FROM attempts WHERE sent_at IS NOT NULL)",
        )
        .await;
    // The feed was updated long ago: its price counts no more.
    let feed = world.devnet.deployment().contracts["native_usd_feed"];
    let long_ago = alloy_primitives::B256::from(U256::from(1));
    let set = world.devnet.node.set_storage(feed, U256::from(1), long_ago);
    set.await.expect("stale");
    world
        .until(
            "it was replaced as often as may be",
            "SELECT count(*) >= 6 FROM attempts",
        )
        .await;
    world.looks(30).await;
    let (least, most): (String, String) =
        sqlx::query_as("SELECT min(max_fee_per_gas)::text, max(max_fee_per_gas)::text FROM attempts")
            .fetch_one(&world.db.pool)
            .await
            .expect("fees");
    let number = |text: &str| text.parse::<u128>().expect("wei");
    assert!(number(&most) > number(&least));
    assert!(number(&most) <= 2 * number(&least), "{least} {most}");
}
