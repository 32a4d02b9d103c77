//! Prices from pools and feeds.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use alloy_primitives::{Address, U256};
use axum::{Router, body::Bytes, extract::State, routing::post};
use lgi_mm::{
    chain::{ChainFile, ChainSpec, NativePrice, OnchainPrices, Rpc},
    domain::{
        config::{PriceConfig, SourceName},
        pool::{NATIVE, Pool},
    },
    ports::{PoolPriceRequest, PoolPrices, PriceRequest, Prices},
    prices::{DexscreenerSettings, PriceBook},
};
use rust_decimal::Decimal;
use testkit::serve;

use crate::venue::world::{World, coins};

fn prices(world: &World) -> OnchainPrices {
    let rpc = Rpc::new(&world.spec).expect("nodes");
    OnchainPrices::new(rpc, world.spec.clone())
}

fn spot(token: Address, quote: Address, pool: Option<Pool>) -> PoolPriceRequest {
    PoolPriceRequest {
        token,
        quote,
        pool,
        decimals: None,
        source: SourceName::Onchain,
    }
}

fn mean(token: Address, quote: Address, pool: Option<Pool>) -> PoolPriceRequest {
    PoolPriceRequest {
        source: SourceName::Twap,
        ..spot(token, quote, pool)
    }
}

async fn usd(prices: &OnchainPrices, request: PoolPriceRequest) -> Decimal {
    let answer = prices.pool_prices(&[request]).await.remove(0);
    answer
        .unwrap_or_else(|missing| panic!("{request:?}: {missing}"))
        .price_usd
}

async fn why(prices: &OnchainPrices, request: PoolPriceRequest) -> String {
    let answer = prices.pool_prices(&[request]).await.remove(0);
    answer.expect_err("no price").to_string()
}

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

/// Within a thousandth of a per cent: pools begin at the nearest square root, not at the ratio itself.
fn close(seen: Decimal, expected: &str) {
    let expected = decimal(expected);
    let off = (seen - expected).abs() / expected;
    assert!(off < decimal("0.00001"), "{seen} is not {expected}");
}

#[tokio::test]
async fn every_pool_tells_the_price_it_was_opened_with() {
    let world = World::new().await;
    let at = world.at().clone();
    let prices = prices(&world);
    // 100 coins at 3000 USD for 1,000,000,000 tokens.
    let native = World::pool(&format!("v4:{NATIVE:#x}/{:#x}/3000/60/{NATIVE:#x}", at.token));
    for (token, quote, pool) in [
        (at.token, NATIVE, Some(native)),
        (at.token, at.weth, Some(native)),
        (at.token, NATIVE, Some(World::pool("v3:10000"))),
        (at.token, at.weth, Some(Pool::V2)),
        (at.clanker, NATIVE, Some(at.clanker_pool)),
        (at.clanker, at.weth, None),
        (at.token, NATIVE, None),
    ] {
        close(usd(&prices, spot(token, quote, pool)).await, "0.0003");
    }
    // In two hops the dollars come from the pool of USDC, whose history has moved its price.
    let coin = usd(&prices, spot(NATIVE, at.usdc, None)).await;
    let through = usd(&prices, spot(at.token, at.usdc, None)).await;
    close(through, &(coin / decimal("10000000")).to_string());
    assert!(coin > decimal("2900") && coin < decimal("3100"), "{coin}");
}

#[tokio::test]
async fn without_a_state_view_the_pool_manager_itself_is_read() {
    let with_view = World::new().await;
    let without = World::with(|keys: &mut ChainFile| {
        keys.contracts.insert("v4_state_view".to_owned(), Address::ZERO);
    })
    .await;
    let request = spot(with_view.at().clanker, NATIVE, Some(with_view.at().clanker_pool));
    let seen = usd(&prices(&without), request).await;
    assert_eq!(seen, usd(&prices(&with_view), request).await);
}

#[tokio::test]
async fn a_buy_moves_the_price_by_what_the_pool_says() {
    let world = World::new().await;
    let at = world.at().clone();
    let prices = prices(&world);
    let request = spot(at.clanker, NATIVE, None);
    let before = usd(&prices, request).await;
    world
        .trade(&world.swap(NATIVE, at.clanker, coins(10)))
        .await
        .expect("a fill");
    let after = usd(&prices, request).await;
    // 10 coins less 1 % into nearly 100: (109.9 / 100)^2.
    let rise = after / before;
    assert!((rise - decimal("1.2078")).abs() < decimal("0.0005"), "{rise}");
}

