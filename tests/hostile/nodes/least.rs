//! The only node lacks what others have: trades take another way.

use lgi_mm::{
    domain::span::Span,
    store::orders::{self, Order},
};
use serde_json::{Value, json};

use super::{EXECUTED, Miner, buy_once, world_of};

/// The job has sold everything.
const SOLD: &str = "SELECT bool_and(status = 'IDLE' AND token_balance::numeric = 0) FROM jobs";

fn lacks(answer: &mut Value, code: i64, message: &str) {
    if let Some(answer) = answer.as_object_mut() {
        answer.remove("result");
        answer.insert("error".to_owned(), json!({ "code": code, "message": message }));
    }
}

/// Buys with a node that has no suggestion of a tip and simulates no block, and sells with one that changes no state
/// for a call either.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_few_methods_buys_and_one_with_the_fewest_sells() {
    let (world, liars) = world_of(1, false).await;
    let without = |overrides: bool| {
        move |method: &str, params: &Value, answer: &mut Value| match method {
            "eth_simulateV1" => lacks(answer, -32042, "Method disabled"),
            "eth_maxPriorityFeePerGas" => lacks(answer, -32004, "The method is not supported"),
            "eth_feeHistory" if !overrides => lacks(answer, -32601, "Method not found"),
            "eth_call" if !overrides && params.get(2).is_some() => {
                lacks(answer, -32602, "too many arguments, want at most 2");
            }
            _ => {}
        }
    };
    liars[0].lie(without(true));
    let token = world.devnet.deployment().clanker;
    let mut rules = buy_once();
    // Without a trial the gas of a swap is not known: its bound is what counts.
    rules["limits"]["max_gas_usd"] = serde_json::json!(50);
    let job = world.start(token, "CLAWDIA", rules).await;
    let mut daemon = world.daemon(None);
    let _miner = Miner::start(&world);
    world.until("it buys", EXECUTED).await;
    daemon.kill().await.expect("killed");
    assert!(liars[0].asked("eth_feeHistory") > 0);
    liars[0].lie(without(false));
    let order = Order::Liquidate {
        over: Span::ZERO,
        slices: 1,
    };
    orders::order(&world.db.pool, job, order, "test")
        .await
        .expect("ordered");
    let mut daemon = world.daemon(None);
    world.until("it sells everything", SOLD).await;
    daemon.kill().await.expect("killed");
    assert_eq!(world.audit().await.swaps.len(), 2);
}
