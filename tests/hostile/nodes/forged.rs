//! Receipts that never were.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use alloy_primitives::{B256, U256};
use serde_json::{Value, json};

use super::{EXECUTED, Miner, count, forge_reverts, free_address, metric, note, routers, start, world_of};
use testkit::live::World;

const DISAGREEMENTS: &str = "lgi_mm_rpc_disagreements_total";

/// `Transfer(address,address,uint256)`.
const TRANSFER: &str = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";

async fn open_and_noted(world: &World, words: &'static str) {
    let sql = match words {
        "contradict" => "SELECT EXISTS (SELECT FROM trades WHERE concat(note, error) LIKE '%contradict%')",
        "balance was" => "SELECT EXISTS (SELECT FROM trades WHERE concat(note, error) LIKE '%balance was%')",
        "signed bytes" => {
            "SELECT EXISTS (SELECT FROM trades WHERE concat(note, error) LIKE '%signed bytes%')"
        }
        "calldata" => "SELECT EXISTS (SELECT FROM trades WHERE concat(note, error) LIKE '%calldata%')",
        other => panic!("no question for {other}"),
    };
    world.until(words, sql).await;
    let ended = "SELECT count(*) FROM trades WHERE status NOT IN ('PENDING', 'SUBMITTED')";
    assert_eq!(count(world, ended).await, 0, "{}", world.story().await);
    assert_eq!(count(world, "SELECT count(*) FROM trades").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_of_two_that_forges_a_revert_settles_nothing_and_is_named_counted_and_forgiven() {
    let (world, liars) = world_of(2, false).await;
    let [good, evil] = liars.as_slice() else {
        panic!("two nodes")
    };
    evil.lie(forge_reverts(routers(&world)));
    // The good one fails at first: the node that answered in its place must not be believed from then on.
    let mut failures = 6;
    good.lie(move |_, _, answer| {
        if failures > 0 {
            failures -= 1;
            *answer = json!({ "jsonrpc": "2.0", "id": answer["id"], "error": { "code": -32603, "message": "Internal error" } });
        }
    });
    start(&world).await;
    let address = free_address();
    let mut daemon = world.daemon_with(&[("LGI_MM__METRICS__LISTEN", &address)]);
    let miner = Miner::start(&world);
    open_and_noted(&world, "contradict").await;
    world.looks(10).await;
    open_and_noted(&world, "contradict").await;
    let named = note(&world).await;
    let host = evil.url().replace("http://", "");
    assert!(named.contains(&host) && named.contains("reverted"), "{named}");
    assert!(metric(&address, DISAGREEMENTS).await > 0.0);
    evil.repent();
    world.until("the trade is booked", EXECUTED).await;
    drop(miner);
    daemon.kill().await.expect("killed");
    assert_eq!(world.audit().await.swaps.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liar_among_three_changes_nothing_and_is_counted() {
    let (world, liars) = world_of(3, false).await;
    liars[0].lie(forge_reverts(routers(&world)));
    start(&world).await;
    let address = free_address();
    let mut daemon = world.daemon_with(&[("LGI_MM__METRICS__LISTEN", &address)]);
    let _miner = Miner::start(&world);
    world.until("the trade is booked", EXECUTED).await;
    assert!(metric(&address, DISAGREEMENTS).await > 0.0);
    daemon.kill().await.expect("killed");
    assert_eq!(world.audit().await.swaps.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_node_that_forges_a_revert_is_caught_by_the_balance() {
    let (world, liars) = world_of(1, false).await;
    liars[0].lie(forge_reverts(routers(&world)));
    start(&world).await;
    let mut daemon = world.daemon(None);
    let _miner = Miner::start(&world);
    open_and_noted(&world, "balance was").await;
    world.looks(10).await;
    open_and_noted(&world, "balance was").await;
    liars[0].repent();
    world.until("the trade is booked", EXECUTED).await;
    daemon.kill().await.expect("killed");
    assert_eq!(world.audit().await.swaps.len(), 1);
}

/// Changes every amount that a token sends to our wallet.
fn forge_amounts(
    token: alloy_primitives::Address,
    change: impl Fn(U256) -> U256 + Send + 'static,
) -> impl FnMut(&str, &Value, &mut Value) + Send + 'static {
    move |method, _, answer| {
        if method != "eth_getTransactionReceipt" {
            return;
        }
        for log in answer["result"]["logs"].as_array_mut().into_iter().flatten() {
            let of_token = log["address"].as_str().and_then(|at| at.parse().ok()) == Some(token);
            if of_token && log["topics"][0] == json!(TRANSFER) {
                let amount: U256 = log["data"].as_str().expect("data").parse().expect("an amount");
                log["data"] = json!(B256::from(change(amount)));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_amounts_and_forged_transactions_of_a_single_node_are_never_booked() {
    let (world, liars) = world_of(1, false).await;
    let token = world.devnet.deployment().clanker;
    liars[0].lie(forge_amounts(token, |amount| amount * U256::from(10)));
    start(&world).await;
    let mut daemon = world.daemon(None);
    let _miner = Miner::start(&world);
    open_and_noted(&world, "balance was").await;
    // Less than the calldata lets through.
    liars[0].lie(forge_amounts(token, |amount| amount / U256::from(10)));
    open_and_noted(&world, "calldata").await;
    // Another value than the one that was signed.
    liars[0].lie(|method, _, answer| {
        if method == "eth_getTransactionByHash" && answer["result"].is_object() {
            answer["result"]["value"] = json!("0x1");
        }
    });
    open_and_noted(&world, "signed bytes").await;
    liars[0].repent();
    world.until("the trade is booked", EXECUTED).await;
    daemon.kill().await.expect("killed");
    assert_eq!(world.audit().await.swaps.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_behind_contradicts_nobody() {
    let (world, liars) = world_of(1, true).await;
    let caught_up = Arc::new(AtomicBool::new(false));
    let told = caught_up.clone();
    // It knows no receipts, and its newest block is the first one it was asked for.
    let mut frozen: Option<Value> = None;
    liars[0].lie(move |method, params, answer| {
        if told.load(Ordering::SeqCst) {
            return;
        }
        let newest = method == "eth_getBlockByNumber" && params[0] == json!("latest");
        if newest {
            answer["result"] = frozen.get_or_insert_with(|| answer["result"].clone()).clone();
        }
        if method == "eth_getTransactionReceipt" || method == "eth_getTransactionByHash" {
            answer["result"] = Value::Null;
        }
    });
    start(&world).await;
    let address = free_address();
    let mut daemon = world.daemon_with(&[("LGI_MM__METRICS__LISTEN", &address)]);
    let _miner = Miner::start(&world);
    world
        .until(
            "a swap is sent",
            "SELECT EXISTS (SELECT FROM attempts WHERE sent_at IS NOT NULL)",
        )
        .await;
    world.looks(10).await;
    assert_eq!(
        count(&world, "SELECT count(*) FROM trades WHERE status = 'EXECUTED'").await,
        0
    );
    caught_up.store(true, Ordering::SeqCst);
    world.until("the trade is booked", EXECUTED).await;
    assert!(
        metric(&address, DISAGREEMENTS).await < 0.5,
        "{}",
        world.story().await
    );
    daemon.kill().await.expect("killed");
    assert_eq!(world.audit().await.swaps.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_swallows_reaches_the_other_at_once() {
    let (world, liars) = world_of(1, true).await;
    liars[0].swallow("eth_sendRawTransaction");
    liars[0].lie(|method, _, answer| {
        if method == "eth_sendRawTransaction" {
            answer["result"] = json!(B256::repeat_byte(7));
        }
    });
    start(&world).await;
    let mut daemon = world.daemon(None);
    let _miner = Miner::start(&world);
    world.until("the trade is booked", EXECUTED).await;
    assert_eq!(
        count(&world, "SELECT count(*) FROM attempts").await,
        1,
        "{}",
        world.story().await
    );
    assert!(
        liars[0].asked("eth_sendRawTransaction") > 0,
        "it was sent to the bad one as well"
    );
    daemon.kill().await.expect("killed");
    assert_eq!(world.audit().await.swaps.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_nodes_lie_a_failure_counts_as_spent_until_it_is_final_and_reconcile_names_the_tokens() {
    let (world, liars) = world_of(2, false).await;
    for liar in &liars {
        let mut forge = forge_reverts(routers(&world));
        liar.lie(move |method, params, answer| {
            forge(method, params, answer);
            if method == "eth_getBlockByNumber" && params[0] == json!("finalized") {
                answer["result"] = Value::Null;
            }
        });
    }
    start(&world).await;
    let mut daemon = world.daemon(None);
    let _miner = Miner::start(&world);
    world
        .until(
            "the lie is booked",
            "SELECT EXISTS (SELECT FROM trades WHERE status = 'FAILED')",
        )
        .await;
    world.ticks(4).await;
    assert_eq!(
        count(&world, "SELECT count(*) FROM trades").await,
        1,
        "{}",
        world.story().await
    );
    daemon.kill().await.expect("killed");
    let (_, said) = world.run(&["reconcile"]).await;
    assert!(
        said.contains("WARNING") && said.contains("beyond what jobs track"),
        "{said}"
    );
    assert!(!said.contains("ledger and chain agree"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_of_two_cannot_make_a_receipt_look_deep() {
    let (world, liars) = world_of(1, true).await;
    liars[0].lie(|method, params, answer| {
        let deeper = |text: &Value| {
            let number: U256 = text.as_str().expect("a number").parse().expect("a number");
            json!(number + U256::from(1_000))
        };
        if method == "eth_blockNumber" {
            answer["result"] = deeper(&answer["result"]);
        }
        let named = params[0] == json!("latest") || params[0] == json!("finalized");
        if method == "eth_getBlockByNumber" && named && answer["result"].is_object() {
            answer["result"]["number"] = deeper(&answer["result"]["number"]);
        }
    });
    start(&world).await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "a swap is sent",
            "SELECT EXISTS (SELECT FROM attempts WHERE sent_at IS NOT NULL)",
        )
        .await;
    world.looks(10).await;
    // It is in the newest block, and two are needed.
    assert_eq!(
        count(&world, "SELECT count(*) FROM fills").await,
        0,
        "{}",
        world.story().await
    );
    let _miner = Miner::start(&world);
    world.until("the trade is booked", EXECUTED).await;
    daemon.kill().await.expect("killed");
    assert_eq!(world.audit().await.swaps.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_of_two_nodes_down_nothing_is_begun_and_the_hold_says_why() {
    let (world, liars) = world_of(1, true).await;
    liars[0].lie(|_, _, answer| *answer = Value::Null);
    start(&world).await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "the hold is named",
            "SELECT EXISTS (SELECT FROM ticks WHERE reason = 'nodes_disagree')",
        )
        .await;
    assert_eq!(
        count(&world, "SELECT count(*) FROM trades").await,
        0,
        "{}",
        world.story().await
    );
    liars[0].repent();
    let _miner = Miner::start(&world);
    world.until("the trade is booked", EXECUTED).await;
    daemon.kill().await.expect("killed");
}
