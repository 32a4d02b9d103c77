//! Forks of Uniswap V2 that settings name: found, tried, bought and sold both ways through their own router.

use alloy_primitives::{Address, B256, U256};
use lgi_mm::{
    chain::{ChainFile, SurveyRequest, fork_misfits},
    domain::{
        kept::Kept,
        onchain::SwapRequest,
        pool::{NATIVE, Pool},
        units::Amount,
    },
    ports::Venue,
};

use crate::venue::world::{World, coins, soon};

fn pool() -> Pool {
    World::pool("v2:fork")
}

/// A token at ten thousand for a coin, in the fork's pair alone.
async fn token(world: &World) -> Address {
    let token = world.devnet.add_token("FORKED", 18).await.expect("a token");
    let made = world.devnet.add_pool(token, coins(1_000_000), coins(100), pool());
    made.await.expect("a pool");
    token
}

#[tokio::test]
async fn a_fork_fills_what_it_quoted_both_ways_through_its_own_router() {
    let world = World::with_v2_fork(|_| {}).await;
    world.wrap(coins(20)).await;
    let (token, router) = (token(&world).await, world.spec.v2_forks[0].router);
    let tenth = coins(1) / U256::from(10);
    for quote in [NATIVE, world.at().weth] {
        for pinned in [Some(pool()), None] {
            let name = format!("with {quote}, pinned: {pinned:?}");
            let buy = SwapRequest {
                pool: pinned,
                prove_sell: true,
                ..world.swap(quote, token, tenth)
            };
            let quoted = world.venue.quote(&buy).await.expect(&name);
            assert_eq!(quoted.kept, Kept::by_pool(3_000), "{name}");
            assert!((9..=12).contains(&quoted.price_impact_bps), "{name}: {quoted:?}");
            let calls = world.venue.calls(&buy, quoted.amount_out, soon()).await;
            let calls = calls.expect(&name);
            assert_eq!(calls.last().map(|call| call.to), Some(router), "{name}");
            let bought = world.fill(token, &calls).await;
            assert_eq!(bought, quoted.amount_out.units(), "{name}: buy");
            let sell = SwapRequest {
                pool: pinned,
                ..world.swap(token, quote, bought)
            };
            let (quoted, sold) = world.trade(&sell).await.expect(&name);
            assert_eq!(sold, quoted, "{name}: sell");
            for asset in [token, world.at().weth] {
                assert_eq!(world.allowance(asset, router).await, U256::ZERO, "{name}");
            }
        }
    }
    let request = SurveyRequest {
        token,
        quote: NATIVE,
        amount: tenth,
        ladder: vec![],
    };
    let found = world.venue.survey(&request).await.expect("an answer");
    let listed = found.pools.iter().find(|listed| listed.pool == pool());
    let listed = listed.expect("listed");
    assert_eq!((listed.fee_bps, listed.venue), (Some(30), "V2 fork"));
    assert!(listed.refused.is_none(), "{listed:?}");
    assert!(found.asked.contains("1 of forks of V2"), "{}", found.asked);
    // Uniswap's own pair is another one.
    let other = SwapRequest {
        pool: Some(Pool::V2),
        ..world.swap(NATIVE, token, tenth)
    };
    assert!(world.venue.quote(&other).await.is_err());
}

#[tokio::test]
async fn a_token_with_a_fee_on_transfers_is_traded_in_a_fork_for_what_arrives_and_no_less() {
    let world = World::with_v2_fork(|_| {}).await;
    let taxed = world.at().taxed;
    let made = world.devnet.add_pool(taxed, coins(100_000), coins(100), pool());
    made.await.expect("a pool");
    let buy = SwapRequest {
        pool: Some(pool()),
        prove_sell: true,
        ..world.swap(NATIVE, taxed, coins(1) / U256::from(10))
    };
    let quote = world.venue.quote(&buy).await.expect("a quote");
    let more = Amount::new(quote.amount_out.units() + U256::from(1));
    assert!(
        world.venue.calls(&buy, more, soon()).await.is_err(),
        "more than arrives"
    );
    let (quoted, bought) = world.trade(&buy).await.expect("bought");
    assert_eq!(bought, quoted);
    let sell = SwapRequest {
        pool: Some(pool()),
        ..world.swap(taxed, NATIVE, bought)
    };
    let (quoted, sold) = world.trade(&sell).await.expect("sold");
    assert_eq!(sold, quoted);
}

/// A wrong line of the settings costs no money: the pair that it names answers nothing, and the check says which line.
#[tokio::test]
async fn what_does_not_belong_together_is_never_traded_blindly_and_the_check_names_it() {
    type Change = fn(&mut ChainFile);
    let uniswap = |keys: &mut ChainFile| {
        let factory = keys.contracts["v2_factory"];
        keys.v2_forks.get_mut("fork").expect("it").factory = factory;
    };
    let changes: [(Change, &[&str]); 4] = [
        (|_| {}, &[]),
        (
            |keys| keys.v2_forks.get_mut("fork").expect("it").init_code_hash = B256::repeat_byte(7),
            &["v2_forks.fork.init_code_hash is not the hash"],
        ),
        (uniswap, &["v2_forks.fork.router", "swaps in pairs of factory"]),
        (
            |keys| keys.v2_forks.get_mut("fork").expect("it").router = Address::repeat_byte(9),
            &["v2_forks.fork.router", "is no router of V2's kind"],
        ),
    ];
    for (change, said) in changes {
        let world = World::with_v2_fork(change).await;
        let at = world.at().clone();
        let dollars = U256::from(3_000_000_000_000_u64);
        let right = said.is_empty();
        if right || said[0].contains("init_code_hash") {
            let made = world.devnet.add_pool(at.usdc, dollars, coins(1_000), pool());
            made.await.expect("a pair to compare");
        }
        let rpc = lgi_mm::chain::Rpc::new(&world.spec).expect("nodes");
        let wrong = fork_misfits(&rpc, &world.spec)
            .await
            .expect("an answer")
            .join("; ");
        assert_eq!(wrong.is_empty(), right, "{wrong}");
        for part in said {
            assert!(wrong.contains(part), "{wrong}");
        }
        let token = world.devnet.add_token("FORKED", 18).await.expect("a token");
        let made = world.devnet.add_pool(token, coins(1_000_000), coins(100), pool());
        made.await.expect("a pool");
        let buy = SwapRequest {
            pool: Some(pool()),
            ..world.swap(NATIVE, token, coins(1) / U256::from(10))
        };
        match world.venue.quote(&buy).await {
            Ok(quote) if right => assert!(quote.price_impact_bps < 100, "{quote:?}"),
            Ok(quote) => assert_eq!(quote.price_impact_bps, 10_000, "nothing to measure against"),
            Err(error) => assert!(!right, "{error}"),
        }
    }
}
