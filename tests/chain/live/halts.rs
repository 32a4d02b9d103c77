//! What stops a signer, and what starts it again.

use std::time::Duration;

use lgi_mm::{devnet::BlockTime, ports::Chain};
use sqlx::{Connection, PgConnection, PgPool};
use testkit::{
    TestDb,
    live::{WALLET, World},
};

use crate::live::{ALL_FINAL, buy_once, clanker};

const HALTED: &str = "SELECT EXISTS (SELECT FROM signers WHERE halted_reason IS NOT NULL)";

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_transaction_on_the_nonce_of_an_open_trade_stops_the_signer_until_it_is_reconciled() {
    // Such a fee raises the base fee for everyone.
    let world = World::with(BlockTime::OnDemand, |mut keys| {
        keys.max_fee_gwei = Some(10_000);
        keys
    })
    .await;
    world.devnet.node.mine(1).await.expect("a block");
    let mut rules = buy_once();
    rules["limits"] = serde_json::json!({ "max_gas_usd": 100_000 });
    clanker(&world, rules).await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "the swap waits",
            "SELECT EXISTS (SELECT FROM attempts WHERE sent_at IS NOT NULL)",
        )
        .await;
    let foreign = world.foreign(0).await;
    world.devnet.node.mine(1).await.expect("a block");
    world.until("the signer is halted", HALTED).await;
    world
        .until(
            "the trade failed",
            "SELECT bool_and(status = 'FAILED' AND failure_kind = 'foreign') FROM trades",
        )
        .await;
    let hash = format!("{foreign:#x}");
    let (_, status) = world.run(&["status", "CLAWDIA"]).await;
    assert!(status.contains(&hash[..18]), "{status}");
    let (code, doctor) = world.run(&["--json", "doctor"]).await;
    assert!(
        code == 6 && doctor.contains(&hash) && doctor.contains("reconcile"),
        "{doctor}"
    );
    let (_, found) = world.run(&["--json", "reconcile"]).await;
    assert!(found.contains(&hash), "{found}");
    world.until("nothing was changed by looking", HALTED).await;
    let (code, fixed) = world.run(&["--json", "reconcile", "--apply"]).await;
    assert_eq!(code, 0, "{fixed}");
    let recorded = world.audited("reconcile_apply").await;
    let [(actor, subject, detail)] = &recorded[..] else {
        panic!("one row of the audit: {recorded:?}")
    };
    assert!(
        actor.starts_with("cli:") && subject == "ledger",
        "{actor} {subject}"
    );
    let repairs = detail["repairs"].as_array().expect("what was repaired");
    assert!(
        repairs.len() == 1 && repairs[0].to_string().to_lowercase().contains("0x"),
        "{detail}"
    );
    // It resumes where it was: the failed buy is made.
    let waits = "SELECT EXISTS (SELECT FROM attempts a JOIN transactions x ON x.id = a.transaction_id WHERE x.nonce = 1 AND sent_at IS NOT NULL)";
    world.until("the next swap waits", waits).await;
    world.devnet.node.mine(1).await.expect("a block");
    world.until("every trade is final", ALL_FINAL).await;
    daemon.kill().await.expect("killed");
    let executed: i64 = sqlx::query_scalar("SELECT count(*) FROM trades WHERE status = 'EXECUTED'")
        .fetch_one(&world.db.pool)
        .await
        .expect("a count");
    assert_eq!(executed, 1, "{}", world.story().await);
}

