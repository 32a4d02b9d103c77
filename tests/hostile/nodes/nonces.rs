//! Lies about how many transactions a wallet has made.

use serde_json::json;
use testkit::live::{WALLET, World};

use super::{EXECUTED, Miner, count, note, start, world_of};

/// What the review's node said.
const FIVE_MILLION: &str = "0x4c4b40";

fn claims_five_million(method: &str, answer: &mut serde_json::Value) {
    if method == "eth_getTransactionCount" {
        answer["result"] = json!(FIVE_MILLION);
    }
}

async fn adopt(world: &World) -> (i32, String) {
    let wallet = WALLET.to_string();
    world
        .run(&["reconcile", "--adopt", &wallet, "--chain", "local", "--yes"])
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_nodes_do_not_agree_on_is_neither_used_nor_adopted() {
    let (world, liars) = world_of(1, true).await;
    liars[0].lie(|method, _, answer| claims_five_million(method, answer));
    let (code, said) = adopt(&world).await;
    assert!(
        code != 0 && said.contains("disagree about the first nonce"),
        "{code}: {said}"
    );
    start(&world).await;
    let mut daemon = world.daemon(None);
    let _miner = Miner::start(&world);
    world.until("a trade is booked", EXECUTED).await;
    daemon.kill().await.expect("killed");
    let nonces = "SELECT count(*) FROM transactions WHERE nonce > 0";
    assert_eq!(count(&world, nonces).await, 0, "{}", note(&world).await);
    assert_eq!(world.audit().await.swaps.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_one_node_invented_halts_the_signer_and_is_taken_back_on_evidence() {
    let (world, liars) = world_of(1, false).await;
    liars[0].lie(|method, _, answer| claims_five_million(method, answer));
    let (code, said) = adopt(&world).await;
    assert_eq!(code, 0, "{said}");
    start(&world).await;
    let soon = [
        ("LGI_MM__TRADING__TRADE_DEADLINE", "5s"),
        ("LGI_MM__TRADING__PLAN_LIFETIME", "30s"),
    ];
    let mut daemon = world.daemon_with(&soon);
    let miner = Miner::start(&world);
    world
        .until(
            "the invented nonce is on record",
            "SELECT EXISTS (SELECT FROM transactions WHERE nonce >= 5000000)",
        )
        .await;
    daemon.kill().await.expect("killed");
    liars[0].repent();
    let (code, doctor) = world.run(&["doctor"]).await;
    assert!(code != 0 && doctor.contains("nonces beyond it"), "{doctor}");
    let (_, early) = world.run(&["reconcile"]).await;
    assert!(!early.contains("ledger and chain agree"), "{early}");
    tokio::time::sleep(std::time::Duration::from_secs(7)).await;
    let (_, said) = world.run(&["reconcile", "--apply"]).await;
    assert!(said.contains("never on chain"), "{said}");
    let kept = "SELECT count(*) FROM nonce_repairs WHERE from_nonce > 5000000 AND evidence ? 'in_no_block'";
    assert_eq!(count(&world, kept).await, 1);
    let back = sqlx::query("UPDATE signers SET next_nonce = next_nonce - 1 WHERE next_nonce > 0")
        .execute(&world.db.pool)
        .await;
    let moved = count(&world, "SELECT max(next_nonce) FROM signers").await;
    assert!(moved < 5_000_000, "{moved}");
    assert!(
        moved == 0 || back.is_err(),
        "without evidence a counter never goes back"
    );
    let mut daemon = world.daemon(None);
    world
        .until(
            "a trade is booked",
            "SELECT EXISTS (SELECT FROM trades WHERE status = 'EXECUTED')",
        )
        .await;
    drop(miner);
    daemon.kill().await.expect("killed");
    assert_eq!(
        count(&world, "SELECT count(*) FROM trades WHERE status = 'EXECUTED'").await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_starts_sees_that_nonces_are_missing_and_halts_by_itself() {
    let (world, liars) = world_of(1, false).await;
    // A wallet with a past, so that its true nonce is none that a fresh one has.
    world.foreign(0).await;
    liars[0].lie(|method, _, answer| {
        if method == "eth_getTransactionCount" {
            answer["result"] = json!("0x1388");
        }
    });
    let (code, said) = adopt(&world).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(count(&world, "SELECT max(next_nonce) FROM signers").await, 5_000);
    start(&world).await;
    liars[0].repent();
    // A starting process compares the counts.
    let mut daemon = world.daemon(None);
    world
        .until(
            "the signer is halted",
            "SELECT EXISTS (SELECT FROM signers WHERE halted_reason LIKE '%never given out%')",
        )
        .await;
    daemon.kill().await.expect("killed");
}