#[tokio::test]
async fn a_mean_needs_a_history_and_then_follows_it() {
    let world = World::new().await;
    let at = world.at().clone();
    let prices = prices(&world);
    let time = i64::try_from(now(&world).await).expect("seconds");
    world.next_block_at(time + 700).await;
    world.devnet.node.mine(1).await.expect("a block");
    let coin = usd(&prices, mean(NATIVE, at.usdc, None)).await;
    close_to_tick(coin, usd(&prices, spot(NATIVE, at.usdc, None)).await);
    // A pool that keeps one observation forgets with each trade what was before.
    let young = mean(at.token, NATIVE, Some(World::pool("v3:10000")));
    close_to_tick(usd(&prices, young).await, decimal("0.0003"));
    world.trade(&young_buy(&world)).await.expect("a fill");
    let told = why(&prices, young).await;
    assert!(told.contains("OLD"), "{told}");
    for pinned in [at.clanker_pool, Pool::V2] {
        let told = why(&prices, mean(at.clanker, NATIVE, Some(pinned))).await;
        assert!(told.contains("use the source onchain"), "{told}");
    }
}

/// A tick is a ten-thousandth, and means are rounded to one.
fn close_to_tick(seen: Decimal, expected: Decimal) {
    let off = (seen - expected).abs() / expected;
    assert!(off < decimal("0.0002"), "{seen} is not {expected}");
}

fn young_buy(world: &World) -> lgi_mm::domain::onchain::SwapRequest {
    lgi_mm::domain::onchain::SwapRequest {
        pool: Some(World::pool("v3:10000")),
        ..world.swap(NATIVE, world.at().token, coins(1))
    }
}

async fn now(world: &World) -> U256 {
    let block: serde_json::Value = world
        .devnet
        .node
        .request("eth_getBlockByNumber", serde_json::json!(["latest", false]))
        .await
        .expect("a block");
    block["timestamp"].as_str().expect("a time").parse().expect("hex")
}

#[tokio::test]
async fn a_feed_that_is_old_or_senseless_or_behind_a_halted_sequencer_is_refused() {
    let world = World::new().await;
    let at = world.at().clone();
    let request = spot(at.clanker, NATIVE, None);
    let price = U256::from(250_000_000_000_u64);
    let time = u64::try_from(now(&world).await).expect("seconds");
    let set = async |name: &str, answer: U256, updated: Option<u64>| {
        world.devnet.set_feed(name, answer, updated).await.expect("set");
    };
    set("native_usd_feed", price, None).await;
    assert_eq!(
        prices(&world)
            .native_usd()
            .await
            .expect("a price")
            .price
            .decimal(),
        decimal("2500")
    );
    close(usd(&prices(&world), request).await, "0.00025");
    for (name, answer, updated, told) in [
        ("native_usd_feed", price, Some(time - 6_000), "s old"),
        ("native_usd_feed", U256::ZERO, None, "says 0"),
        ("native_usd_feed", U256::MAX, None, "says -1"),
        (
            "sequencer_feed",
            U256::from(1),
            Some(time - 60),
            "sequencer is down",
        ),
        ("sequencer_feed", U256::ZERO, Some(time - 600), "came back"),
    ] {
        set(name, answer, updated).await;
        let refused = why(&prices(&world), request).await;
        assert!(refused.contains(told), "{name}: {refused}");
        let refused = prices(&world)
            .native_usd()
            .await
            .expect_err("no price")
            .to_string();
        assert!(refused.contains(told), "{name}: {refused}");
        // Dollars need no feed.
        usd(&prices(&world), spot(at.weth, at.usdc, None)).await;
        set("native_usd_feed", price, None).await;
        set("sequencer_feed", U256::ZERO, Some(1)).await;
    }
}

#[tokio::test]
async fn what_has_no_price_harms_no_other() {
    let world = World::new().await;
    let at = world.at().clone();
    let prices = prices(&world);
    let nothing = Address::repeat_byte(0x5c);
    let answers = prices
        .pool_prices(&[
            spot(nothing, NATIVE, None),
            spot(at.clanker, NATIVE, None),
            spot(at.clanker, at.taxed, None),
            spot(at.token, NATIVE, Some(World::pool("v3:100"))),
            spot(at.token, NATIVE, Some(at.clanker_pool)),
            spot(at.clanker, NATIVE, None),
        ])
        .await;
    let there: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(there, [false, true, false, false, false, true], "{answers:?}");
}

