//! The only node misbehaves in one way after the other: each time a buy and the liquidation after it end IDLE, with a
//! ledger that says what the chain says.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use lgi_mm::{
    domain::{span::Span, units::Amount},
    store::orders::{self, Order},
};
use serde_json::{Value, json};
use testkit::{
    liar::{Liar, Refused},
    live::World,
};

use super::{Miner, buy_once, world_of, world_of_one_voice};

const BOUGHT: &str = "SELECT bool_and(token_balance::numeric > 0)
                      AND NOT EXISTS (SELECT FROM trades WHERE status IN ('PENDING', 'SUBMITTED')) FROM jobs";
const SOLD: &str = "SELECT bool_and(status = 'IDLE' AND token_balance::numeric = 0) FROM jobs";

type Lie = Box<dyn FnMut(&str, &Value, &mut Value) + Send>;
type Door = Box<dyn FnMut(usize) -> Option<Refused> + Send>;
/// A fault, and how the node comes by it.
type Fault = (&'static str, Box<dyn FnOnce(&Liar) + Send>);

fn lying(faults: Vec<(&'static str, Lie)>) -> Vec<Fault> {
    let fault = |(name, lie): (&'static str, Lie)| -> Fault { (name, Box::new(move |node| node.lie(lie))) };
    faults.into_iter().map(fault).collect()
}

fn refuse(answer: &mut Value, code: i64, message: &str) {
    if let Some(answer) = answer.as_object_mut() {
        answer.remove("result");
        answer.insert("error".to_owned(), json!({ "code": code, "message": message }));
    }
}

fn is_block(method: &str, params: &Value, tag: &str) -> bool {
    method == "eth_getBlockByNumber" && params[0] == tag
}

/// This share of the requests is changed, per cent, in an order that no client keeps step with.
fn sometimes(percent: u64, of: fn(&str) -> bool, change: fn(&mut Value)) -> Lie {
    let mut state = 7_u64;
    Box::new(move |method, _, answer| {
        if of(method) {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            if (state >> 33) % 100 < percent {
                change(answer);
            }
        }
    })
}

/// As QuickNode limits, in the words of JSON.
fn at_most(per_second: u32) -> Lie {
    let (mut second, mut seen) = (Instant::now(), 0);
    Box::new(move |_, _, answer| {
        if second.elapsed() >= Duration::from_secs(1) {
            (second, seen) = (Instant::now(), 0);
        }
        seen += 1;
        if seen > per_second {
            refuse(answer, -32_007, "60/second request limit reached");
        }
    })
}

/// Several machines behind one URL: every second answer is that of one which is up to five blocks behind.
fn back_and_forth() -> Lie {
    let (mut blocks, mut turn) = (VecDeque::<Value>::new(), false);
    Box::new(move |method, params, answer| {
        if !is_block(method, params, "latest") || !answer["result"].is_object() {
            return;
        }
        let honest = answer["result"].clone();
        if blocks.back().map(|block| &block["hash"]) != Some(&honest["hash"]) {
            blocks.push_back(honest);
        }
        if blocks.len() > 6 {
            blocks.pop_front();
        }
        turn = !turn;
        if turn {
            answer["result"] = blocks[0].clone();
        }
    })
}

/// What a rollup's blocks and receipts have besides, and fields of next year.
fn odd_fields() -> Lie {
    Box::new(|method, _, answer| {
        let result = &mut answer["result"];
        if !result.is_object() {
            return;
        }
        match method {
            "eth_getBlockByNumber" | "eth_getBlockByHash" => {
                result["blobGasUsed"] = json!("0x0");
                result["requestsHash"] = json!(null);
                result["l1BlockNumber"] = json!("0x7b");
                result["futureRoot"] = json!({ "of": ["what", 1] });
            }
            "eth_getTransactionReceipt" => {
                result["l1Fee"] = json!("0x1");
                result["depositNonce"] = json!("0x0");
                result["type"] = json!("0x7e");
                result["futureField"] = json!([null]);
            }
            _ => {}
        }
    })
}

fn faults() -> Vec<(&'static str, Lie)> {
    vec![
        (
            "no block is final to it",
            Box::new(|method, params, answer| {
                if is_block(method, params, "finalized") || is_block(method, params, "safe") {
                    refuse(answer, -39_001, "Unknown block");
                }
            }),
        ),
        (
            "it suggests no tip and has no history of fees",
            Box::new(|method, _, answer| {
                if ["eth_maxPriorityFeePerGas", "eth_feeHistory"].contains(&method) {
                    refuse(answer, -32_601, "the method does not exist/is not available");
                }
            }),
        ),
        (
            "it gives no logs",
            Box::new(|method, _, answer| {
                if method == "eth_getLogs" {
                    refuse(answer, -32_001, "rpc method is not whitelisted");
                }
            }),
        ),
        (
            "half of the receipts are missing",
            sometimes(
                50,
                |method| method == "eth_getTransactionReceipt",
                |answer| answer["result"] = json!(null),
            ),
        ),
        (
            "a quarter of the answers is lost after the work was done",
            sometimes(25, |_| true, |answer| *answer = json!(null)),
        ),
        ("its head goes back and forth", back_and_forth()),
        ("its blocks and receipts have more than is known", odd_fields()),
        // Last: it is asked slowly for a while afterwards.
        (
            "it answers sixty requests a second and refuses the rest",
            at_most(60),
        ),
    ]
}

/// One buy and one liquidation for each fault of the first node, by a job of its own that one service works.
async fn survive(world: &World, node: &Liar, faults: Vec<Fault>) {
    let _miner = Miner::start(world);
    let mut rules = buy_once();
    rules["limits"]["max_daily_spend_usd"] = json!(0);
    let token = world.devnet.deployment().clanker;
    let job = world.start(token, "CLAWDIA", rules).await;
    let mut daemon = world.daemon(None);
    let cycles = faults.len();
    for (index, (name, take)) in faults.into_iter().enumerate() {
        take(node);
        if index > 0 {
            let order = Order::Start {
                deposit: Amount::ZERO,
            };
            let started = orders::order(&world.db.pool, job, order, "test").await;
            started.expect(name);
        }
        world.until(name, BOUGHT).await;
        let order = Order::Liquidate {
            over: Span::ZERO,
            slices: 1,
        };
        let ordered = orders::order(&world.db.pool, job, order, "test").await;
        ordered.expect(name);
        world.until(name, SOLD).await;
    }
    daemon.kill().await.expect("killed");
    node.repent();
    let swaps = world.audit().await.swaps.len();
    assert_eq!(swaps, 2 * cycles, "{}", world.story().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_only_node_does_a_buy_and_its_liquidation_end_idle_with_the_ledger_of_the_chain() {
    let (world, liars) = world_of(1, false).await;
    survive(&world, &liars[0], lying(faults())).await;
}

/// Where a second node is healthy and one node's word is enough, what the first one lacks is asked of it.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_first_of_two_nodes_refuses_a_buy_and_its_liquidation_end_idle() {
    let (world, liars) = world_of_one_voice().await;
    let mut first: Option<Value> = None;
    let frozen = move |method: &str, params: &Value, answer: &mut Value| {
        if is_block(method, params, "latest") {
            answer["result"] = first.get_or_insert_with(|| answer["result"].clone()).clone();
        }
    };
    let faults: Vec<(&str, Lie)> = vec![
        (
            "it is for reading only",
            Box::new(|method, _, answer| {
                if method == "eth_sendRawTransaction" {
                    refuse(
                        answer,
                        -32_601,
                        "the method eth_sendRawTransaction does not exist",
                    );
                }
            }),
        ),
        (
            "it has no state",
            Box::new(|method, _, answer| {
                if ["eth_call", "eth_simulateV1", "eth_getBalance"].contains(&method) {
                    refuse(
                        answer,
                        -32_000,
                        "missing trie node d0fa (path ) state is not available",
                    );
                }
            }),
        ),
        (
            "it is broken",
            Box::new(|_, _, answer| refuse(answer, -32_603, "Internal error")),
        ),
        (
            "it has no newest block",
            Box::new(|method, params, answer| {
                if is_block(method, params, "latest") {
                    answer["result"] = json!(null);
                }
            }),
        ),
        ("it stands still", Box::new(frozen)),
    ];
    survive(&world, &liars[0], lying(faults)).await;
}

/// Every so manieth HTTP request is refused so.
fn every(nth: u32, status: u16, retry_after: Option<u32>, words: &'static str) -> Door {
    let mut seen = 0;
    Box::new(move |_| {
        seen += 1;
        (seen % nth == 0).then(|| Refused {
            status,
            retry_after,
            body: json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32_005, "message": words } }),
        })
    })
}

/// More than so many requests in one HTTP request are refused.
fn at_most_together(most: usize, status: u16, words: &'static str) -> Door {
    Box::new(move |count| {
        (count > most).then(|| Refused {
            status,
            retry_after: None,
            body: json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32_600, "message": words } }),
        })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn however_the_only_node_refuses_whole_requests_a_buy_and_its_liquidation_end_idle() {
    let (world, liars) = world_of(1, false).await;
    let doors: Vec<(&'static str, Door)> = vec![
        (
            "every seventh request is one too many, and it says when to come again",
            every(7, 429, Some(1), "too many requests"),
        ),
        (
            "every ninth request is refused for an unpaid bill",
            every(9, 402, None, "payment required"),
        ),
        (
            "every fifth request meets a gateway without a node",
            every(5, 503, None, "no healthy upstream"),
        ),
        // What a batch may hold is learnt for good: these come last.
        ("ten in a batch", at_most_together(10, 200, "batch too large")),
        ("three in a batch", at_most_together(3, 500, "3 in a batch")),
        (
            "no batch at all",
            at_most_together(1, 400, "batch requests are not supported"),
        ),
    ];
    let fault =
        |(name, door): (&'static str, Door)| -> Fault { (name, Box::new(move |node| node.guard(door))) };
    survive(&world, &liars[0], doors.into_iter().map(fault).collect()).await;
}
