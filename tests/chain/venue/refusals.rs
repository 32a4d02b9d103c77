//! Swaps that must not be made, and their messages.

use alloy_primitives::{Address, U256};
use chrono::{TimeDelta, Utc};
use lgi_mm::{
    domain::{onchain::SwapRequest, pool::NATIVE, units::Amount},
    ports::{QuoteError, Venue},
};

use crate::venue::world::{WALLET, World, coins, soon};

#[tokio::test]
async fn a_trap_is_refused_before_the_first_buy() {
    let world = World::new().await;
    let buy = SwapRequest {
        prove_sell: true,
        ..world.swap(NATIVE, world.at().trap, coins(1) / U256::from(10))
    };
    world
        .venue
        .quote(&buy)
        .await
        .expect("an open trap is a token like any other");
    world.devnet.shut_trap(true).await.expect("shut");
    let refused = world.venue.quote(&buy).await.expect_err("it cannot be sold");
    assert!(matches!(refused, QuoteError::Unsellable(_)), "{refused}");
    let blind = SwapRequest {
        prove_sell: false,
        ..buy
    };
    world
        .venue
        .quote(&blind)
        .await
        .expect("nobody asked whether it can be sold");
}

#[tokio::test]
async fn an_absurd_size_has_an_absurd_impact() {
    let world = World::new().await;
    world
        .devnet
        .node
        .set_balance(WALLET, coins(1_000_000))
        .await
        .expect("rich");
    for (spend, least, most) in [
        (coins(1) / U256::from(1_000), 0, 2),
        (coins(1), 80, 220),
        (coins(90_000), 9_900, 10_000),
    ] {
        let buy = world.swap(NATIVE, world.at().token, spend);
        let quote = world.venue.quote(&buy).await.expect("a quote");
        let impact = quote.price_impact_bps;
        assert!((least..=most).contains(&impact), "{spend}: {impact} bps");
    }
}

#[tokio::test]
async fn a_wallet_that_cannot_pay_still_learns_the_price() {
    let world = World::new().await;
    let at = world.at().clone();
    for (token_in, token_out, amount) in [
        (at.token, NATIVE, coins(1_000_000)),
        (NATIVE, at.token, coins(101)),
        (at.usdc, at.token, U256::from(100_001_000_000_u64)),
    ] {
        let swap = SwapRequest {
            prove_sell: true,
            ..world.swap(token_in, token_out, amount)
        };
        let quote = world.venue.quote(&swap).await.expect("a quote");
        assert!(
            !quote.amount_out.is_zero() && quote.gas_units > 100_000,
            "{quote:?}"
        );
        let calls = world.venue.calls(&swap, Amount::ZERO, soon()).await;
        assert!(matches!(calls, Err(QuoteError::Reverts(_))), "{calls:?}");
    }
}

#[tokio::test]
async fn a_pair_that_nobody_trades_is_told_what_was_asked() {
    let world = World::new().await;
    let nothing = Address::repeat_byte(0x5c);
    for (token, pool) in [
        (nothing, None),
        (world.at().token, Some(World::pool("v3:100"))),
        (world.at().token, Some(world.at().clanker_pool)),
    ] {
        let buy = SwapRequest {
            pool,
            ..world.swap(NATIVE, token, coins(1))
        };
        let refused = world.venue.quote(&buy).await.expect_err("no pool");
        assert!(matches!(refused, QuoteError::NoLiquidity(_)), "{refused}");
        let told = refused.to_string();
        assert!(told.contains("V3") || told.contains("pinned pool"), "{told}");
    }
}

#[tokio::test]
async fn past_its_deadline_a_swap_reverts() {
    let world = World::new().await;
    let at = world.at().clone();
    let mut late = soon();
    for (token, pool) in [
        (at.token, World::pool("v3:10000")),
        (at.token, World::pool("v2")),
        (at.clanker, at.clanker_pool),
    ] {
        let buy = SwapRequest {
            pool: Some(pool),
            ..world.swap(NATIVE, token, coins(1))
        };
        let refused = world
            .venue
            .calls(&buy, Amount::ZERO, Utc::now() - TimeDelta::days(2))
            .await;
        let refused = refused.expect_err("it is too late").to_string();
        assert!(
            refused.contains("Transaction too old") || refused.contains("DeadlinePassed"),
            "{refused}"
        );
        let calls = world.venue.calls(&buy, Amount::ZERO, late).await.expect("calls");
        world.next_block_at(late.timestamp() + 1).await;
        let receipt = world.send(calls.last().expect("a swap")).await;
        assert_eq!(receipt["status"], "0x0", "{pool}");
        late += TimeDelta::days(1);
    }
}

#[tokio::test]
async fn a_floor_that_cannot_be_reached_is_refused_before_anything_is_signed() {
    let world = World::new().await;
    let at = world.at().clone();
    for (token, pool) in [(at.token, "v3:10000"), (at.token, "v2")] {
        let buy = SwapRequest {
            pool: Some(World::pool(pool)),
            ..world.swap(NATIVE, token, coins(1))
        };
        let quote = world.venue.quote(&buy).await.expect("a quote");
        let floor = Amount::new(quote.amount_out.units() + U256::from(1));
        let refused = world
            .venue
            .calls(&buy, floor, soon())
            .await
            .expect_err("too much");
        assert!(matches!(refused, QuoteError::Reverts(_)), "{refused}");
    }
}
