//! A private relay that drops what it accepts.

use std::sync::{Arc, Mutex};

use alloy_primitives::{B256, keccak256};
use lgi_mm::devnet::BlockTime;
use serde_json::{Value, json};
use testkit::{liar::Liar, live::World};

use super::{EXECUTED, Miner, count, start};

/// The trade ended without a fill, by a cancel of ours.
const CANCELLED: &str =
    "SELECT count(*) = 1 AND bool_and(status = 'FAILED' AND failure_kind = 'cancelled') FROM trades";
/// Its owner was told that it is stuck.
const TOLD: &str = "SELECT count(*) > 0 FROM outbox WHERE event = 'trade.stuck'";
/// A cancel was signed.
const CANCELLING: &str = "SELECT count(*) > 0 FROM attempts WHERE purpose = 'cancel' AND sends >= 3";
/// Trades are past their deadline after seconds, as chains count them.
const SHORT: (&str, &str) = ("LGI_MM__TRADING__TRADE_DEADLINE", "5s");

/// The hashes of all bytes that a node was handed.
type Handed = Arc<Mutex<Vec<B256>>>;

/// Bytes as a request to send them has them.
fn hash_of(params: &Value) -> B256 {
    let raw: alloy_primitives::Bytes = params[0].as_str().expect("bytes").parse().expect("hex");
    keccak256(&raw)
}

/// A world that asks a watched public node and sends through a relay; what each of them was handed.
async fn world_with_relay(fallback: bool) -> (World, Liar, Liar, Handed) {
    let mut made = None;
    let world = World::with(BlockTime::OnTransaction, |mut keys| {
        let node = || keys.rpc_urls.first().expect("the node").parse().expect("a URL");
        let (relay, public) = (Liar::start(node()), Liar::start(node()));
        keys.rpc_urls = vec![public.url()];
        keys.private_rpc_url = relay.url();
        keys.private_fallback = Some(fallback);
        keys.required_depth = Some(2);
        made = Some((relay, public));
        keys
    })
    .await;
    let (relay, public) = made.expect("a relay and a node");
    let handed = Handed::default();
    let seen = handed.clone();
    public.lie(move |method, params, _| {
        if method == "eth_sendRawTransaction" {
            seen.lock().expect("the list").push(hash_of(params));
        }
    });
    (world, relay, public, handed)
}

/// From now on the relay accepts everything and passes nothing on.
fn drop_all(relay: &Liar) {
    relay.swallow("eth_sendRawTransaction");
    relay.lie(|method, params, answer| {
        if method == "eth_sendRawTransaction" {
            answer["result"] = json!(hash_of(params));
        }
    });
}

/// Hashes of what was signed for this purpose.
async fn signed(world: &World, purpose: &str) -> Vec<B256> {
    let rows: Vec<Vec<u8>> = sqlx::query_scalar("SELECT hash FROM attempts WHERE purpose = $1")
        .bind(purpose)
        .fetch_all(&world.db.pool)
        .await
        .expect("attempts");
    rows.iter().map(|hash| B256::from_slice(hash)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_drops_everything_frees_the_wallet_by_a_public_cancel_and_shows_nobody_the_swap() {
    let (world, relay, _public, handed) = world_with_relay(true).await;
    drop_all(&relay);
    start(&world).await;
    let mut daemon = world.daemon_with(&[SHORT]);
    let _miner = Miner::start(&world);
    world.until("the trade is cancelled", CANCELLED).await;
    daemon.kill().await.expect("killed");
    let handed = handed.lock().expect("the list").clone();
    let cancels = signed(&world, "cancel").await;
    assert!(
        !handed.is_empty() && handed.iter().all(|hash| cancels.contains(hash)),
        "only cancels"
    );
    for hash in signed(&world, "swap").await {
        assert!(!handed.contains(&hash), "the swap was shown to the public");
    }
    assert!(
        relay.asked("eth_sendRawTransaction") > 2,
        "and it was sent again first"
    );
    assert_eq!(world.audit().await.swaps.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_leave_nothing_becomes_public_and_the_owner_is_told_once() {
    let (world, relay, public, _handed) = world_with_relay(false).await;
    drop_all(&relay);
    start(&world).await;
    let mut daemon = world.daemon_with(&[SHORT]);
    let miner = Miner::start(&world);
    world.until("its owner is told", TOLD).await;
    world.until("it is being cancelled", CANCELLING).await;
    let (_, status) = world.run(&["--json", "status", "CLAWDIA"]).await;
    let status: Value = serde_json::from_str(&status).expect("JSON");
    assert!(status["open_trade"]["stuck_since"].is_string(), "{status}");
    let (_, shown) = world.run(&["status", "CLAWDIA"]).await;
    assert!(
        shown.contains("STUCK") && shown.contains("in no block"),
        "{shown}"
    );
    let (_, doctor) = world.run(&["--json", "doctor"]).await;
    assert!(doctor.contains("chains.local.private_rpc_url"), "{doctor}");
    assert_eq!(public.asked("eth_sendRawTransaction"), 0, "nothing became public");
    // The relay is honest again: the same cancel goes through the same door, and ends the trade.
    relay.repent();
    world.until("the trade is cancelled", CANCELLED).await;
    drop(miner);
    daemon.kill().await.expect("killed");
    assert_eq!(public.asked("eth_sendRawTransaction"), 0);
    let told = count(&world, "SELECT count(*) FROM outbox WHERE event = 'trade.stuck'").await;
    assert_eq!(told, 1, "once, however long it lasted");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_relay_dropped_is_sent_again_and_swaps_once() {
    let (world, relay, public, _handed) = world_with_relay(true).await;
    drop_all(&relay);
    start(&world).await;
    let mut daemon = world.daemon(None);
    let _miner = Miner::start(&world);
    world
        .until(
            "it was sent again",
            "SELECT coalesce(sum(sends), 0) >= 3 FROM attempts",
        )
        .await;
    relay.repent();
    world.until("the trade is booked", EXECUTED).await;
    daemon.kill().await.expect("killed");
    assert_eq!(public.asked("eth_sendRawTransaction"), 0, "nothing became public");
    assert_eq!(world.audit().await.swaps.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_where_transactions_go_and_how_each_node_tries_trades() {
    let (world, _relay, public, _handed) = world_with_relay(true).await;
    let (_, doctor) = world.run(&["--json", "doctor"]).await;
    let relay = "only; a cancel that is in no block after 1s also to rpc_urls";
    assert!(doctor.contains(relay), "{doctor}");
    assert!(doctor.contains("tries trades by eth_simulateV1"), "{doctor}");
    let without = |overrides: bool| {
        move |method: &str, params: &Value, answer: &mut Value| {
            let lacks = method == "eth_simulateV1" || (!overrides && params.get(2).is_some());
            if lacks && let Some(answer) = answer.as_object_mut() {
                answer.remove("result");
                answer.insert(
                    "error".to_owned(),
                    json!({ "code": -32601, "message": "Method not found" }),
                );
            }
        }
    };
    for (overrides, expected) in [
        (true, "tries trades by eth_call with state overrides"),
        (false, "tries trades step by step"),
    ] {
        public.lie(without(overrides));
        let (_, doctor) = world.run(&["--json", "doctor"]).await;
        assert!(doctor.contains(expected), "{expected}: {doctor}");
    }
}
