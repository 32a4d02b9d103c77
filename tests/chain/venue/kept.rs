//! What pool, hook and token keep: known, measured, and never what somebody else takes.

use std::sync::{Arc, Mutex};

use alloy_primitives::{Address, U256};
use axum::{Router, extract::State, routing::post};
use lgi_mm::{
    chain::BestOf,
    devnet::DEPLOYER,
    domain::{
        bounds,
        kept::Kept,
        onchain::{Checks, SwapRequest},
        pool::{NATIVE, Pool, PoolKey},
        units::Amount,
    },
    ports::Venue,
};
use serde_json::{Value, json};
use testkit::serve;

use crate::venue::world::{World, coins, soon};

/// Ten coins for a million tokens at this fee, in hundredths of a basis point.
async fn pool_of_fee(world: &World, fee: u32) -> Address {
    let token = world.devnet.add_token("FEE", 18).await.expect("a token");
    let key = PoolKey {
        currency0: NATIVE,
        currency1: token,
        fee,
        tick_spacing: 200,
        hooks: Address::ZERO,
    };
    let stakes = [coins(10), coins(1_000_000)];
    world.devnet.add_v4_pool(&key, stakes).await.expect("a pool");
    token
}

/// A buy with the limits of a job that its owner changed nothing of: 1 % of slippage, 3 % of fees.
fn usual(request: SwapRequest, fair: U256) -> SwapRequest {
    SwapRequest {
        amount_out_fair: Amount::new(fair),
        prove_sell: true,
        checks: Checks {
            better_max_bps: Some(200),
            worse_max_bps: Some(100),
            impact_max_bps: Some(100),
            kept_max_bps: Some(300),
            slip_max_bps: 30,
            ..Checks::none()
        },
        ..request
    }
}

/// 1.75 % is no slippage, and the floor gives away 1 % of what it leaves and nothing more.
#[tokio::test]
async fn a_dear_pool_is_within_the_usual_slippage_and_its_fee_gives_nothing_away() {
    let world = World::new().await;
    let token = pool_of_fee(&world, 17_500).await;
    let paid = coins(1) / U256::from(100);
    let fair = paid * U256::from(100_000);
    let buy = usual(world.swap(NATIVE, token, paid), fair);
    let quote = world.venue.quote(&buy).await.expect("a quote");
    assert_eq!(quote.kept, Kept::by_pool(17_500));
    let floor = bounds::floor(buy.amount_out_fair, quote.kept, 100).expect("in range");
    assert!(quote.amount_out >= floor, "{} {floor}", quote.amount_out);
    // Without its fee it misses the same floor.
    let blind = bounds::floor(buy.amount_out_fair, Kept::NOTHING, 100).expect("in range");
    assert!(quote.amount_out < blind, "{} {blind}", quote.amount_out);
    let calls = world.venue.calls(&buy, floor, soon()).await.expect("calls");
    let came = world.fill(token, &calls).await;
    assert_eq!(came, quote.amount_out.units());
    let sell = usual(world.swap(token, NATIVE, came), paid);
    let sell = SwapRequest {
        prove_sell: false,
        ..sell
    };
    let quote = world.venue.quote(&sell).await.expect("a quote");
    assert_eq!(quote.kept, Kept::by_pool(17_500), "the same on the way back");
}

/// The fees that are written into pools, and one that a hook asks for besides.
#[tokio::test]
async fn every_shape_of_pool_says_what_it_keeps() {
    let world = World::new().await;
    let at = world.at().clone();
    let amount = coins(1) / U256::from(100);
    for (pool, millionths) in [("v2", 3_000), ("v3:10000", 10_000)] {
        let buy = SwapRequest {
            pool: Some(World::pool(pool)),
            ..world.swap(NATIVE, at.token, amount)
        };
        let quote = world.venue.quote(&buy).await.expect("a quote");
        assert_eq!(quote.kept, Kept::by_pool(millionths), "{pool}");
    }
    // A hook that asks for 1 % of its own, measured by small swaps: never more than it takes.
    let buy = SwapRequest {
        pool: Some(at.clanker_pool),
        ..world.swap(NATIVE, at.clanker, amount)
    };
    let quote = world.venue.quote(&buy).await.expect("a quote");
    let all = u64::from(quote.kept.bps());
    assert!((99..=100).contains(&all), "{}", quote.kept);
    assert!(quote.kept.excuses_bps() <= 100, "{}", quote.kept);
}

