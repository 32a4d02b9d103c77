//! Contracts whose calls take all the gas or time that a node gives, or return more than is read: only they have no
//! answer.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use alloy_primitives::{Address, Bytes, U256};
use axum::{Router, extract::State, routing::post};
use lgi_mm::{
    chain::{BestOf, ChainSpec, OnchainPrices, Rpc},
    devnet::NAME,
    domain::{
        config::SourceName,
        pool::{DYNAMIC_FEE, NATIVE, PoolKey},
    },
    ports::{PoolPriceRequest, PoolPrices, Venue},
};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use testkit::serve;

use crate::venue::{
    mixed::{Version, pool},
    world::{World, coins},
};

/// Its low bits say that it is called before swaps.
const HOOK: Address = Address::new([
    0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f,
    0x5f, 0x00, 0x80,
]);
/// Fees of its pools, with a spacing of 60.
const FEES: [u32; 4] = [101, 102, 103, 104];

/// An invalid instruction, an endless loop, and 600 kB as the reason of a revert.
const FORMS: [&[u8]; 3] = [
    &[0xfe],
    &[0x5b, 0x60, 0x00, 0x56],
    &[0x62, 0x09, 0x27, 0xc0, 0x60, 0x00, 0xfd],
];

/// Its settings name the hook before all others.
async fn world() -> World {
    World::with(|keys| {
        let named = FEES.map(|fee| format!("{HOOK:#x}/{fee}/60"));
        keys.v4_hooks.get_or_insert_default().splice(0..0, named);
    })
    .await
}

async fn runs(world: &World, at: Address, code: &[u8]) {
    let code = Bytes::copy_from_slice(code);
    world.devnet.node.set_code(at, &code).await.expect("code");
}

async fn token(world: &World) -> Address {
    world.devnet.add_token("HEAVY", 18).await.expect("a token")
}

/// Ten thousand tokens for a coin, in a pool of V4 of this fee and hook.
async fn hooked(world: &World, token: Address, hooks: Address, fee: u32, spacing: i32) {
    let key = PoolKey {
        currency0: NATIVE,
        currency1: token,
        fee,
        tick_spacing: spacing,
        hooks,
    };
    let stakes = [coins(100), coins(1_000_000)];
    world.devnet.add_v4_pool(&key, stakes).await.expect("a pool");
}

/// The same in a pair.
async fn pair(world: &World, token: Address) {
    let stakes = [(token, coins(1_000_000)), (world.at().weth, coins(100))];
    pool(world, Version::V2, stakes, false).await;
}

/// What a tenth of a coin buys, within 4 % of a thousand tokens.
async fn buys(venue: &BestOf, world: &World, token: Address) -> bool {
    let buy = world.swap(NATIVE, token, coins(1) / U256::from(10));
    let quote = venue.quote(&buy).await.expect("a quote");
    quote.amount_out.units() > coins(960)
}

#[tokio::test]
async fn pools_that_take_all_gas_or_return_without_end_hide_no_pair() {
    let world = world().await;
    for form in FORMS {
        let token = token(&world).await;
        pair(&world, token).await;
        for fee in FEES {
            runs(&world, HOOK, &[]).await;
            hooked(&world, token, HOOK, fee, 60).await;
            runs(&world, HOOK, form).await;
            assert!(buys(&world.venue, &world, token).await, "{form:?} {fee}");
        }
    }
}

/// One after the other they leave it too little gas, and it fails like a pool that is not there.
#[tokio::test]
async fn pools_that_take_all_gas_hide_no_pool_with_another_hook_that_is_asked_after_them() {
    let world = world().await;
    let token = token(&world).await;
    hooked(&world, token, world.at().hook, DYNAMIC_FEE, 200).await;
    for fee in FEES {
        runs(&world, HOOK, &[]).await;
        hooked(&world, token, HOOK, fee, 60).await;
        for form in FORMS {
            runs(&world, HOOK, form).await;
            assert!(buys(&world.venue, &world, token).await, "{form:?} {fee}");
        }
    }
}

