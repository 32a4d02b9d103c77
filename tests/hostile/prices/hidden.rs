//! Pools that are there to hide a good one, or to tell a wrong price: dust, dead pairs, many that revert.

use alloy_primitives::{Address, U256};
use lgi_mm::{
    chain::{Size, SurveyRequest},
    devnet::BlockTime,
    domain::pool::{NATIVE, Pool, PoolKey},
};
use testkit::live::{World, coins};

use crate::prices::set_up::*;
use crate::tokens::{Trick, play};

const V3: Pool = Pool::V3(10_000);

/// A token of which a coin buys ten thousand in a deep pool.
async fn with_deep_pool(world: &World) -> Address {
    let token = world.devnet.add_token("GOOD", 18).await.expect("a token");
    world
        .devnet
        .add_pool(token, coins(1_000_000), coins(100), V3)
        .await
        .expect("a pool");
    token
}

/// Plain V4 pools of odd fees, in which a coin buys `tokens`.
async fn add_v4(world: &World, token: Address, fees: std::ops::Range<u32>, stakes: [U256; 2]) {
    for fee in fees {
        let key = PoolKey {
            currency0: NATIVE,
            currency1: token,
            fee,
            tick_spacing: 60,
            hooks: Address::ZERO,
        };
        world.devnet.add_v4_pool(&key, stakes).await.expect("a pool");
    }
}

/// Tokens that the first fill brought for each coin.
async fn paid(world: &World) -> i64 {
    let sql = "SELECT (base_amount::numeric / quote_amount::numeric)::bigint FROM trades WHERE status = 'EXECUTED' LIMIT 1";
    sqlx::query_scalar(sql)
        .fetch_one(&world.db.pool)
        .await
        .expect("a fill")
}

/// Half the price and next to nothing in it: 0.18 coins beside a hundred.
#[tokio::test(flavor = "multi_thread")]
async fn a_dust_pool_neither_tells_the_price_nor_stops_a_job() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = with_deep_pool(&world).await;
    let wei = coins(18) / U256::from(100);
    world
        .devnet
        .add_pool(token, wei * U256::from(20_000), wei, Pool::V2)
        .await
        .expect("dust");
    world.start(token, "GOOD", buy_often()).await;
    let _daemon = world.daemon(None);
    world.until("it buys", BOUGHT).await;
    let each = paid(&world).await;
    assert!((9_800..10_000).contains(&each), "{each}: the deep pool's price");
}

/// A pair that the token has on its black list, quoted six per cent better than the pool that works.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_pair_neither_tells_the_price_nor_stops_a_job() {
    let world = World::new(BlockTime::OnTransaction).await;
    let at = world.devnet.deployment().clone();
    let token = with_deep_pool(&world).await;
    world
        .devnet
        .add_pool(token, coins(1_060_000), coins(100), Pool::V2)
        .await
        .expect("a pair");
    let pair = v2_pair(&world, at.contracts["v2_factory"], token, at.weth).await;
    play(&world.devnet, token, Trick::Blacklists(pair)).await;
    world.start(token, "GOOD", buy_often()).await;
    let _daemon = world.daemon(None);
    world.until("it buys", BOUGHT).await;
    let each = paid(&world).await;
    assert!((9_800..10_000).contains(&each), "{each}: the living pool's price");
}

/// More pools that quote best and revert than are tried at once.
#[tokio::test(flavor = "multi_thread")]
async fn ten_pools_that_revert_do_not_hide_the_one_that_works() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = with_deep_pool(&world).await;
    add_v4(&world, token, 101..111, [coins(10), coins(101_000)]).await;
    let manager = world.devnet.deployment().contracts["v4_pool_manager"];
    play(&world.devnet, token, Trick::Blacklists(manager)).await;
    world.start(token, "GOOD", buy_often()).await;
    let _daemon = world.daemon(None);
    world.until("it buys", BOUGHT).await;
    let each = paid(&world).await;
    assert!((9_800..10_000).contains(&each), "{each}");
}

/// Anyone can make pools: the oldest ones and the deepest ones are asked, and the good one is among them.
#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_pools_is_asked_in_bounds_and_the_good_one_is_found() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.add_token("MANY", 18).await.expect("a token");
    let dust = [coins(1) / U256::from(1_000), coins(10)];
    add_v4(&world, token, 1_001..1_031, dust).await;
    add_v4(&world, token, 2_000..2_001, [coins(10), coins(100_000)]).await;
    add_v4(&world, token, 3_001..3_031, dust).await;
    let request = SurveyRequest {
        token,
        quote: NATIVE,
        amount: tenth(),
        ladder: vec![Size {
            usd: 1,
            amount: tenth(),
        }],
    };
    let found = world.live.pools.survey(&request).await.expect("an answer");
    let asked = found.asked.split(" of V4").next().expect("a number").to_owned();
    let asked: usize = asked
        .rsplit(' ')
        .next()
        .unwrap_or(&asked)
        .parse()
        .expect("a number");
    // Forty-eight of the token's own, and the usual shapes, whether they exist or not.
    assert!((48..=64).contains(&asked), "{}", found.asked);
    let best = found.pools.first().expect("a pool");
    assert!(best.pool.to_string().contains("/2000/60/"), "{}", best.pool);
}

/// A job that has not pinned its pool is told when another one takes its place.
#[tokio::test(flavor = "multi_thread")]
async fn another_pool_in_the_place_of_one_that_died_is_an_event() {
    let world = World::new(BlockTime::OnTransaction).await;
    let at = world.devnet.deployment().clone();
    let token = with_deep_pool(&world).await;
    world
        .devnet
        .add_pool(token, coins(1_010_000), coins(100), Pool::V2)
        .await
        .expect("a pair");
    let job = world.start(token, "GOOD", buy_often()).await;
    let _daemon = world.daemon(None);
    world.until("it buys", BOUGHT).await;
    let pair = v2_pair(&world, at.contracts["v2_factory"], token, at.weth).await;
    play(&world.devnet, token, Trick::Blacklists(pair)).await;
    let told = "SELECT count(*) > 0 FROM outbox WHERE event = 'job.pool_changed'";
    world.until("its owner is told", told).await;
    let (before, after): (String, String) = sqlx::query_as(
        "SELECT payload->>'before', payload->>'after' FROM outbox WHERE event = 'job.pool_changed' AND job_id = $1
         ORDER BY id LIMIT 1",
    )
    .bind(job.0)
    .fetch_one(&world.db.pool)
    .await
    .expect("an event");
    assert_eq!((before.as_str(), after.as_str()), ("v2", "v3:10000"));
}
