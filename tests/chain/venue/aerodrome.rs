//! Aerodrome: pools of both curves found, tried, bought and sold, with the fee that the factory says at the moment.

use alloy_primitives::{Address, U256};
use lgi_mm::{
    chain::SurveyRequest,
    domain::{
        kept::Kept,
        onchain::SwapRequest,
        pool::{Curve, NATIVE, Pool},
        units::Amount,
    },
    ports::Venue,
};

use crate::venue::world::{World, coins, soon};

const VOLATILE: Pool = Pool::Aerodrome(Curve::Volatile);
const STABLE: Pool = Pool::Aerodrome(Curve::Stable);

/// A token in one pool with a hundred coins: ten thousand for a coin, or one where the curve is the stable one.
async fn token(world: &World, curve: Curve, digits: u8) -> Address {
    let token = world.devnet.add_token("AERO", digits).await.expect("a token");
    let whole = U256::from(10).pow(U256::from(digits));
    let stake = match curve {
        Curve::Volatile => U256::from(1_000_000),
        Curve::Stable => U256::from(100),
    };
    world
        .devnet
        .add_pool(token, stake * whole, coins(100), Pool::Aerodrome(curve))
        .await
        .expect("a pool");
    token
}

/// Buys, sells all that came in the same way, and leaves nothing allowed.
async fn there_and_back(world: &World, buy: &SwapRequest, name: &str) {
    let (quote, token, spend) = (buy.token_in, buy.token_out, buy.amount_in.units());
    let router = world.spec.contracts.aerodrome_router;
    let quoted = world.venue.quote(buy).await.expect(name);
    let calls = world
        .venue
        .calls(buy, quoted.amount_out, soon())
        .await
        .expect(name);
    assert_eq!(calls.last().map(|call| call.to), Some(router), "{name}");
    let bought = world.fill(token, &calls).await;
    assert_eq!(bought, quoted.amount_out.units(), "{name}: buy");
    let sell = SwapRequest {
        pool: buy.pool,
        ..world.swap(token, quote, bought)
    };
    let (quoted, sold) = world.trade(&sell).await.expect(name);
    assert_eq!(sold, quoted, "{name}: sell");
    assert!(
        sold < spend && sold > spend * U256::from(98) / U256::from(100),
        "{name}: {sold} of {spend}"
    );
    for asset in [token, quote] {
        if asset != NATIVE {
            assert_eq!(
                world.allowance(asset, router).await,
                U256::ZERO,
                "{name}: {asset}"
            );
        }
    }
}

#[tokio::test]
async fn pools_of_both_curves_fill_what_they_quoted_both_ways_with_every_quote() {
    let world = World::with_aerodrome().await;
    world.wrap(coins(20)).await;
    let at = world.at().clone();
    world
        .devnet
        .add_pool(at.usdc, U256::from(3_000_000_000_000_u64), coins(1_000), VOLATILE)
        .await
        .expect("a pool");
    let tenth = coins(1) / U256::from(10);
    for (curve, digits) in [
        (Curve::Volatile, 18),
        (Curve::Stable, 18),
        (Curve::Stable, 6),
        (Curve::Volatile, 8),
    ] {
        let token = token(&world, curve, digits).await;
        for (quote, spend, expected) in [
            (NATIVE, tenth, Pool::Aerodrome(curve)),
            (at.weth, tenth, Pool::Aerodrome(curve)),
            (
                at.usdc,
                U256::from(300_000_000),
                Pool::AerodromeHops(curve, Curve::Volatile),
            ),
        ] {
            for pool in [Some(expected), None] {
                let buy = SwapRequest {
                    pool,
                    prove_sell: true,
                    ..world.swap(quote, token, spend)
                };
                let name = format!("{expected} of {digits} digits with {quote}, pinned: {pool:?}");
                there_and_back(&world, &buy, &name).await;
            }
        }
        // A pool of the other curve is none of this token's.
        let other = if curve == Curve::Stable { VOLATILE } else { STABLE };
        let buy = SwapRequest {
            pool: Some(other),
            ..world.swap(NATIVE, token, tenth)
        };
        assert!(world.venue.quote(&buy).await.is_err(), "there is no {other}");
    }
}

