//! Swaps that work: the fill is the quote, to the unit.

use alloy_primitives::U256;
use lgi_mm::{
    domain::{
        pool::{NATIVE, Pool},
        trade::Purpose,
        units::Amount,
    },
    ports::Venue,
};

use crate::venue::world::{World, coins, soon};

/// Buys with `spend` of `quote`, and sells half of what came.
async fn there_and_back(
    world: &World,
    token: alloy_primitives::Address,
    quote: alloy_primitives::Address,
    spend: U256,
    pool: Option<Pool>,
) {
    let name = format!("{token} with {quote} in {pool:?}");
    let buy = lgi_mm::domain::onchain::SwapRequest {
        pool,
        prove_sell: true,
        ..world.swap(quote, token, spend)
    };
    let (quoted, bought) = world
        .trade(&buy)
        .await
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(bought, quoted, "{name}: buy");
    let sell = lgi_mm::domain::onchain::SwapRequest {
        pool,
        ..world.swap(token, quote, bought / U256::from(2))
    };
    let (quoted, sold) = world
        .trade(&sell)
        .await
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(sold, quoted, "{name}: sell");
    assert!(
        sold > spend / U256::from(3),
        "{name}: {sold} of {spend} came back"
    );
    for asset in [token, quote] {
        if asset == NATIVE {
            continue;
        }
        for spender in [world.spec.contracts.permit2, world.spec.contracts.swap_router] {
            assert_eq!(
                world.allowance(asset, spender).await,
                U256::ZERO,
                "{name}: left over"
            );
        }
        assert_eq!(world.permitted(asset).await, U256::ZERO, "{name}: left over");
    }
}

#[tokio::test]
async fn every_pool_fills_what_it_quoted_with_every_quote_and_leaves_no_allowance() {
    let world = World::new().await;
    world.wrap(coins(20)).await;
    let at = world.at().clone();
    let v4_native = World::pool(&format!("v4:{NATIVE:#x}/{:#x}/3000/60/{NATIVE:#x}", at.token));
    let dollars = U256::from(300_000_000);
    let tenth = coins(1) / U256::from(10);
    for (token, quote, spend, pool) in [
        (at.token, NATIVE, tenth, v4_native),
        (at.token, at.weth, tenth, v4_native),
        (at.token, NATIVE, tenth, World::pool("v3:10000")),
        (at.token, at.weth, tenth, World::pool("v3:10000")),
        (at.token, at.usdc, dollars, World::pool("v3:10000/500")),
        (at.token, NATIVE, tenth, Pool::V2),
        (at.token, at.weth, tenth, Pool::V2),
        (at.clanker, NATIVE, tenth, at.clanker_pool),
        (at.clanker, at.weth, tenth, at.clanker_pool),
        (at.weth, at.usdc, dollars, World::pool("v3:500")),
        (NATIVE, at.usdc, dollars, World::pool("v3:500")),
    ] {
        there_and_back(&world, token, quote, spend, Some(pool)).await;
    }
}

#[tokio::test]
async fn the_best_pool_is_found_and_kept_in_the_ledger() {
    let world = World::new().await;
    let at = world.at().clone();
    for (token, quote, spend, expected) in [
        (at.token, NATIVE, coins(1) / U256::from(10), "v2".to_owned()),
        (
            at.clanker,
            NATIVE,
            coins(1) / U256::from(10),
            at.clanker_pool.to_string(),
        ),
        (
            at.token,
            at.usdc,
            U256::from(300_000_000),
            // The pool of V4 takes 0.3 % where the one of V3 takes 1 %.
            format!(
                "v4:{NATIVE:#x}/{:#x}/3000/60/{NATIVE:#x}/{:#x}/v3:500",
                at.token, at.weth
            ),
        ),
    ] {
        there_and_back(&world, token, quote, spend, None).await;
        let known: Option<Pool> = lgi_mm::store::pools::find(
            &world.db.pool,
            "local",
            (token, quote),
            lgi_mm::domain::span::Span::from_secs(600),
        )
        .await
        .expect("the ledger");
        assert_eq!(known.map(|pool| pool.to_string()), Some(expected));
    }
}

