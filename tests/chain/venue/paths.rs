//! Routes of several V3 pools through other tokens: found, quoted, traded both ways in one transaction each, and left
//! where a shorter one brings more.

use alloy_primitives::{Address, U256};
use lgi_mm::{
    devnet::NAME,
    domain::{
        onchain::SwapRequest,
        pool::{NATIVE, Pool},
        span::Span,
    },
    ports::Venue,
    store::pools,
};

use crate::venue::world::{World, coins, soon};

/// A token that trades against `near` alone, that against `far`, and that against the native coin: as deep as a hundred
/// coins everywhere.
async fn far_away(world: &World, [near, far]: [Address; 2]) -> Address {
    let token = world.devnet.add_token("AWAY", 18).await.expect("a token");
    let six = U256::from(300_000_000_000_u64);
    for (stakes, fee) in [
        ([(token, coins(1_000_000)), (near, coins(300_000))], 3_000),
        ([(near, coins(300_000)), (far, six)], 500),
        ([(far, six), (world.at().weth, coins(100))], 500),
    ] {
        world.devnet.add_v3_pool(stakes, fee).await.expect("a pool");
    }
    token
}

fn buy(world: &World, token: Address) -> SwapRequest {
    SwapRequest {
        prove_sell: true,
        ..world.swap(NATIVE, token, coins(1) / U256::from(10))
    }
}

/// The pool of the newest quote, as the ledger has it.
async fn best(world: &World, token: Address) -> Pool {
    world.venue.quote(&buy(world, token)).await.expect("a quote");
    let known = pools::find(&world.db.pool, NAME, (token, NATIVE), Span::from_secs(600)).await;
    known.expect("an answer").expect("a pool")
}

#[tokio::test]
async fn a_token_that_only_three_pools_reach_is_bought_and_sold_through_them() {
    let (world, [near, far]) = World::with_connectors().await;
    let token = far_away(&world, [near, far]).await;
    let route = World::pool(&format!("v3:3000/{near:#x}/500/{far:#x}/500"));
    assert_eq!(best(&world, token).await, route);
    let (quoted, came) = world.trade(&buy(&world, token)).await.expect("bought");
    assert_eq!(quoted, came);
    // Constant product in fractions: 0.1 of 100 coins, a thousandth, moves each of three pools by as much, and their
    // fees are 0.4 % together: between 99.1 % and 99.4 % of a thousandth of the million.
    let whole = coins(1_000);
    assert!(came > whole * U256::from(991) / U256::from(1_000), "{came}");
    assert!(came < whole * U256::from(994) / U256::from(1_000), "{came}");
    let (quoted, back) = world.trade(&world.swap(token, NATIVE, came)).await.expect("sold");
    assert_eq!(quoted, back);
    assert_eq!(world.balance(token).await, U256::ZERO);
    for between in [near, far] {
        assert_eq!(
            world.balance(between).await,
            U256::ZERO,
            "nothing stays on the way"
        );
    }
    // There and back costs the fees twice, and hardly more.
    assert!(
        back > coins(1) / U256::from(10) * U256::from(991) / U256::from(1_000),
        "{back}"
    );
}

/// Whether the swap of a buy goes through this token: routers read the tokens on the way from its calldata.
async fn goes_through(world: &World, token: Address, between: Address) -> bool {
    let request = buy(world, token);
    let quote = world.venue.quote(&request).await.expect("a quote");
    let calls = world.venue.calls(&request, quote.amount_out, soon()).await;
    let swap = calls.expect("calls").pop().expect("a swap");
    swap.data.windows(20).any(|part| part == between.as_slice())
}

#[tokio::test]
async fn of_two_routes_the_one_that_brings_more_is_taken_however_long_it_is() {
    let (world, connectors) = World::with_connectors().await;
    let token = far_away(&world, connectors).await;
    // A dear pool with the coin itself does not hide the long route.
    let dear = world
        .devnet
        .add_pool(token, coins(900_000), coins(100), Pool::V3(10_000));
    dear.await.expect("a pool");
    assert!(goes_through(&world, token, connectors[0]).await);
    // One that gives more than the long route is taken instead.
    let good = world
        .devnet
        .add_pool(token, coins(1_000_000), coins(100), Pool::V3(500));
    good.await.expect("a pool");
    assert!(!goes_through(&world, token, connectors[0]).await);
}

#[tokio::test]
async fn a_route_of_two_pools_through_a_token_or_usdc_is_found_and_paid_in_either() {
    let (world, [near, _]) = World::with_connectors().await;
    let (weth, usdc) = (world.at().weth, world.at().usdc);
    for (between, stake, name) in [
        (near, coins(300_000), "NEARBY"),
        (usdc, U256::from(300_000_000_000_u64), "DOLLAR"),
    ] {
        let token = world.devnet.add_token(name, 18).await.expect("a token");
        let stakes = [(token, coins(1_000_000)), (between, stake)];
        world.devnet.add_v3_pool(stakes, 3_000).await.expect("a pool");
        if between == near {
            let stakes = [(near, stake), (weth, coins(100))];
            world.devnet.add_v3_pool(stakes, 500).await.expect("a pool");
        }
        let found = best(&world, token).await;
        assert!(found.to_string().contains(&format!("/{between:#x}/")), "{found}");
        let (_, came) = world.trade(&buy(&world, token)).await.expect("bought");
        world.trade(&world.swap(token, NATIVE, came)).await.expect("sold");
        assert_eq!(world.balance(token).await, U256::ZERO);
    }
}

#[tokio::test]
async fn without_connectors_no_route_through_other_tokens_is_asked() {
    let (mut world, connectors) = World::with_connectors().await;
    let token = far_away(&world, connectors).await;
    let mut spec = (*world.spec).clone();
    spec.connectors = vec![];
    let spec = std::sync::Arc::new(spec);
    let rpc = lgi_mm::chain::Rpc::new(&spec).expect("nodes");
    world.venue = lgi_mm::chain::BestOf::new(rpc, spec, world.db.pool.clone());
    let refused = world.venue.quote(&buy(&world, token)).await;
    let said = refused
        .map(|quote| quote.amount_out)
        .expect_err("no way")
        .to_string();
    assert!(said.contains("V3"), "{said}");
}
