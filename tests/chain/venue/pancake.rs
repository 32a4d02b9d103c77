//! PancakeSwap V3: found, tried, bought and sold both ways, and held to its floor.

use alloy_primitives::{Address, U256};
use lgi_mm::{
    domain::{
        kept::Kept,
        onchain::SwapRequest,
        pool::{NATIVE, Pool},
        units::Amount,
    },
    ports::{QuoteError, Venue},
};
use serde_json::json;

use crate::venue::world::{WALLET, World, coins, soon};

/// A token at ten thousand for a coin, in one pool of PancakeSwap's with this fee.
async fn token(world: &World, fee: u32) -> Address {
    let token = world.devnet.add_token("CAKE", 18).await.expect("a token");
    let pool = Pool::Pancake(fee);
    world
        .devnet
        .add_pool(token, coins(1_000_000), coins(100), pool)
        .await
        .expect("a pool");
    token
}

/// Nothing is left allowed, and the router keeps nothing.
async fn clean(world: &World, assets: [Address; 2]) {
    let router = world.spec.contracts.pancake_v3_router;
    for asset in assets.into_iter().filter(|asset| *asset != NATIVE) {
        assert_eq!(world.allowance(asset, router).await, U256::ZERO, "{asset}");
    }
    let left: U256 = world
        .devnet
        .node
        .request("eth_getBalance", json!([router, "latest"]))
        .await
        .expect("a balance");
    assert_eq!(left, U256::ZERO);
}

#[tokio::test]
async fn every_fee_and_every_quote_fills_what_it_quoted_both_ways_and_leaves_no_allowance() {
    let world = World::with_pancake().await;
    world.wrap(coins(20)).await;
    let at = world.at().clone();
    // USDC is reached through the wrapped coin.
    world
        .devnet
        .add_pool(
            at.usdc,
            U256::from(3_000_000_000_000_u64),
            coins(1_000),
            Pool::Pancake(500),
        )
        .await
        .expect("a pool");
    let tenth = coins(1) / U256::from(10);
    for fee in [100, 500, 2_500, 10_000] {
        let token = token(&world, fee).await;
        let hops = World::pool(&format!("pancake:{fee}/500"));
        let direct = Pool::Pancake(fee);
        for (quote, spend, pool) in [
            (NATIVE, tenth, direct),
            (at.weth, tenth, direct),
            (at.usdc, U256::from(300_000_000), hops),
        ] {
            let name = format!("{pool} with {quote}");
            for pool in [Some(pool), None] {
                let buy = SwapRequest {
                    pool,
                    prove_sell: true,
                    ..world.swap(quote, token, spend)
                };
                let (quoted, bought) = world.trade(&buy).await.expect(&name);
                assert_eq!(bought, quoted, "{name}: buy");
                let sell = SwapRequest {
                    pool,
                    ..world.swap(token, quote, bought)
                };
                let (quoted, sold) = world.trade(&sell).await.expect(&name);
                assert_eq!(sold, quoted, "{name}: sell");
                assert!(
                    sold < spend && sold > spend / U256::from(2),
                    "{name}: {sold} of {spend}"
                );
                clean(&world, [token, quote]).await;
            }
        }
    }
}

#[tokio::test]
async fn its_fee_is_known_and_its_price_is_that_of_the_pool() {
    let world = World::with_pancake().await;
    let token = token(&world, 2_500).await;
    let cent = coins(1) / U256::from(100);
    for (token_in, token_out, amount) in [(NATIVE, token, cent), (token, NATIVE, cent * U256::from(10_000))] {
        let quote = world.venue.quote(&world.swap(token_in, token_out, amount)).await;
        let quote = quote.expect("a quote");
        assert_eq!(quote.kept, Kept::by_pool(2_500), "{token_in}");
        assert!(quote.price_impact_bps <= 2, "{}", quote.price_impact_bps);
    }
}

#[tokio::test]
async fn its_floor_holds_on_the_chain_and_its_deadline_too() {
    let world = World::with_pancake().await;
    let token = token(&world, 2_500).await;
    let buy = world.swap(NATIVE, token, coins(1));
    let quote = world.venue.quote(&buy).await.expect("a quote");
    let more = Amount::new(quote.amount_out.units() + U256::from(1));
    let refused = world.venue.calls(&buy, more, soon()).await;
    assert!(refused.is_err(), "a floor above what arrives: {refused:?}");
    let calls = world
        .venue
        .calls(&buy, quote.amount_out, soon())
        .await
        .expect("calls");
    // Somebody is faster.
    world
        .trade(&world.swap(NATIVE, token, coins(2)))
        .await
        .expect("a fill");
    let swap = calls.last().expect("a swap");
    let before = world.balance(token).await;
    assert_eq!(world.send(swap).await["status"], "0x0", "less than the floor");
    assert_eq!(world.balance(token).await, before);
    // The same sale, to the coin itself: the floor counts in the wallet, after the unwrapping.
    let sale = world.swap(token, NATIVE, before);
    let quote = world.venue.quote(&sale).await.expect("a quote");
    let deadline = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let calls = world
        .venue
        .calls(&sale, quote.amount_out, deadline)
        .await
        .expect("calls");
    world.next_block_at(deadline.timestamp() + 60).await;
    let (swap, approvals) = calls.split_last().expect("calls");
    for approval in approvals {
        assert_eq!(world.send(approval).await["status"], "0x1");
    }
    assert_eq!(world.send(swap).await["status"], "0x0", "after its deadline");
    assert_eq!(world.balance(token).await, before);
}

/// A pool of a token that keeps a share of each transfer lets it be bought and never takes it back.
#[tokio::test]
async fn a_token_that_its_pool_does_not_take_back_is_not_bought() {
    let world = World::with_pancake().await;
    let taxed = world.at().taxed;
    let pool = Pool::Pancake(2_500);
    let opened = world.devnet.add_pool(taxed, coins(1_000), coins(1), pool).await;
    let buy = SwapRequest {
        pool: Some(pool),
        prove_sell: true,
        ..world.swap(NATIVE, taxed, coins(1) / U256::from(100))
    };
    let refused = world.venue.quote(&buy).await.expect_err("no way out");
    assert!(
        matches!(refused, QuoteError::Reverts(_) | QuoteError::NoLiquidity(_)),
        "{opened:?}: {refused:?}"
    );
}

/// The better of two pools is used, whoever made it.
#[tokio::test]
async fn the_better_pool_is_found_whether_uniswap_or_pancakeswap_has_it() {
    let world = World::with_pancake().await;
    for (ours, theirs, router) in [
        (
            coins(1_000_000),
            coins(1_020_000),
            world.spec.contracts.pancake_v3_router,
        ),
        (
            coins(1_020_000),
            coins(1_000_000),
            world.spec.contracts.universal_router,
        ),
    ] {
        let token = world.devnet.add_token("BOTH", 18).await.expect("a token");
        for (stake, pool) in [(ours, Pool::V3(3_000)), (theirs, Pool::Pancake(2_500))] {
            world
                .devnet
                .add_pool(token, stake, coins(100), pool)
                .await
                .expect("a pool");
        }
        let buy = world.swap(NATIVE, token, coins(1) / U256::from(10));
        let quote = world.venue.quote(&buy).await.expect("a quote");
        let calls = world
            .venue
            .calls(&buy, quote.amount_out, soon())
            .await
            .expect("calls");
        assert_eq!(calls.last().map(|call| call.to), Some(router));
        assert_eq!(world.fill(token, &calls).await, quote.amount_out.units());
        let other = world.allowance(token, router).await;
        assert_eq!(other, U256::ZERO, "{WALLET}");
    }
}
