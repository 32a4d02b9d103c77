//! The chain, read past the proxy, against the ledger.

use std::collections::{BTreeMap, HashMap, HashSet};

use alloy_primitives::{Address, B256, U64};
use lgi_mm::{
    app::audit::live::compare,
    domain::{onchain::Asset, units::Amount},
    ports::Chain,
};
use serde_json::{Value, json};

use crate::chaos::world::{World, coins};

/// A transaction of the wallet, as blocks hold it.
struct Mined {
    hash: B256,
    nonce: u64,
    success: bool,
}

/// Nothing was lost and nothing was doubled.
pub async fn assert_ledger_is_the_chain(world: &World) {
    let mined = mined(world).await;
    nonces(world, &mined).await;
    swaps(world, &mined).await;
    money(world).await;
    for (sql, what) in [
        (
            "SELECT count(*) FROM reservations",
            "a reservation outlived its trade",
        ),
        (
            "SELECT count(*) FROM signers WHERE halted_at IS NOT NULL",
            "the signer was halted",
        ),
        ("SELECT count(*) FROM fill_watches", "a fill is not final"),
        ("SELECT count(*) FROM failure_watches", "a failure is not final"),
    ] {
        assert_eq!(world.count(sql).await, 0, "{what}\n{}", world.story(false).await);
    }
}

/// Every transaction of the wallet in every block.
async fn mined(world: &World) -> Vec<Mined> {
    let node = &world.devnet.node;
    let head: U64 = node
        .request("eth_blockNumber", json!([]))
        .await
        .expect("a height");
    let mut mined = Vec::new();
    for height in 0..=head.to::<u64>() {
        let block: Value = node
            .request("eth_getBlockByNumber", json!([U64::from(height), true]))
            .await
            .expect("a block");
        for one in block["transactions"].as_array().into_iter().flatten() {
            if one["from"] != json!(world.account.wallet) {
                continue;
            }
            let hash: B256 = serde_json::from_value(one["hash"].clone()).expect("a hash");
            let nonce: U64 = serde_json::from_value(one["nonce"].clone()).expect("a nonce");
            let receipt: Value = node
                .request("eth_getTransactionReceipt", json!([hash]))
                .await
                .expect("a receipt");
            mined.push(Mined {
                hash,
                nonce: nonce.to(),
                success: receipt["status"] == "0x1",
            });
        }
    }
    mined
}

/// From zero on without a gap, all of them ours, and nothing waits.
async fn nonces(world: &World, mined: &[Mined]) {
    let seen: Vec<u64> = mined.iter().map(|one| one.nonce).collect();
    let expected: Vec<u64> = (0_u64..).take(seen.len()).collect();
    assert_eq!(seen, expected, "nonces on the chain");
    let next = world
        .count("SELECT coalesce(max(next_nonce), 0) FROM signers")
        .await;
    assert_eq!(
        i64::try_from(seen.len()),
        Ok(next),
        "nonces given out and used\n{}",
        world.story(true).await
    );
    let known: Vec<Vec<u8>> = sqlx::query_scalar("SELECT hash FROM attempts")
        .fetch_all(&world.db.pool)
        .await
        .expect("attempts");
    let known: HashSet<B256> = known.iter().map(|hash| B256::from_slice(hash)).collect();
    for one in mined {
        assert!(known.contains(&one.hash), "{} was never recorded", one.hash);
    }
}

/// An executed trade swapped once; any other never.
async fn swaps(world: &World, mined: &[Mined]) {
    let success: HashMap<B256, bool> = mined.iter().map(|one| (one.hash, one.success)).collect();
    /// Trade, its status, and an attempt's hash and purpose, if there is one.
    type Row = (i64, String, Option<Vec<u8>>, Option<String>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT t.id, t.status, a.hash, a.purpose FROM trades t LEFT JOIN transactions x ON x.trade_id = t.id
         LEFT JOIN attempts a ON a.transaction_id = x.id",
    )
    .fetch_all(&world.db.pool)
    .await
    .expect("trades");
    let mut swaps: BTreeMap<i64, (String, u32)> = BTreeMap::new();
    for (trade, status, hash, purpose) in rows {
        let entry = swaps.entry(trade).or_insert((status, 0));
        let done = hash.is_some_and(|hash| success.get(&B256::from_slice(&hash)) == Some(&true));
        entry.1 += u32::from(done && purpose.as_deref() == Some("swap"));
    }
    for (trade, (status, swaps)) in swaps {
        let expected = u32::from(status == "EXECUTED");
        assert!(
            matches!(status.as_str(), "EXECUTED" | "FAILED" | "DROPPED") && swaps == expected,
            "trade {trade} is {status} and swapped {swaps} times\n{}",
            world.story(false).await
        );
    }
}

/// Every balance to the last unit.
async fn money(world: &World) {
    let truth = world.truth().chain;
    let found = compare(
        &world.db.pool,
        truth.as_ref(),
        &world.account,
        Amount::new(coins(100)),
    )
    .await
    .expect("both sides can be read");
    assert_eq!(
        found.findings,
        Default::default(),
        "{:?}\n{}",
        found.balances,
        world.story(false).await
    );
    // What fills and reversals add up to, without the program's own reckoning.
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT j.token_address, coalesce(sum(f.base_amount * CASE f.side WHEN 'BUY' THEN 1 ELSE -1 END
                * CASE f.kind WHEN 'fill' THEN 1 ELSE -1 END), 0)::text
         FROM jobs j LEFT JOIN fills f ON f.job_id = j.id GROUP BY 1",
    )
    .fetch_all(&world.db.pool)
    .await
    .expect("fills");
    for (token, sum) in rows {
        let token: Address = token.parse().expect("an address");
        let held = truth
            .balances(world.account.wallet, &[Asset::Token(token)])
            .await
            .expect("a balance");
        assert_eq!(held.first().map(ToString::to_string), Some(sum), "{token}");
    }
}
