//! Tokens of few decimals in real pools: how far a swap of few units moves them, and what proves nothing.

use alloy_primitives::{Address, Bytes, U256};
use lgi_mm::{
    chain::{OnchainPrices, Rpc},
    domain::{
        config::SourceName,
        onchain::SwapRequest,
        pool::{NATIVE, Pool},
        units::Amount,
    },
    ports::{PoolPriceRequest, PoolPrices, QuoteError, Venue},
};

use crate::venue::world::{WALLET, World, coins, soon};

const V3: Pool = Pool::V3(3_000);

async fn token(world: &World, decimals: u8, units: u64, wei: U256, pools: &[Pool]) -> Address {
    let devnet = &world.devnet;
    let token = devnet.add_token("FEW", decimals).await.expect("a token");
    for pool in pools {
        let stake = U256::from(units);
        devnet.add_pool(token, stake, wei, *pool).await.expect("a pool");
    }
    token
}

fn of(pool: Pool, swap: SwapRequest) -> SwapRequest {
    SwapRequest {
        pool: Some(pool),
        prove_sell: swap.token_in == NATIVE,
        ..swap
    }
}

/// Units and basis points of the pair are from Python's fractions; the pool may only say less.
#[tokio::test]
async fn the_impact_of_few_units_is_no_more_than_the_pool_moves() {
    let world = World::new().await;
    let milli = coins(1) / U256::from(1_000);
    for (decimals, units, wei, pay, out, bps) in [
        (0, 5_000_000, coins(200), milli * U256::from(4), 99, 1),
        (2, 40_000_000, coins(200), milli * U256::from(4), 797, 1),
        (0, 1_000, coins(10), coins(1), 90, 907),
        (0, 300, coins(400), coins(3), 2, 75),
    ] {
        let token = token(&world, decimals, units, wei, &[Pool::V2, V3]).await;
        let buy = world.swap(NATIVE, token, pay);
        let pair = world.venue.quote(&of(Pool::V2, buy)).await.expect("a quote");
        assert_eq!(
            (pair.amount_out, pair.price_impact_bps),
            (Amount::new(U256::from(out)), bps),
            "{units}"
        );
        // V3 says whole units only: what they do not prove is not claimed, and what they prove is.
        let unproven = SwapRequest {
            prove_sell: false,
            ..of(V3, buy)
        };
        let pool = world.venue.quote(&unproven).await.expect("a quote");
        assert!(pool.price_impact_bps <= bps, "{units}: {pool:?}");
        assert!(bps < 900 || pool.price_impact_bps > 100, "{units}: {pool:?}");
        // Fine units on the other side: nothing is rounded in the pair.
        world
            .devnet
            .give(token, WALLET, U256::from(out))
            .await
            .expect("given");
        let sale = world.swap(token, NATIVE, U256::from(out));
        let sale = world.venue.quote(&of(Pool::V2, sale)).await.expect("a quote");
        assert!(
            sale.price_impact_bps.abs_diff(bps) <= bps / 9 + 1,
            "{units}: {sale:?}"
        );
    }
}

#[tokio::test]
async fn a_drained_pair_of_few_units_is_refused() {
    let world = World::new().await;
    let token = token(&world, 0, 1_000, coins(10), &[Pool::V2]).await;
    world
        .devnet
        .node
        .set_balance(WALLET, coins(100_000))
        .await
        .expect("rich");
    let all = world.swap(NATIVE, token, coins(9_000));
    world.trade(&all).await.expect("drained");
    for pay in [coins(1) / U256::from(1_000), coins(1)] {
        let refused = world.venue.quote(&world.swap(NATIVE, token, pay)).await;
        assert!(matches!(refused, Err(QuoteError::NoLiquidity(_))), "{refused:?}");
    }
}

/// A hundred dollars buy nothing of it, and its pool still has a price.
#[tokio::test]
async fn a_token_of_which_a_hundred_dollars_buy_no_unit_has_a_price() {
    let world = World::new().await;
    let expensive = token(&world, 0, 300, coins(400), &[Pool::V2]).await;
    let both = token(&world, 0, 3_000, coins(40), &[V3]).await;
    let rpc = Rpc::new(&world.spec).expect("nodes");
    let prices = OnchainPrices::new(rpc, world.spec.clone());
    for (token, usd) in [(expensive, "4000"), (both, "40")] {
        let request = PoolPriceRequest {
            token,
            quote: NATIVE,
            pool: None,
            decimals: Some(0),
            source: SourceName::Onchain,
        };
        let seen = prices
            .pool_prices(&[request])
            .await
            .remove(0)
            .expect("a price")
            .price_usd;
        let expected: rust_decimal::Decimal = usd.parse().expect("a decimal");
        let off = (seen - expected).abs() / expected;
        assert!(off < "0.00001".parse().expect("a decimal"), "{seen} is not {usd}");
    }
}

/// A wallet that delegated its account to a contract which takes no coins: the token is not to blame.
#[tokio::test]
async fn a_wallet_whose_code_refuses_coins_is_named() {
    let world = World::new().await;
    let refuses = Address::repeat_byte(0x5e);
    let node = &world.devnet.node;
    // PUSH0 PUSH0 REVERT, and the code of a delegated account.
    node.set_code(refuses, &Bytes::from_static(&[0x5f, 0x5f, 0xfd]))
        .await
        .expect("code");
    let delegated = [&[0xef, 0x01, 0x00], refuses.as_slice()].concat();
    node.set_code(WALLET, &delegated.into()).await.expect("delegated");
    let token = world.at().token;
    let buy = world.swap(NATIVE, token, coins(1) / U256::from(100));
    let refused = world.venue.quote(&of(Pool::V2, buy)).await.expect_err("refused");
    let told = refused.to_string();
    assert!(
        matches!(refused, QuoteError::Unsellable(_))
            && told.contains(&format!(
                "the wallet {WALLET} is delegated to the contract {refuses}"
            )),
        "{told}"
    );
    world.devnet.give(token, WALLET, coins(10)).await.expect("given");
    // What it holds can be sold all the same: it is paid in the wrapped coin.
    let sale = of(Pool::V2, world.swap(token, NATIVE, coins(10)));
    let quote = world.venue.quote(&sale).await.expect("a way out");
    let calls = world
        .venue
        .calls(&sale, quote.amount_out, soon())
        .await
        .expect("calls");
    assert_eq!(
        world.fill(world.at().weth, &calls).await,
        quote.amount_out.units()
    );
}
