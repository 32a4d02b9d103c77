//! Warnings about nodes.

use lgi_mm::devnet::BlockTime;
use serde_json::json;

use super::{start, world_of};
use testkit::liar::Liar;
use testkit::live::World;

const ONE_NODE: &str = "one node decides what happened to your money";

#[tokio::test(flavor = "multi_thread")]
async fn who_trusts_one_node_is_told_so_by_start_doctor_and_status() {
    let (world, _liars) = world_of(1, false).await;
    let token = world.devnet.deployment().clanker.to_string();
    let (code, said) = world
        .run(&[
            "start",
            &token,
            "--mode",
            "accumulate",
            "--live",
            "--chain",
            "local",
            "--symbol",
            "CLAWDIA",
        ])
        .await;
    assert!(code == 0 && said.contains(ONE_NODE), "{code}: {said}");
    let (_, doctor) = world.run(&["--json", "doctor"]).await;
    assert!(doctor.contains(ONE_NODE), "{doctor}");
    let (_, status) = world.run(&["--json", "status", "CLAWDIA"]).await;
    assert!(status.contains(ONE_NODE), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_shows_each_node_and_how_far_it_is() {
    let (world, liars) = world_of(2, false).await;
    world.devnet.node.mine(20).await.expect("blocks");
    liars[1].lie(|method, params, answer| {
        if method == "eth_getBlockByNumber" && params[0] == json!("latest") {
            answer["result"]["number"] = json!("0x1");
        }
    });
    start(&world).await;
    let (_, doctor) = world.run(&["--json", "doctor"]).await;
    assert!(
        doctor.contains("2 nodes must agree") && !doctor.contains(ONE_NODE),
        "{doctor}"
    );
    assert!(doctor.contains("blocks behind the best node"), "{doctor}");
    assert!(
        doctor.contains(&liars[0].url()) && doctor.contains(&liars[1].url()),
        "{doctor}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_accepts_and_swallows_is_named_by_doctor() {
    let mut relay = None;
    let world = World::with(BlockTime::OnTransaction, |mut keys| {
        let made = Liar::start(keys.rpc_urls.first().expect("the node").parse().expect("a URL"));
        keys.private_rpc_url = made.url();
        relay = Some(made);
        keys
    })
    .await;
    let relay = relay.expect("a relay");
    relay.swallow("eth_sendRawTransaction");
    relay.lie(|method, _, answer| {
        if method == "eth_sendRawTransaction" {
            answer["result"] = json!(alloy_primitives::B256::repeat_byte(7));
        }
    });
    start(&world).await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "it was sent often enough",
            "SELECT coalesce(sum(sends), 0) >= 6 FROM attempts",
        )
        .await;
    let (_, doctor) = world.run(&["--json", "doctor"]).await;
    assert!(
        doctor.contains("in no block") && doctor.contains("private_rpc_url"),
        "{doctor}"
    );
    daemon.kill().await.expect("killed");
}