/// What the devnet's taxed token keeps of each transfer is part of the same figure.
#[tokio::test]
async fn what_a_token_keeps_is_measured_and_has_the_same_limit() {
    let world = World::new().await;
    let token = world.at().taxed;
    let amount = coins(1) / U256::from(100);
    let open = SwapRequest {
        pool: Some(Pool::V2),
        ..world.swap(NATIVE, token, amount)
    };
    let quote = world.venue.quote(&open).await.expect("a quote");
    let kept = quote.kept;
    assert_eq!(kept.pool(), 3_000);
    assert!(kept.token() > 0 && kept.hook() == 0, "{kept}");
    let fair = quote.amount_out.units() * U256::from(1_000_000) / U256::from(1_000_000 - kept.token());
    let mut buy = usual(open, fair);
    // The buy keeps that much, and its sale no less: a limit in between is one of the buy, by its own name.
    buy.checks.kept_max_bps = Some(kept.bps().saturating_sub(20));
    let quote = world
        .venue
        .quote(&buy)
        .await
        .expect("quoted, for the limits to refuse");
    assert_eq!(quote.kept, kept);
    // Both ways, with a little for the impact of the first on the second.
    buy.checks.kept_max_bps = Some(kept.bps() + 20);
    let quote = world.venue.quote(&buy).await.expect("allowed");
    assert_eq!(quote.kept, kept);
}

/// What a node behind our door does first when a swap is tried.
type Race = Arc<Mutex<Vec<Value>>>;

async fn raced(world: &World, race: Race) -> BestOf {
    type Shared = (reqwest::Client, String, Race);
    async fn pass(State((client, url, race)): State<Shared>, body: String) -> String {
        let ask = async |body: String| {
            let request = client
                .post(&url)
                .header("content-type", "application/json")
                .body(body);
            let answer = request.send().await.expect("the node answers");
            answer.text().await.expect("a body")
        };
        if body.contains("eth_simulateV1") {
            let faster = std::mem::take(&mut *race.lock().expect("the race"));
            for transaction in faster {
                let params = json!([transaction]);
                let sent =
                    json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_sendTransaction", "params": params });
                let answer = ask(sent.to_string()).await;
                let answer: Value = serde_json::from_str(&answer).expect("an answer");
                let hash = answer["result"].as_str().expect("a hash");
                let receipt = json!({
                    "jsonrpc": "2.0", "id": 1, "method": "eth_getTransactionReceipt", "params": [hash]
                });
                // The node answers before the block is there.
                while !ask(receipt.to_string()).await.contains("blockNumber") {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
            }
        }
        ask(body).await
    }
    let shared = (reqwest::Client::new(), world.devnet.node.url().to_string(), race);
    let app = Router::new().route("/", post(pass)).with_state(shared);
    world.another(Some(serve(app).0))
}

/// Who trades between question and trial moves the pool: what is missing then is no tax of the token.
#[tokio::test]
async fn a_trade_of_others_between_question_and_trial_passes_for_no_tax() {
    let world = World::new().await;
    let token = world.at().token;
    let pool = Some(World::pool("v3:10000"));
    let others = SwapRequest {
        wallet: DEPLOYER,
        pool,
        ..world.swap(NATIVE, token, coins(5))
    };
    let calls = world
        .venue
        .calls(&others, Amount::new(U256::from(1)), soon())
        .await;
    let faster = calls.expect("calls").into_iter().map(|call| {
        json!({ "from": DEPLOYER, "to": call.to, "data": call.data, "value": call.value, "gas": "0xf4240" })
    });
    let faster: Vec<Value> = faster.collect();
    let race = Race::default();
    let venue = raced(&world, race.clone()).await;
    let buy = SwapRequest {
        pool,
        ..world.swap(NATIVE, token, coins(1) / U256::from(100))
    };
    let before = venue.quote(&buy).await.expect("a quote");
    *race.lock().expect("the race") = faster;
    let pushed = venue.quote(&buy).await.expect("a quote");
    assert!(race.lock().expect("the race").is_empty(), "somebody was faster");
    let least = before.amount_out.units() * U256::from(99) / U256::from(100);
    assert!(pushed.amount_out.units() < least, "{} {least}", pushed.amount_out);
    assert_eq!(
        (pushed.kept, before.kept),
        (Kept::by_pool(10_000), Kept::by_pool(10_000))
    );
}