/// The database as it is now, under another name.
async fn copy(world: &mut World) -> String {
    world.db.pool.close().await;
    let (server, name) = world.db.url.rsplit_once('/').expect("an address");
    let name = name.split('?').next().expect("a name");
    let admin = world.db.url.replace(&format!("/{name}"), "/postgres");
    let mut connection = PgConnection::connect(&admin).await.expect("the server answers");
    let create = format!("CREATE DATABASE {name}_older TEMPLATE {name}");
    sqlx::query(sqlx::AssertSqlSafe(create))
        .execute(&mut connection)
        .await
        .expect("a copy");
    let _ = server;
    let older = world
        .db
        .url
        .replace(&format!("/{name}"), &format!("/{name}_older"));
    world.db.pool = PgPool::connect(&world.db.url).await.expect("the database");
    older
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_older_database_signs_nothing_until_it_is_reconciled() {
    let mut world = World::new(BlockTime::OnTransaction).await;
    let rules = serde_json::json!({ "accumulate": { "dca_amount_usd": 10, "dca_interval": "2s", "dip_buy_threshold_pct": 0 } });
    clanker(&world, rules).await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "a first trade",
            "SELECT count(*) >= 1 FROM trades WHERE status = 'EXECUTED'",
        )
        .await;
    daemon.kill().await.expect("killed");
    let older = copy(&mut world).await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "more trades",
            "SELECT count(*) >= 3 FROM trades WHERE status = 'EXECUTED'",
        )
        .await;
    world.until("every trade is final", ALL_FINAL).await;
    daemon.kill().await.expect("killed");
    let before = world.live.chain.nonces(WALLET).await.expect("nonces");

    world.db = TestDb {
        pool: PgPool::connect(&older).await.expect("the older database"),
        url: older,
    };
    let mut daemon = world.daemon(None);
    world.until("the signer is halted", HALTED).await;
    world.ticks(3).await;
    assert_eq!(world.live.chain.nonces(WALLET).await.expect("nonces"), before);
    let (code, doctor) = world.run(&["doctor"]).await;
    assert!(code == 6 && doctor.contains("reconcile"), "{doctor}");
    let (_, found) = world.run(&["--json", "reconcile"]).await;
    let found: serde_json::Value = serde_json::from_str(&found).expect("JSON");
    let unknown = found["signers"][0]["unknown_nonces"].as_array().expect("nonces");
    assert!(
        !unknown.is_empty() && unknown.iter().all(|nonce| nonce["tx_hash"].is_string()),
        "{found}"
    );
    let (code, fixed) = world.run(&["reconcile", "--apply"]).await;
    assert_eq!(code, 0, "{fixed}");
    // The lost trades' tokens are in the wallet: the owner decides whether to continue without them.
    let (code, resumed) = world.run(&["resume", "CLAWDIA"]).await;
    assert!(code == 0 && resumed.contains("PAUSED -> RUNNING"), "{resumed}");
    world
        .until(
            "it trades on",
            "SELECT count(*) >= 2 FROM trades WHERE status = 'EXECUTED'",
        )
        .await;
    daemon.kill().await.expect("killed");
    assert!(world.live.chain.nonces(WALLET).await.expect("nonces").latest > before.latest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_stands_still_is_named_and_gets_no_trades_until_it_moves() {
    let world = World::with(BlockTime::OnDemand, |mut keys| {
        keys.max_head_age = Some("2s".parse().expect("a span"));
        keys
    })
    .await;
    // The chain was saved some while ago; a price of that age would be a reason of its own.
    let mut rules = buy_once();
    rules["price"] = serde_json::json!({ "max_price_age": "24h" });
    clanker(&world, rules).await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "the hold is named",
            "SELECT EXISTS (SELECT FROM ticks WHERE reason = 'chain_halted')",
        )
        .await;
    let (_, status) = world.run(&["status", "CLAWDIA"]).await;
    assert!(
        status.contains("chain_halted") && status.contains("max_head_age"),
        "{status}"
    );
    let (code, doctor) = world.run(&["doctor"]).await;
    assert!(code == 6 && doctor.contains("newest block"), "{doctor}");
    let nothing: i64 = sqlx::query_scalar("SELECT count(*) FROM attempts")
        .fetch_one(&world.db.pool)
        .await
        .expect("a count");
    assert_eq!(nothing, 0);
    for _ in 0..40 {
        world.devnet.node.mine(1).await.expect("a block");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    world.until("every trade is final", ALL_FINAL).await;
    daemon.kill().await.expect("killed");
    let found = world.audit().await;
    assert_eq!(found.swaps.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_chain_is_refused_at_start_by_name() {
    let world = World::with(BlockTime::OnTransaction, |mut keys| {
        keys.chain_id = Some(1_337);
        keys
    })
    .await;
    clanker(&world, buy_once()).await;
    let (code, said) = world.run(&["worker"]).await;
    assert_eq!(code, 4, "{said}");
    for names in ["127.0.0.1", "31337", "has 1337:", "chains.local.rpc_urls"] {
        assert!(said.contains(names), "{names}: {said}");
    }
}
