//! Pools of shapes that no list knows: found by the chain's own logs, and traded.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use alloy_primitives::{Address, B256, Bytes, U256};
use axum::{Router, extract::State, routing::post};
use lgi_mm::{
    domain::{
        kept::Kept,
        onchain::{Checks, SwapRequest},
        pool::{DYNAMIC_FEE, NATIVE, Pool, PoolKey},
    },
    ports::{QuoteError, Venue},
};
use serde_json::{Value, json};
use testkit::serve;

use crate::venue::world::{World, coins};

/// A token that trades nowhere, of which the deployer has plenty.
async fn token(world: &World) -> Address {
    world.devnet.add_token("ODD", 18).await.expect("a token")
}

/// A pool of ten coins for a million tokens.
async fn pool(world: &World, mut key: PoolKey, token: Address) -> Pool {
    let other = key.currency0;
    (key.currency0, key.currency1) = (token.min(other), token.max(other));
    let (one, two) = (coins(10), coins(1_000_000));
    let stakes = if key.currency0 == token {
        [two, one]
    } else {
        [one, two]
    };
    world.devnet.add_v4_pool(&key, stakes).await.expect("a pool");
    Pool::V4(key)
}

const fn key(quote: Address, fee: u32, tick_spacing: i32) -> PoolKey {
    PoolKey {
        currency0: quote,
        currency1: Address::ZERO,
        fee,
        tick_spacing,
        hooks: Address::ZERO,
    }
}

/// A hook of another address that does what the devnet's own does; no settings name it.
async fn unknown_hook(world: &World) -> Address {
    let (node, model) = (&world.devnet.node, world.at().hook);
    let mut address = [0x5e; 20];
    // The low bits of a hook's address say which calls it takes.
    address[18..].copy_from_slice(&model.as_slice()[18..]);
    let hook = Address::from(address);
    let code: Bytes = node
        .request("eth_getCode", json!([model, "latest"]))
        .await
        .expect("code");
    node.set_code(hook, &code).await.expect("a hook");
    for slot in 0..4_u64 {
        let slot = U256::from(slot);
        let word: B256 = node
            .request("eth_getStorageAt", json!([model, slot, "latest"]))
            .await
            .expect("a word");
        node.set_storage(hook, slot, word).await.expect("written");
    }
    hook
}

/// Buys for a tenth of a coin, with the proof that it can be sold, and sells all of it.
async fn there_and_back(world: &World, token: Address) -> Result<(U256, U256), QuoteError> {
    let buy = SwapRequest {
        prove_sell: true,
        ..world.swap(NATIVE, token, coins(1) / U256::from(10))
    };
    let (quoted, came) = world.trade(&buy).await?;
    assert_eq!(quoted, came);
    let (_, back) = world.trade(&world.swap(token, NATIVE, came)).await?;
    assert_eq!(world.balance(token).await, U256::ZERO);
    Ok((came, back))
}

#[tokio::test]
async fn a_v4_pool_of_any_fee_and_spacing_is_found_and_traded_both_ways() {
    let world = World::new().await;
    let weth = world.at().weth;
    for shape in [
        key(NATIVE, 2_500, 50),
        key(NATIVE, 777, 7),
        key(weth, 10_000, 100),
        key(weth, 1, 1),
    ] {
        let token = token(&world).await;
        let found = pool(&world, shape, token).await;
        let (came, back) = there_and_back(&world, token).await.expect("both ways");
        // Constant product in Python's fractions: 0.1 of 10 coins buys at most 1 / 101 of a million.
        let most = coins(1_000_000) / U256::from(101);
        assert!(
            came < most && came > most * U256::from(98) / U256::from(100),
            "{found}: {came}"
        );
        assert!(back < coins(1) / U256::from(10), "{found}: {back}");
    }
}

#[tokio::test]
async fn a_pool_with_a_hook_that_nobody_listed_is_traded_if_it_can_be_sold_in() {
    let world = World::new().await;
    let hooks = unknown_hook(&world).await;
    assert!(world.spec.v4_hooks.iter().all(|shape| shape.hook != hooks));
    let token = token(&world).await;
    let shape = PoolKey {
        hooks,
        ..key(world.at().weth, DYNAMIC_FEE, 60)
    };
    pool(&world, shape, token).await;
    there_and_back(&world, token).await.expect("both ways");
}

/// 80 % of what goes in is kept by the pool: found, and refused by its name.
#[tokio::test]
async fn a_pool_that_keeps_too_much_is_found_and_refused() {
    let world = World::new().await;
    let token = token(&world).await;
    pool(&world, key(NATIVE, 800_000, 200), token).await;
    let buy = SwapRequest {
        prove_sell: true,
        checks: Checks {
            kept_max_bps: Some(300),
            ..Checks::none()
        },
        ..world.swap(NATIVE, token, coins(1) / U256::from(10))
    };
    let quote = world
        .venue
        .quote(&buy)
        .await
        .expect("a quote, for the limits to refuse");
    assert_eq!(quote.kept, Kept::by_pool(800_000));
    assert!(quote.kept.bps() > 300, "the hold pool_fee");
}

