//! How old pools are: whatever exchange made them, a factory's log tells.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use alloy_primitives::{Address, U256};
use axum::{Router, body::Bytes, extract::State, routing::post};
use lgi_mm::{
    chain::BestOf,
    domain::{
        onchain::{Launched, SwapRequest},
        pool::{Curve, NATIVE, Pool, PoolKey, Slipstream},
        span::Span,
    },
    ports::Venue,
};
use testkit::serve;

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

/// A pool of V4 of the coin and `token` whose fee no list has.
async fn odd_pool(world: &World, token: Address, fee: u32, stakes: [U256; 2]) {
    let key = PoolKey {
        currency0: NATIVE,
        currency1: token,
        fee,
        tick_spacing: 60,
        hooks: Address::ZERO,
    };
    world.devnet.add_v4_pool(&key, stakes).await.expect("a pool");
}

fn age_is_known(launched: Option<Launched>) -> bool {
    launched.is_some_and(|launched| launched.age < Span::from_secs(3_600))
}

/// Each pool is in a block of its own: more of them than the times of one request tell.
#[tokio::test]
async fn a_young_pool_stays_young_however_many_are_made_after_it() {
    let world = World::new().await;
    let token = world.devnet.add_token("CROWD", 18).await.expect("a token");
    odd_pool(&world, token, 777, [coins(10), coins(1_000_000)]).await;
    for fee in 1..=24 {
        let dust = U256::from(1_000_000);
        odd_pool(&world, token, fee, [dust, dust]).await;
    }
    let buy = world.swap(NATIVE, token, coins(1) / U256::from(10));
    let launched = world.venue.quote(&buy).await.expect("a quote").launched;
    assert!(age_is_known(launched), "{launched:?}");
}

/// A venue whose node does not name the time of any older block while the switch is on.
async fn forgetful(world: &World, switch: Arc<AtomicBool>) -> BestOf {
    type Shared = (reqwest::Client, String, Arc<AtomicBool>);
    async fn pass(State((client, url, switch)): State<Shared>, body: Bytes) -> Vec<u8> {
        let asked: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let of_block = |one: &serde_json::Value| {
            let named = one["params"][0]
                .as_str()
                .is_some_and(|name| name.starts_with("0x"));
            one["method"] == "eth_getBlockByNumber" && named
        };
        let all = asked.as_array().cloned().unwrap_or_else(|| vec![asked.clone()]);
        if switch.load(Ordering::SeqCst) && all.iter().any(of_block) {
            return b"no".to_vec();
        }
        let request = client.post(url).header("content-type", "application/json");
        let answer = request.body(body).send().await.expect("the node answers");
        answer.bytes().await.expect("a body").to_vec()
    }
    let shared = (
        reqwest::Client::new(),
        world.devnet.node.url().to_string(),
        switch,
    );
    let app = Router::new().route("/", post(pass)).with_state(shared);
    world.another(Some(serve(app).0))
}

/// The blocks are read once only: what they lack the first time they would lack for good.
#[tokio::test]
async fn a_pool_whose_time_no_node_tells_is_read_again_until_one_does() {
    let world = World::new().await;
    let token = world.devnet.add_token("UNDATED", 18).await.expect("a token");
    odd_pool(&world, token, 777, [coins(10), coins(1_000_000)]).await;
    world.devnet.node.mine(200).await.expect("blocks");
    let switch = Arc::new(AtomicBool::new(true));
    let venue = forgetful(&world, switch.clone()).await;
    let state = venue.search_now(token).await;
    assert!(!state.done, "{state:?}");
    assert!(state.problem.is_some(), "{state:?}");
    let buy = world.swap(NATIVE, token, coins(1) / U256::from(10));
    if let Ok(quote) = venue.quote(&buy).await {
        assert!(age_is_known(quote.launched), "{:?}", quote.launched);
    }
    switch.store(false, Ordering::SeqCst);
    let state = venue.search_now(token).await;
    assert!(state.done && state.problem.is_none(), "{state:?}");
    let launched = venue.quote(&buy).await.expect("a quote").launched;
    assert!(age_is_known(launched), "{launched:?}");
}
