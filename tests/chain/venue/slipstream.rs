//! Slipstream: each deployment with its own router; found, tried, bought and sold both ways, with the fee that its
//! module says.

use alloy_primitives::{Address, U256};
use lgi_mm::{
    chain::SurveyRequest,
    domain::{
        kept::Kept,
        onchain::SwapRequest,
        pool::{NATIVE, Pool, Slipstream},
        units::Amount,
    },
    ports::Venue,
};

use crate::venue::world::{World, coins, soon};

/// A token at ten thousand for a coin, in one pool.
async fn token(world: &World, pool: Pool) -> Address {
    let token = world.devnet.add_token("AERO", 18).await.expect("a token");
    world
        .devnet
        .add_pool(token, coins(1_000_000), coins(100), pool)
        .await
        .expect("a pool");
    token
}

fn router(world: &World, which: Slipstream) -> Address {
    let at = world.spec.contracts;
    match which {
        Slipstream::Initial => at.slipstream_router,
        Slipstream::Caps => at.slipstream_caps_router,
        Slipstream::V3 => at.slipstream_v3_router,
    }
}

/// Buys, sells all that came in the same way, and leaves nothing allowed.
async fn there_and_back(world: &World, which: Slipstream, buy: &SwapRequest, name: &str) {
    let (quote, token, spend) = (buy.token_in, buy.token_out, buy.amount_in.units());
    let own = router(world, which);
    let quoted = world.venue.quote(buy).await.expect(name);
    let calls = world
        .venue
        .calls(buy, quoted.amount_out, soon())
        .await
        .expect(name);
    assert_eq!(calls.last().map(|call| call.to), Some(own), "{name}");
    let bought = world.fill(token, &calls).await;
    assert_eq!(bought, quoted.amount_out.units(), "{name}: buy");
    let sell = SwapRequest {
        pool: buy.pool,
        ..world.swap(token, quote, bought)
    };
    let (quoted, sold) = world.trade(&sell).await.expect(name);
    assert_eq!(sold, quoted, "{name}: sell");
    assert!(
        sold < spend && sold > spend / U256::from(2),
        "{name}: {sold} of {spend}"
    );
    for asset in [token, quote] {
        if asset != NATIVE {
            let left = world.allowance(asset, own).await;
            assert_eq!(left, U256::ZERO, "{name}: {asset}");
        }
    }
}

#[tokio::test]
async fn every_deployment_fills_what_it_quoted_both_ways_through_its_own_router() {
    let world = World::with_slipstream().await;
    world.wrap(coins(20)).await;
    let at = world.at().clone();
    let dollars = U256::from(3_000_000_000_000_u64);
    let tenth = coins(1) / U256::from(10);
    for (which, spacing) in [
        (Slipstream::Initial, 200),
        (Slipstream::Caps, 2_000),
        (Slipstream::V3, 50),
    ] {
        let far = Pool::Slipstream(which, 100);
        world
            .devnet
            .add_pool(at.usdc, dollars, coins(1_000), far)
            .await
            .expect("a pool");
        let direct = Pool::Slipstream(which, spacing);
        let token = token(&world, direct).await;
        for (quote, spend, expected) in [
            (NATIVE, tenth, direct),
            (at.weth, tenth, direct),
            (
                at.usdc,
                U256::from(300_000_000),
                Pool::SlipstreamHops(which, spacing, 100),
            ),
        ] {
            let name = format!("{expected} with {quote}");
            for pool in [Some(expected), None] {
                let buy = SwapRequest {
                    pool,
                    prove_sell: true,
                    ..world.swap(quote, token, spend)
                };
                there_and_back(&world, which, &buy, &name).await;
            }
        }
        // The pools of another deployment are none of this one's.
        for other in Slipstream::ALL.into_iter().filter(|other| *other != which) {
            let buy = SwapRequest {
                pool: Some(Pool::Slipstream(other, spacing)),
                ..world.swap(NATIVE, token, tenth)
            };
            assert!(
                world.venue.quote(&buy).await.is_err(),
                "{other:?} has no such pool"
            );
        }
    }
}

/// A module of the factory sets the fee, and may change it at any time: it is read with each quote.
#[tokio::test]
async fn the_fee_is_what_the_module_says_at_the_moment() {
    let world = World::with_slipstream().await;
    let pool = Pool::Slipstream(Slipstream::V3, 200);
    let token = token(&world, pool).await;
    let cent = coins(1) / U256::from(100);
    // Of ticks 200 apart, it is 0.3 % until a module says otherwise.
    for (set, millionths) in [(None, 3_000), (Some(12_300), 12_300), (Some(100), 100)] {
        if let Some(fee) = set {
            world
                .devnet
                .set_slipstream_fee(Slipstream::V3, fee)
                .await
                .expect("a module");
        }
        for (token_in, token_out, amount) in
            [(NATIVE, token, cent), (token, NATIVE, cent * U256::from(10_000))]
        {
            let quote = world.venue.quote(&world.swap(token_in, token_out, amount)).await;
            let quote = quote.expect("a quote");
            assert_eq!(quote.kept, Kept::by_pool(millionths), "{token_in}");
            assert!(quote.price_impact_bps <= 2, "{}", quote.price_impact_bps);
        }
    }
    let request = SurveyRequest {
        token,
        quote: NATIVE,
        amount: cent,
        ladder: vec![],
    };
    let found = world.venue.survey(&request).await.expect("an answer");
    let listed = found
        .pools
        .iter()
        .find(|listed| listed.pool == pool)
        .expect("listed");
    assert_eq!((listed.fee_bps, listed.venue), (None, "Slipstream (V3)"));
    let lost = listed.round_trip_bps.expect("it comes back");
    assert!((1..=5).contains(&lost) && listed.refused.is_none(), "{listed:?}");
}

#[tokio::test]
async fn its_floor_holds_on_the_chain() {
    let world = World::with_slipstream().await;
    let token = token(&world, Pool::Slipstream(Slipstream::Initial, 200)).await;
    let buy = world.swap(NATIVE, token, coins(1));
    let quote = world.venue.quote(&buy).await.expect("a quote");
    let more = Amount::new(quote.amount_out.units() + U256::from(1));
    assert!(
        world.venue.calls(&buy, more, soon()).await.is_err(),
        "a floor above what arrives"
    );
    let calls = world
        .venue
        .calls(&buy, quote.amount_out, soon())
        .await
        .expect("calls");
    // Its fee rises before the block.
    world
        .devnet
        .set_slipstream_fee(Slipstream::Initial, 50_000)
        .await
        .expect("a module");
    let before = world.balance(token).await;
    let swap = calls.last().expect("a swap");
    assert_eq!(world.send(swap).await["status"], "0x0", "less than the floor");
    assert_eq!(world.balance(token).await, before);
}
