//! What limits refuse in a quote is not signed either: between the two a pool may have changed, or another one be best.

use alloy_primitives::{Address, U256};
use lgi_mm::{
    domain::{
        onchain::{Checks, SwapRequest},
        pool::{NATIVE, Pool},
        span::Span,
        units::Amount,
    },
    ports::{QuoteError, Venue},
};

use crate::venue::world::{World, coins, soon};

/// A buy for one of the ten coins of a pool of 1 %: it moves the price by about a tenth.
async fn buy_in(world: &World, pool: Pool) -> SwapRequest {
    let token = world.devnet.add_token("LIMITED", 18).await.expect("a token");
    let made = world.devnet.add_pool(token, coins(1_000_000), coins(10), pool);
    made.await.expect("a pool");
    SwapRequest {
        prove_sell: true,
        checks: Checks {
            round_trip_loss_max_bps: 5_000,
            ..Checks::none()
        },
        ..world.swap(NATIVE, token, coins(1))
    }
}

/// The limits that the buy breaks, one at a time, and what the refusal names.
fn broken() -> [(Checks, &'static str); 3] {
    let none = Checks {
        round_trip_loss_max_bps: 5_000,
        ..Checks::none()
    };
    let impact = Checks {
        impact_max_bps: Some(100),
        ..none
    };
    let fee = Checks {
        kept_max_bps: Some(50),
        ..none
    };
    let age = Checks {
        pool_age_min: Some(Span::from_secs(86_400)),
        ..none
    };
    [
        (impact, "limits.max_price_impact_bps"),
        (fee, "limits.max_pool_fee_bps"),
        (age, "venue.min_pool_age"),
    ]
}

/// A job's plan is quoted first; this one was within its limits then.
#[tokio::test]
async fn a_buy_is_not_signed_in_a_pool_that_breaks_the_limits_of_its_job() {
    let world = World::new().await;
    for pool in [Pool::V3(10_000), Pool::V2] {
        let open = buy_in(&world, pool).await;
        let calls = world.venue.calls(&open, Amount::ZERO, soon()).await;
        calls.expect("without limits it is signed");
        for (checks, named) in broken() {
            if pool == Pool::V2 && checks.kept_max_bps.is_some() {
                continue;
            }
            let buy = SwapRequest { checks, ..open };
            let quoted = world.venue.quote(&buy).await;
            quoted.expect("quoted, for the limits to refuse");
            let signed = world.venue.calls(&buy, Amount::ZERO, soon()).await;
            let refused = signed.expect_err(named);
            assert!(matches!(refused, QuoteError::NoLiquidity(_)), "{refused}");
            let said = refused.to_string();
            assert!(said.contains(named), "{pool}: {said}");
        }
    }
}

#[tokio::test]
async fn of_two_pools_the_one_within_the_limits_is_signed_although_the_other_gives_more() {
    let world = World::new().await;
    let token = world.devnet.add_token("TWO", 18).await.expect("a token");
    for (stake, pool) in [(1_100_000, Pool::V3(10_000)), (1_000_000, Pool::V3(500))] {
        let made = world.devnet.add_pool(token, coins(stake), coins(10), pool);
        made.await.expect("a pool");
    }
    let buy = SwapRequest {
        prove_sell: true,
        checks: Checks {
            kept_max_bps: Some(50),
            ..Checks::none()
        },
        ..world.swap(NATIVE, token, coins(1) / U256::from(100))
    };
    let quote = world.venue.quote(&buy).await.expect("a quote");
    let calls = world.venue.calls(&buy, quote.amount_out, soon()).await;
    let came = world.fill(token, &calls.expect("calls")).await;
    assert_eq!(came, quote.amount_out.units());
    assert!(came < coins(1_000), "the cheaper pool: {came}");
}

#[tokio::test]
async fn a_buy_is_not_signed_in_a_token_that_cannot_be_sold_any_more() {
    let world = World::new().await;
    let buy = SwapRequest {
        prove_sell: true,
        ..world.swap(NATIVE, world.at().trap, coins(1) / U256::from(10))
    };
    let quote = world.venue.quote(&buy).await.expect("an open trap");
    let floor = quote.amount_out;
    let calls = world.venue.calls(&buy, floor, soon()).await;
    calls.expect("signed while it can be sold");
    world.devnet.shut_trap(true).await.expect("shut");
    let signed = world.venue.calls(&buy, floor, soon()).await;
    let refused = signed.expect_err("it cannot be sold");
    assert!(matches!(refused, QuoteError::Unsellable(_)), "{refused}");
}

#[tokio::test]
async fn a_sale_is_signed_whatever_its_limits_say() {
    let world = World::new().await;
    let open = buy_in(&world, Pool::V3(10_000)).await;
    let (_, came) = world.trade(&open).await.expect("bought");
    let token: Address = open.token_out;
    for (checks, named) in broken() {
        let sale = SwapRequest {
            checks,
            ..world.swap(token, NATIVE, came / U256::from(4))
        };
        let calls = world.venue.calls(&sale, Amount::ZERO, soon()).await;
        let back = world.fill(NATIVE, &calls.expect(named)).await;
        assert!(back > U256::ZERO, "{named}");
    }
}
