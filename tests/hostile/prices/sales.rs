//! Tokens that can be bought and not sold, and offers that are broken.

use alloy_primitives::U256;
use lgi_mm::{
    devnet::{BlockTime, NAME},
    domain::{
        onchain::{Checks, SwapRequest},
        pool::{NATIVE, Pool},
        units::Amount,
    },
    ports::QuoteError,
};
use serde_json::json;
use testkit::live::{WALLET, World, coins};

use crate::prices::set_up::*;
use crate::tokens::{Trick, play};

/// A trap that shuts after the first buy.
#[tokio::test(flavor = "multi_thread")]
async fn finding_10_a_token_that_shuts_after_the_first_buy_is_bought_no_more() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().trap;
    world.start(token, "TRAP", buy_often()).await;
    let _daemon = world.daemon(None);
    world.until("it buys while it is open", BOUGHT).await;
    world.devnet.shut_trap(true).await.expect("shut");
    held(&world, "unsellable").await;
    let before = trades(&world).await;
    world.ticks(3).await;
    assert_eq!(trades(&world).await, before, "{}", world.story().await);
    world.until("one notification", TOLD).await;
    let (_, status) = world.run(&["status", "TRAP"]).await;
    assert!(
        status.contains("UNSELLABLE") && status.contains("reverts"),
        "{status}"
    );
    world.devnet.shut_trap(false).await.expect("open");
    let sql =
        "SELECT count(*) > 0 FROM trades WHERE status = 'EXECUTED' AND slot > now() - interval '2 seconds'";
    world.until("it continues once it can be sold again", sql).await;
    let (_, status) = world.run(&["status", "TRAP"]).await;
    assert!(!status.contains("UNSELLABLE"), "{status}");
}

const TOLD: &str = "SELECT count(*) = 1 FROM outbox WHERE event = 'job.unsellable'";

/// What is held and not bought any more is tried once a day.
#[tokio::test(flavor = "multi_thread")]
async fn finding_10_a_held_position_that_became_unsellable_is_found_by_the_dry_sale_of_the_day() {
    let world = World::new(BlockTime::OnTransaction).await;
    let rules =
        json!({ "accumulate": { "dca_amount_usd": 10, "dca_interval": "1h", "dip_buy_threshold_pct": 0 } });
    world.start(world.devnet.deployment().trap, "TRAP", rules).await;
    let mut daemon = world.daemon(None);
    world.until("it buys while it is open", BOUGHT).await;
    held(&world, "not_due").await;
    daemon.kill().await.expect("stopped");
    world.devnet.shut_trap(true).await.expect("shut");
    let looked =
        "UPDATE sale_proofs SET looked_at = now() - interval '25 hours' WHERE unsellable_since IS NULL";
    let rows = sqlx::query(looked)
        .execute(&world.db.pool)
        .await
        .expect("a day later");
    assert_eq!(rows.rows_affected(), 1, "the buy was a proof");
    let _daemon = world.daemon(None);
    world.until("a notification", TOLD).await;
    let detail: String = sqlx::query_scalar("SELECT detail FROM sale_proofs")
        .fetch_one(&world.db.pool)
        .await
        .expect("why");
    assert!(detail.contains("reverts"), "{detail}");
    assert_eq!(trades(&world).await, 1);
}

/// A tax of 49 % on sales, which a rule of one half lets pass; and a token that lets only small amounts go.
#[tokio::test(flavor = "multi_thread")]
async fn finding_10_the_whole_position_must_come_back_less_the_pools_fee_and_some_slack() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().token;
    let v2: Pool = "v2".parse().expect("a pool");
    let buy = SwapRequest {
        pool: Some(v2),
        prove_sell: true,
        checks: Checks {
            kept_max_bps: Some(300),
            ..Checks::none()
        },
        ..swap(NATIVE, token, tenth())
    };
    let quote = world.live.venue.quote(&buy).await.expect("an honest token");
    for percent in [49, 5] {
        play(&world.devnet, token, Trick::TaxedSale(percent)).await;
        let refused = world.live.venue.quote(&buy).await.expect_err("a tax");
        let told = refused.to_string();
        assert!(
            matches!(refused, QuoteError::Unsellable(_))
                && told.contains("(pool 0.3 %, token ")
                && told.contains("limits.max_pool_fee_bps is 300"),
            "{told}"
        );
    }
    // An owner who accepts it may buy: what is kept of both sides and some slack may be lost, and no more.
    let mut taxed = buy;
    taxed.checks.kept_max_bps = Some(600);
    world.live.venue.quote(&taxed).await.expect("5 % is allowed");
    taxed.checks.round_trip_loss_max_bps = 500;
    let refused = world.live.venue.quote(&taxed).await.expect_err("less is allowed");
    assert!(refused.to_string().contains("500 are allowed"), "{refused}");
    // What is held already counts: half of a large position is too much for the token.
    play(&world.devnet, token, Trick::Honest).await;
    let held = of(quote.amount_out.units(), 3, 1);
    world.devnet.give(token, WALLET, held).await.expect("held");
    play(&world.devnet, token, Trick::SmallSales(of(held, 1, 2))).await;
    world
        .live
        .venue
        .quote(&buy)
        .await
        .expect("nothing is held by the job");
    let mut more = buy;
    more.checks.held = Amount::new(held);
    let refused = world.live.venue.quote(&more).await.expect_err("too much to sell");
    assert!(refused.to_string().contains("alone can be sold"), "{refused}");
}