/// Which pool gives most depends on size, direction and moment: what was best a minute ago decides nothing.
#[tokio::test]
async fn each_quote_is_of_the_pool_that_gives_most_for_it_whatever_was_best_before() {
    let world = World::new().await;
    let at = world.at().clone();
    let pools = [
        World::pool("v2"),
        World::pool("v3:10000"),
        World::pool(&format!("v4:{NATIVE:#x}/{:#x}/3000/60/{NATIVE:#x}", at.token)),
    ];
    // The best pool is remembered, then another trader makes it expensive.
    let (_, bought) = world
        .trade(&world.swap(NATIVE, at.token, coins(1) / U256::from(10)))
        .await
        .expect("a fill");
    let push = lgi_mm::domain::onchain::SwapRequest {
        pool: Some(pools[0]),
        ..world.swap(NATIVE, at.token, coins(20))
    };
    world.trade(&push).await.expect("a fill");
    let mut best = Vec::new();
    for request in [
        world.swap(NATIVE, at.token, coins(1) / U256::from(10)),
        world.swap(NATIVE, at.token, coins(5)),
        world.swap(at.token, NATIVE, bought),
    ] {
        let mut given = Vec::new();
        for pool in pools {
            let pinned = lgi_mm::domain::onchain::SwapRequest {
                pool: Some(pool),
                ..request
            };
            given.push(world.venue.quote(&pinned).await.expect("a quote").amount_out);
        }
        let found = world.venue.quote(&request).await.expect("a quote").amount_out;
        assert!(given.iter().all(|other| found >= *other), "{found} of {given:?}");
        best.push(given.iter().position(|other| *other == found));
    }
    assert_ne!(best[0], Some(0), "buying is cheaper elsewhere now");
    assert_ne!(best[0], best[2], "one pool to buy in, another to sell into");
}

/// A hook can tell a trial from a block: what happens in blocks counts too.
#[tokio::test]
async fn a_pool_whose_swaps_revert_in_blocks_comes_after_the_others() {
    let world = World::new().await;
    let token = world.at().token;
    let buy = world.swap(NATIVE, token, coins(1) / U256::from(10));
    let (floor, deadline) = (Amount::new(U256::from(1)), soon());
    let swap = async || {
        let calls = world.venue.calls(&buy, floor, deadline).await.expect("calls");
        calls.last().expect("a swap").data.clone()
    };
    let best = swap().await;
    world.venue.reverted(NATIVE, token).await;
    assert_eq!(swap().await, best, "another trader may have been faster");
    world.venue.reverted(NATIVE, token).await;
    let other = swap().await;
    assert_ne!(other, best, "the same pool a third time");
    // It is a way out all the same, if it is the only one.
    for _ in 0..2 {
        world.venue.reverted(token, NATIVE).await;
    }
    swap().await;
}

#[tokio::test]
async fn a_pinned_pool_is_used_even_if_another_gives_more() {
    let world = World::new().await;
    let at = world.at().clone();
    let buy = world.swap(NATIVE, at.token, coins(1));
    let best = world.venue.quote(&buy).await.expect("a quote").amount_out;
    let v4 = World::pool(&format!("v4:{NATIVE:#x}/{:#x}/3000/60/{NATIVE:#x}", at.token));
    // What pays a stranger's token goes through the router that can compare the wallet's balance.
    let universal = world.spec.contracts.universal_router;
    for (pinned, router) in [(World::pool("v3:10000"), universal), (v4, universal)] {
        let buy = lgi_mm::domain::onchain::SwapRequest {
            pool: Some(pinned),
            ..buy
        };
        let quote = world.venue.quote(&buy).await.expect("a quote");
        assert!(quote.amount_out < best, "{pinned}");
        let calls = world
            .venue
            .calls(&buy, quote.amount_out, soon())
            .await
            .expect("calls");
        assert_eq!(calls.last().map(|call| call.to), Some(router));
        assert_eq!(world.fill(at.token, &calls).await, quote.amount_out.units());
    }
}

#[tokio::test]
async fn a_token_that_takes_a_fee_is_measured_and_its_floor_holds() {
    let world = World::new().await;
    let at = world.at().clone();
    let spend = coins(1) / U256::from(10);
    let buy = world.swap(NATIVE, at.taxed, spend);
    let (quoted, came) = world.trade(&buy).await.expect("a fill");
    assert_eq!(
        came, quoted,
        "the quote is what arrives, not what leaves the pool"
    );
    let quote = world.venue.quote(&buy).await.expect("a quote");
    let more = lgi_mm::domain::units::Amount::new(quote.amount_out.units() + U256::from(1));
    let refused = world.venue.calls(&buy, more, soon()).await;
    assert!(
        refused.is_err(),
        "a floor above what arrives is refused: {refused:?}"
    );
    let sell = world.swap(at.taxed, NATIVE, came / U256::from(2));
    let (quoted, sold) = world.trade(&sell).await.expect("a fill");
    assert_eq!(sold, quoted);
}

#[tokio::test]
async fn approves_come_first_and_are_exact() {
    let world = World::new().await;
    let at = world.at().clone();
    let spend = U256::from(100_000_000);
    let buy = world.swap(at.usdc, at.weth, spend);
    let calls = world
        .venue
        .calls(&buy, lgi_mm::domain::units::Amount::ZERO, soon())
        .await
        .expect("calls");
    let purposes: Vec<Purpose> = calls.iter().map(|call| call.purpose).collect();
    assert_eq!(purposes, [Purpose::Approve, Purpose::Swap]);
    assert_eq!(calls[0].to, at.usdc);
    assert!(
        calls[0].data.ends_with(&spend.to_be_bytes::<32>()),
        "{:?}",
        calls[0]
    );
}