/// The price of a token in dollars, asked for together with that of others.
async fn usd(world: &World, token: Address, others: &[Address]) -> Result<Decimal, String> {
    let prices = OnchainPrices::new(Rpc::new(&world.spec).expect("nodes"), world.spec.clone());
    let spot = |token: &Address| PoolPriceRequest {
        token: *token,
        quote: NATIVE,
        pool: None,
        decimals: Some(18),
        source: SourceName::Onchain,
    };
    let requests: Vec<PoolPriceRequest> = others.iter().chain([&token]).map(spot).collect();
    let mut answers = prices.pool_prices(&requests).await;
    let answer = answers.pop().expect("an answer");
    answer
        .map(|seen| seen.price_usd)
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_token_whose_code_or_pools_take_all_gas_takes_no_other_its_price() {
    let world = world().await;
    let honest = token(&world).await;
    pair(&world, honest).await;
    for form in FORMS {
        let [mut others, mut coded] = [vec![], vec![]];
        for _ in 0..3 {
            let (with_pools, with_code) = (token(&world).await, token(&world).await);
            runs(&world, HOOK, &[]).await;
            for fee in FEES {
                hooked(&world, with_pools, HOOK, fee, 60).await;
            }
            pair(&world, with_code).await;
            coded.push(with_code);
            others.extend([with_pools, with_code]);
        }
        runs(&world, HOOK, form).await;
        for token in coded {
            runs(&world, token, form).await;
        }
        let seen = usd(&world, honest, &others).await.expect("a price");
        assert!(
            (seen - Decimal::new(3, 1)).abs() < Decimal::new(1, 3),
            "{form:?}: {seen}"
        );
    }
}

/// What a node says of calls to the hook, and the distinct calls of which it said so.
struct Sayings {
    client: reqwest::Client,
    url: String,
    code: i64,
    message: &'static str,
    of: Mutex<BTreeSet<String>>,
}

/// A node in front of the world's that refuses each call that names the hook.
async fn refusing(world: &World, code: i64, message: &'static str) -> (BestOf, Arc<Sayings>) {
    async fn pass(State(sayings): State<Arc<Sayings>>, body: String) -> String {
        let asked: Value = serde_json::from_str(&body).expect("JSON");
        let each = asked.as_array().cloned().unwrap_or_else(|| vec![asked.clone()]);
        let mut answers = Vec::new();
        for one in each {
            let data = one["params"][0]["data"].as_str().unwrap_or_default();
            if data.contains(&format!("{HOOK:x}")) {
                sayings.of.lock().expect("a list").insert(data.to_owned());
                let error = json!({ "code": sayings.code, "message": sayings.message });
                answers.push(json!({ "jsonrpc": "2.0", "id": one["id"], "error": error }));
                continue;
            }
            let request = sayings.client.post(&sayings.url).json(&one);
            let answer = request.send().await.expect("the node answers");
            answers.push(answer.json().await.expect("JSON"));
        }
        let answer = if asked.is_array() {
            json!(answers)
        } else {
            answers.remove(0)
        };
        answer.to_string()
    }
    let sayings = Arc::new(Sayings {
        client: reqwest::Client::new(),
        url: world.devnet.node.url().to_string(),
        code,
        message,
        of: Mutex::default(),
    });
    let app = Router::new().route("/", post(pass)).with_state(sayings.clone());
    let mut keys = world.devnet.chain_file();
    keys.v4_hooks = Some(vec![format!("{HOOK:#x}/{}/60", FEES[0])]);
    keys.rpc_urls = vec![serve(app).0];
    keys.rpc_rounds = Some(1);
    let spec = Arc::new(ChainSpec::resolve(NAME, &keys).expect("a chain"));
    let venue = BestOf::new(Rpc::new(&spec).expect("nodes"), spec, world.db.pool.clone());
    (venue, sayings)
}

#[tokio::test]
async fn only_a_refusal_that_is_about_the_calls_is_asked_again_in_parts() {
    let world = world().await;
    let token = token(&world).await;
    pair(&world, token).await;
    hooked(&world, token, HOOK, FEES[0], 60).await;
    for (code, message) in [
        (-32000, "out of gas: gas required exceeds: 50000000"),
        (-32000, "execution aborted (timeout = 5s)"),
        (-32016, "eth_call request was canceled due to enabled timeout."),
    ] {
        let (venue, sayings) = refusing(&world, code, message).await;
        assert!(buys(&venue, &world, token).await, "{message}");
        let parts = sayings.of.lock().expect("a list").len();
        assert!((2..=24).contains(&parts), "{message}: {parts}");
    }
    for (code, message) in [
        (-32005, "rate limit exceeded"),
        (-32000, "header not found"),
        (-32000, "words that nobody has seen"),
    ] {
        let (venue, sayings) = refusing(&world, code, message).await;
        let buy = world.swap(NATIVE, token, coins(1) / U256::from(10));
        let refused = venue.quote(&buy).await.expect_err("nothing is known of any pool");
        assert!(refused.to_string().contains(message), "{refused}");
        assert_eq!(sayings.of.lock().expect("a list").len(), 1, "{message}");
    }
}