#[tokio::test]
async fn a_v3_pool_of_any_fee_that_the_factory_enabled_is_found() {
    let world = World::new().await;
    // One that many factories have, and one that only this factory's logs tell of.
    for (fee, spacing) in [(2_500, 50), (1_350, 27)] {
        world.devnet.enable_v3_fee(fee, spacing).await.expect("enabled");
        let token = token(&world).await;
        let stake = coins(1_000_000);
        world
            .devnet
            .add_pool(token, stake, coins(10), Pool::V3(fee))
            .await
            .expect("a pool");
        let venue = world.another(None);
        let buy = world.swap(NATIVE, token, coins(1) / U256::from(10));
        venue.quote(&buy).await.expect("a quote");
        // Through the coin to dollars as well.
        let buy = world.swap(world.at().usdc, token, U256::from(50_000_000));
        venue.quote(&buy).await.expect("a quote");
    }
}

/// What a node between us and the chain refuses, and what it was asked.
#[derive(Default)]
struct Gate {
    /// Most blocks in a request for logs.
    blocks_max: u64,
    /// Whether it keeps old states.
    archive: bool,
    words: &'static str,
    logs: AtomicU64,
    refused: AtomicU64,
}

type Shared = (reqwest::Client, String, Arc<Gate>);

/// Answers as the chain does, less what `gate` refuses.
async fn gated(world: &World, gate: Arc<Gate>) -> String {
    async fn pass(State((client, url, gate)): State<Shared>, body: String) -> String {
        let asked: Value = serde_json::from_str(&body).expect("JSON");
        let list = asked.as_array().cloned().unwrap_or_else(|| vec![asked.clone()]);
        let mut answers = Vec::new();
        for one in &list {
            if let Some(why) = refuse(&gate, one) {
                let error = json!({ "code": -32000, "message": why });
                answers.push(json!({ "jsonrpc": "2.0", "id": one["id"], "error": error }));
                continue;
            }
            let sent = client
                .post(&url)
                .json(one)
                .send()
                .await
                .expect("the node answers");
            answers.push(sent.json().await.expect("JSON"));
        }
        if asked.is_array() {
            Value::Array(answers).to_string()
        } else {
            answers.remove(0).to_string()
        }
    }
    let shared = (reqwest::Client::new(), world.devnet.node.url().to_string(), gate);
    let app = Router::new().route("/", post(pass)).with_state(shared);
    serve(app).0
}

fn refuse(gate: &Gate, asked: &Value) -> Option<String> {
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<U256>().ok());
    match asked["method"].as_str()? {
        "eth_getLogs" => {
            gate.logs.fetch_add(1, Ordering::Relaxed);
            let filter = &asked["params"][0];
            let (from, to) = (number(&filter["fromBlock"])?, number(&filter["toBlock"])?);
            let refused = to - from + U256::from(1) > U256::from(gate.blocks_max);
            gate.refused.fetch_add(u64::from(refused), Ordering::Relaxed);
            refused.then(|| gate.words.to_owned())
        }
        "eth_getCode" if !gate.archive && number(&asked["params"][1]).is_some() => {
            Some("missing trie node 5a".to_owned())
        }
        _ => None,
    }
}

#[tokio::test]
async fn ranges_of_blocks_follow_what_the_provider_allows_and_begin_where_the_token_does() {
    for (blocks_max, archive, words) in [
        (60, true, "eth_getLogs is limited to a 60 blocks range"),
        (150, true, "query timed out"),
        (250, false, "block range is too large"),
    ] {
        let world = World::new().await;
        world.devnet.node.mine(900).await.expect("years");
        let token = token(&world).await;
        world.devnet.node.mine(30).await.expect("an hour");
        pool(&world, key(NATIVE, 777, 7), token).await;
        world.devnet.node.mine(200).await.expect("days");
        let gate = Arc::new(Gate {
            blocks_max,
            archive,
            words,
            ..Gate::default()
        });
        let venue = world.another(Some(gated(&world, gate.clone()).await));
        let buy = world.swap(NATIVE, token, coins(1) / U256::from(10));
        venue.quote(&buy).await.expect(words);
        let (logs, refused) = (
            gate.logs.load(Ordering::Relaxed),
            gate.refused.load(Ordering::Relaxed),
        );
        // Two for each range, and one more for the young pools of factories.
        assert!(
            logs <= 90 && refused <= 24,
            "{words}: {logs} requests, {refused} refused"
        );
        // What one process found, every other knows, even where no log can be read.
        let shut = Arc::new(Gate {
            words: "the method eth_getLogs does not exist",
            ..Gate::default()
        });
        let venue = world.another(Some(gated(&world, shut.clone()).await));
        venue.quote(&buy).await.expect("a quote");
        let kept: Vec<(i64,)> = sqlx::query_as("SELECT count(*) FROM v4_pools")
            .fetch_all(&world.db.pool)
            .await
            .expect("rows");
        assert_eq!(kept, [(1,)]);
    }
}