/// Passes everything on to the node, and counts.
async fn counting(world: &World) -> (String, Arc<AtomicUsize>) {
    type Shared = (reqwest::Client, String, Arc<AtomicUsize>);
    async fn pass(State((client, url, count)): State<Shared>, body: Bytes) -> Vec<u8> {
        count.fetch_add(1, Ordering::SeqCst);
        let request = client
            .post(url)
            .header("content-type", "application/json")
            .body(body);
        let answer = request.send().await.expect("the node answers");
        answer.bytes().await.expect("a body").to_vec()
    }
    let count = Arc::new(AtomicUsize::new(0));
    let shared: Shared = (
        reqwest::Client::new(),
        world.devnet.node.url().to_string(),
        count.clone(),
    );
    let app = Router::new().route("/", post(pass)).with_state(shared);
    (serve(app).0, count)
}

#[tokio::test]
async fn prices_of_200_pools_cost_one_round_trip_and_of_250_two() {
    let world = World::new().await;
    let at = world.at().clone();
    let (url, count) = counting(&world).await;
    let mut keys = world.devnet.chain_file();
    keys.rpc_urls = vec![url];
    let spec = Arc::new(ChainSpec::resolve("local", &keys).expect("a chain"));
    let prices = OnchainPrices::new(Rpc::new(&spec).expect("nodes"), spec);
    // Pools that differ in nothing that matters: only the first is there, all are looked at.
    let wishes: Vec<PoolPriceRequest> = (1..=250_u32)
        .map(|fee| {
            let pool = if fee == 1 {
                World::pool("v3:10000")
            } else {
                Pool::V3(fee)
            };
            spot(at.token, NATIVE, Some(pool))
        })
        .collect();
    let warm = prices.pool_prices(&wishes[..1]).await;
    assert!(warm[0].is_ok(), "{warm:?}");
    for (wanted, trips) in [(1, 1), (200, 1), (250, 2)] {
        count.store(0, Ordering::SeqCst);
        let answers = prices.pool_prices(&wishes[..wanted]).await;
        assert_eq!(answers.len(), wanted);
        assert!(answers[0].is_ok());
        assert_eq!(count.load(Ordering::SeqCst), trips, "{wanted}");
    }
    // Many jobs of one token are one read.
    count.store(0, Ordering::SeqCst);
    let same = vec![spot(at.token, NATIVE, None); 1_000];
    prices.pool_prices(&same).await;
    count.store(0, Ordering::SeqCst);
    assert!(prices.pool_prices(&same).await.iter().all(Result::is_ok));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn jobs_reach_both_sources_by_the_name_of_their_chain() {
    let world = World::new().await;
    let at = world.at().clone();
    let settings = DexscreenerSettings {
        base_url: "http://127.0.0.1:9".to_owned(),
        ..DexscreenerSettings::default()
    };
    let chain = Arc::new(prices(&world)) as Arc<dyn PoolPrices>;
    let book = PriceBook::new(world.db.pool.clone(), settings).expect("a client");
    let book = book.with_chains([("local".to_owned(), chain)].into());
    let config = PriceConfig {
        sources: vec![SourceName::Onchain, SourceName::Twap],
        ..PriceConfig::default()
    };
    let request = |chain: &'static str, pool| PriceRequest {
        chain,
        token: at.clanker,
        quote: NATIVE,
        pool,
        decimals: None,
        config: &config,
    };
    let requests = [
        request("local", None),
        request("nowhere", None),
        request("local", Some(at.clanker_pool)),
    ];
    let answers = book.answers(&requests, chrono::Utc::now()).await;
    for answered in [&answers[0], &answers[2]] {
        let spot = answered[0].as_ref().expect("a price");
        assert_eq!(spot.source, SourceName::Onchain);
        close(spot.price_usd, "0.0003");
        let mean = answered[1].as_ref().expect_err("a V4 pool has no history");
        assert_eq!(mean.source_name, SourceName::Twap);
    }
    for missing in &answers[1] {
        let told = missing.as_ref().expect_err("no such chain").to_string();
        assert!(told.contains("chains.nowhere.rpc_urls"), "{told}");
    }
}