/// A position that is large for its pool is no trap: what the pool's own price explains of the loss is set apart.
#[tokio::test(flavor = "multi_thread")]
async fn the_price_impact_of_selling_all_is_no_proof_of_a_trap() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().token;
    for pool in ["v2", "v3:10000"] {
        let mut buy = SwapRequest {
            pool: Some(pool.parse().expect("a pool")),
            prove_sell: true,
            checks: Checks {
                kept_max_bps: Some(300),
                ..Checks::none()
            },
            ..swap(NATIVE, token, tenth())
        };
        // A fifth of what the pool has.
        let held = coins(200_000_000);
        world.devnet.give(token, WALLET, held).await.expect("held");
        buy.checks.held = Amount::new(held);
        world.live.venue.quote(&buy).await.expect("the pool explains it");
        if pool == "v2" {
            play(&world.devnet, token, Trick::TaxedSale(10)).await;
            let refused = world.live.venue.quote(&buy).await.expect_err("and not this");
            assert!(matches!(refused, QuoteError::Unsellable(_)), "{refused}");
            play(&world.devnet, token, Trick::Honest).await;
        }
    }
}

/// A pool that quotes best and cannot be traded, or quotes what cannot be, does not stop a job.
#[tokio::test(flavor = "multi_thread")]
async fn the_best_offer_is_passed_over_if_it_is_broken_or_too_good() {
    let world = World::new(BlockTime::OnTransaction).await;
    let at = world.devnet.deployment().clone();
    let venue = &world.live.venue;
    let pinned = |pool: &str| SwapRequest {
        pool: Some(pool.parse().expect("a pool")),
        ..swap(NATIVE, at.token, tenth())
    };
    let fair = venue
        .quote(&pinned("v3:10000"))
        .await
        .expect("a quote")
        .amount_out;
    // Another trader dumps the token into V2: it is half the price there.
    let dump = SwapRequest {
        wallet: lgi_mm::devnet::DEPLOYER,
        ..swap(at.token, NATIVE, coins(400_000_000))
    };
    let dump = SwapRequest {
        pool: Some(Pool::V2),
        ..dump
    };
    let calls = venue
        .calls(&dump, Amount::new(U256::from(1)), soon())
        .await
        .expect("calls");
    for call in calls {
        world
            .devnet
            .node
            .send(lgi_mm::devnet::DEPLOYER, Some(call.to), &call.data, call.value)
            .await
            .expect("sent");
    }
    let best = venue.quote(&pinned("v2")).await.expect("a quote").amount_out;
    assert!(best.units() > of(fair.units(), 3, 2), "{best} {fair}");
    let mut buy = swap(NATIVE, at.token, tenth());
    buy.amount_out_fair = fair;
    buy.checks.better_max_bps = Some(200);
    buy.checks.worse_max_bps = Some(300);
    buy.checks.kept_max_bps = Some(300);
    buy.checks.impact_max_bps = Some(300);
    buy.checks.slip_max_bps = 30;
    let found = venue.quote(&buy).await.expect("another pool").amount_out;
    assert!(
        found >= fair && found.units() < of(fair.units(), 102, 100),
        "{found} {fair}"
    );
    let calls = venue
        .calls(&buy, Amount::new(of(fair.units(), 97, 100)), soon())
        .await;
    assert!(sent(&world, &calls.expect("calls")).await);
    // The same pool at its old price, but on the token's black list: it quotes best and reverts.
    let pair = v2_pair(&world, at.contracts["v2_factory"], at.token, at.weth).await;
    play(&world.devnet, at.token, Trick::Blacklists(pair)).await;
    let open = SwapRequest {
        checks: Checks::none(),
        ..buy
    };
    let found = venue.quote(&open).await.expect("another pool").amount_out;
    assert!(found.units() < of(fair.units(), 102, 100), "{found} {fair}");
    play(&world.devnet, at.token, Trick::Honest).await;
    // With no other pool, the limits name the problem.
    let only = SwapRequest {
        pool: Some(Pool::V2),
        ..buy
    };
    assert_eq!(venue.quote(&only).await.expect("a quote").amount_out, best);
    let refused = venue
        .calls(&only, Amount::new(of(fair.units(), 97, 100)), soon())
        .await;
    assert!(matches!(refused, Err(QuoteError::Disagrees(_))), "{refused:?}");
    assert_eq!(world.account.chain, NAME);
}
