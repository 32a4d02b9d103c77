//! How old pools are: whatever exchange made them, a factory's log tells.

use alloy_primitives::U256;
use lgi_mm::{
    domain::{
        onchain::{Launched, SwapRequest},
        pool::{Curve, NATIVE, Pool, Slipstream},
        span::Span,
    },
    ports::Venue,
};

use crate::venue::world::{World, coins};

/// What a quote of a token that only this pool trades says of its launch.
async fn launched(world: &World, pool: Pool) -> Option<Launched> {
    let token = world.devnet.add_token("FRESH", 18).await.expect("a token");
    let made = world.devnet.add_pool(token, coins(1_000_000), coins(10), pool);
    made.await.expect("a pool");
    let buy: SwapRequest = world.swap(NATIVE, token, coins(1) / U256::from(10));
    let quote = world.venue.quote(&buy).await.expect("a quote");
    assert!(!quote.amount_out.is_zero());
    quote.launched
}

async fn is_young(world: &World, pools: &[Pool]) {
    for pool in pools {
        let launched = launched(world, *pool).await;
        let young = launched.is_some_and(|launched| launched.age < Span::from_secs(600) && !launched.hooked);
        assert!(young, "{pool}: {launched:?}");
    }
}

#[tokio::test]
async fn a_pool_of_uniswap_that_was_just_made_is_young() {
    let world = World::new().await;
    is_young(&world, &[Pool::V2, Pool::V3(3_000)]).await;
}

#[tokio::test]
async fn a_pool_of_pancakeswap_or_of_a_fork_that_was_just_made_is_young() {
    let world = World::with_pancake().await;
    is_young(&world, &[Pool::Pancake(2_500)]).await;
    let world = World::with_v2_fork(|_| {}).await;
    is_young(&world, &[World::pool("v2:fork")]).await;
}

#[tokio::test]
async fn a_pool_of_aerodrome_or_slipstream_that_was_just_made_is_young() {
    let world = World::with_aerodrome().await;
    is_young(&world, &[Pool::Aerodrome(Curve::Volatile)]).await;
    let world = World::with_slipstream().await;
    let pools = Slipstream::ALL.map(|which| Pool::Slipstream(which, 200));
    is_young(&world, &pools).await;
}

/// The route is as young as its youngest pool of the token.
#[tokio::test]
async fn a_route_through_a_young_pool_is_young() {
    let (world, [near, _]) = World::with_connectors().await;
    let token = world.devnet.add_token("ROUTED", 18).await.expect("a token");
    let weth = world.at().weth;
    let stake = coins(300_000);
    let pair = world
        .devnet
        .add_v2_pair([(token, coins(1_000_000)), (near, stake)]);
    pair.await.expect("a pair");
    let pool = world.devnet.add_v3_pool([(near, stake), (weth, coins(100))], 500);
    pool.await.expect("a pool");
    let buy = world.swap(NATIVE, token, coins(1) / U256::from(10));
    let launched = world.venue.quote(&buy).await.expect("a quote").launched;
    assert!(
        launched.is_some_and(|launched| launched.age < Span::from_secs(600)),
        "{launched:?}"
    );
}