/// The factory's owner sets the fee of a curve, and may change it at any time: it is read with each quote.
#[tokio::test]
async fn fee_and_impact_are_what_the_factory_and_the_curve_say_at_the_moment() {
    let world = World::with_aerodrome().await;
    let cent = coins(1) / U256::from(100);
    for (curve, usual, per_coin) in [(Curve::Volatile, 30, 10_000), (Curve::Stable, 5, 1)] {
        let token = token(&world, curve, 18).await;
        for (set, bps) in [(None, usual), (Some(123), 123), (Some(1), 1)] {
            if let Some(fee) = set {
                let changed = world.devnet.set_aerodrome_fee(curve, fee).await;
                changed.expect("a fee");
            }
            for (token_in, token_out, amount) in [
                (NATIVE, token, cent),
                (token, NATIVE, cent * U256::from(per_coin)),
            ] {
                let quote = world.venue.quote(&world.swap(token_in, token_out, amount)).await;
                let quote = quote.expect("a quote");
                assert_eq!(quote.kept, Kept::by_pool(bps * 100), "{curve} {token_in}");
                assert!(quote.price_impact_bps <= 2, "{curve}: {}", quote.price_impact_bps);
            }
        }
        // Half the pool: the volatile curve gives a third of it, the stable one nearly all.
        let much = world.venue.quote(&world.swap(NATIVE, token, coins(50))).await;
        let impact = much.expect("a quote").price_impact_bps;
        let expected = if curve == Curve::Stable {
            530..=570
        } else {
            3_300..=3_400
        };
        assert!(expected.contains(&impact), "{curve}: {impact}");
        let request = SurveyRequest {
            token,
            quote: NATIVE,
            amount: cent,
            ladder: vec![],
        };
        let found = world.venue.survey(&request).await.expect("an answer");
        let of = |pool: Pool| found.pools.iter().find(|listed| listed.pool == pool);
        let listed = of(Pool::Aerodrome(curve)).expect("listed");
        assert_eq!((listed.fee_bps, listed.venue), (None, "Aerodrome"));
        let lost = listed.round_trip_bps.expect("it comes back");
        assert!((1..=5).contains(&lost) && listed.refused.is_none(), "{listed:?}");
    }
}

#[tokio::test]
async fn its_floor_holds_on_the_chain_and_a_stop_of_its_factory_is_told() {
    let world = World::with_aerodrome().await;
    let token = token(&world, Curve::Volatile, 18).await;
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
        .set_aerodrome_fee(Curve::Volatile, 300)
        .await
        .expect("a fee");
    let before = world.balance(token).await;
    let swap = calls.last().expect("a swap");
    assert_eq!(world.send(swap).await["status"], "0x0", "less than the floor");
    assert_eq!(world.balance(token).await, before);
    world.devnet.pause_aerodrome(true).await.expect("paused");
    let refused = world.venue.quote(&buy).await.expect_err("paused").to_string();
    assert!(
        refused.contains("IsPaused: the factory stopped all swaps"),
        "{refused}"
    );
    world.devnet.pause_aerodrome(false).await.expect("it goes on");
    world.trade(&buy).await.expect("as before");
}

/// The router compares what the receiver got, so that a fee on transfers is part of the floor.
#[tokio::test]
async fn a_token_with_a_fee_on_transfers_is_traded_for_what_arrives() {
    let world = World::with_aerodrome().await;
    let at = world.at().clone();
    world
        .devnet
        .add_pool(at.taxed, coins(100_000), coins(100), VOLATILE)
        .await
        .expect("a pool");
    let buy = SwapRequest {
        pool: Some(VOLATILE),
        prove_sell: true,
        ..world.swap(NATIVE, at.taxed, coins(1) / U256::from(10))
    };
    let (quoted, bought) = world.trade(&buy).await.expect("bought");
    assert_eq!(bought, quoted);
    let sell = SwapRequest {
        pool: Some(VOLATILE),
        ..world.swap(at.taxed, NATIVE, bought)
    };
    let (quoted, sold) = world.trade(&sell).await.expect("sold");
    assert_eq!(sold, quoted);
}
