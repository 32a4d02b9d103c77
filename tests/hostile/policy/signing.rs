//! Findings 1 and 4: nothing is signed past the policy, whatever stands in the database.

use std::time::Duration;

use crate::policy::set_up::*;
use alloy_primitives::{Address, U256};
use lgi_mm::{
    chain::LocalSigner,
    devnet::{BlockTime, CHAIN_ID, DEPLOYER},
    domain::{
        onchain::{Asset, Call, Fees, UnsignedTransaction},
        pool::NATIVE,
    },
    ports::{Chain, Signer},
};
use serde_json::json;
use testkit::live::{KEY, WALLET, World, coins};

/// Finding 1, `drain.sql`: ninety coins for one unit of the attacker's token, and its other forms.
#[tokio::test(flavor = "multi_thread")]
async fn finding_1_plans_written_into_the_database_are_not_signed() {
    let world = World::new(BlockTime::OnTransaction).await;
    let at = world.devnet.deployment().clone();
    world.devnet.fund(WALLET).await.expect("money");
    let tokens: Vec<Address> = at.practice.values().copied().collect();
    let mut entry = world.permitted();
    entry.tokens = vec![at.clanker, at.token, tokens[1]];
    entry.max_trade_usd = usd(1_000);
    entry.max_loss_bps = 1_000;
    world.permit(&entry);
    let usdc = at.usdc;
    let wanted = |token, quote, amount| Wanted {
        wallet: WALLET,
        token,
        quote,
        amount,
    };
    let plans = [
        // A token that nobody allowed, however little.
        (
            plant(&world, &wanted(tokens[0], NATIVE, U256::from(1_000))).await,
            "(policy: token)",
        ),
        // An allowed one, for more than a trade may be.
        (
            plant(&world, &wanted(at.clanker, NATIVE, coins(1))).await,
            "(policy: trade)",
        ),
        // The same through USDC.
        (
            plant(&world, &wanted(at.token, usdc, U256::from(2_000_000_000_u64))).await,
            "(policy: trade)",
        ),
        // Little enough, with a floor of one unit.
        (
            plant(
                &world,
                &wanted(tokens[1], NATIVE, U256::from(10).pow(U256::from(16))),
            )
            .await,
            "(policy: loss)",
        ),
    ];
    let before = (
        balance(&world, WALLET, Asset::Native).await,
        balance(&world, WALLET, Asset::Token(usdc)).await,
    );
    let mut daemon = world.daemon(None);
    refused_for(&world, &plans).await;
    world
        .until(
            "all plans expire",
            "SELECT count(*) = 4 FROM trades WHERE failure_kind = 'expired'",
        )
        .await;
    assert_eq!(
        count(&world, "SELECT count(*) FROM attempts").await,
        0,
        "nothing was signed"
    );
    assert_eq!(made(&world).await, 0);
    let after = (
        balance(&world, WALLET, Asset::Native).await,
        balance(&world, WALLET, Asset::Token(usdc)).await,
    );
    assert_eq!(before, after, "not a unit moved");
    // The same wallet trades on for a job of its owner.
    let own = tokens[2];
    world.start(own, "OWN", every_second(10)).await;
    world
        .until(
            "an honest buy",
            "SELECT EXISTS (SELECT FROM trades WHERE status = 'EXECUTED')",
        )
        .await;
    daemon.kill().await.expect("killed");
}

/// Limits that a row holds are the job's; those of the policy hold whatever rows say, and whatever is gone.
#[tokio::test(flavor = "multi_thread")]
async fn finding_1_the_policys_day_is_counted_where_no_row_resets_it() {
    let world = World::new(BlockTime::OnTransaction).await;
    let mut entry = world.permitted();
    entry.max_day_usd = usd(25);
    world.permit(&entry);
    world
        .start(world.devnet.deployment().clanker, "CLAWDIA", every_second(10))
        .await;
    let mut daemon = world.daemon(None);
    let held = "SELECT EXISTS (SELECT FROM ticks WHERE reason = 'policy_refused' AND detail LIKE '%max_day_usd is 25%')";
    world.until("the day is full", held).await;
    assert_eq!(made(&world).await, 2, "{}", world.story().await);
    // Everything that remembers the two buys is taken out of the tables.
    let mut forgetful = world.db.pool.acquire().await.expect("a connection");
    for sql in [
        "SET session_replication_role = replica",
        "DELETE FROM ticks",
        "DELETE FROM fills",
        "DELETE FROM attempts",
        "DELETE FROM transactions",
        "DELETE FROM trades",
        "UPDATE jobs SET config = jsonb_set(config, '{limits,max_daily_spend_usd}', '0'), token_balance = 0, cost_basis = 0,
             total_accumulated = 0, last_fills = '{}'",
        "SET session_replication_role = origin",
    ] {
        sqlx::query(sql).execute(&mut *forgetful).await.expect(sql);
    }
    drop(forgetful);
    world.until("it would buy again", held).await;
    assert_eq!(made(&world).await, 2, "{}", world.story().await);
    daemon.kill().await.expect("killed");
    let (code, shown) = world.run(&["policy", "show"]).await;
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("20 USD today"), "{shown}");
}

/// The same password opens every key of the directory; the policy names the wallets.
#[tokio::test(flavor = "multi_thread")]
async fn finding_1_a_row_cannot_choose_another_key() {
    let world = World::new(BlockTime::OnTransaction).await;
    let mut entry = world.permitted();
    // The owner allowed another wallet, not the one whose key this worker could open.
    let text = std::fs::read_to_string(world.policy()).expect("a policy");
    std::fs::remove_file(world.policy()).expect("gone");
    assert!(text.contains(&WALLET.to_checksum(None)));
    entry.wallet = Address::repeat_byte(0x51);
    entry.tokens = vec![world.devnet.deployment().clanker];
    world.permit(&entry);
    let wanted = Wanted {
        wallet: WALLET,
        token: world.devnet.deployment().clanker,
        quote: NATIVE,
        amount: U256::from(10).pow(U256::from(15)),
    };
    let trade = plant(&world, &wanted).await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "it is refused",
            "SELECT EXISTS (SELECT FROM trades WHERE concat(note, error) LIKE '%(policy: wallet)%')",
        )
        .await;
    assert!(note(&world, trade).await.contains("no entry for wallet"));
    assert_eq!(count(&world, "SELECT count(*) FROM attempts").await, 0);
    daemon.kill().await.expect("killed");
}

/// Finding 4, `replay.sql`: an old transfer of the same key as the newest attempt of an open swap.
#[tokio::test(flavor = "multi_thread")]
async fn finding_4_what_the_key_signed_once_is_not_signed_again() {
    let world = World::new(BlockTime::OnTransaction).await;
    // The owner once sent a coin to another address.
    let signer = LocalSigner::new(KEY.parse().expect("a key"), CHAIN_ID);
    let transfer = UnsignedTransaction {
        call: Call {
            value: coins(1),
            ..Call::cancel(DEPLOYER)
        },
        nonce: 0,
        fees: Fees {
            max_fee_per_gas: 10_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
        },
    };
    let old = signer.sign(&transfer).await.expect("signed");
    world.live.chain.send(&old.raw).await.expect("sent");
    world.devnet.node.mine(1).await.expect("mined");
    assert_eq!(made(&world).await, 1);
    // Now a swap is open, and is not mined for a while.
    let _: serde_json::Value = world
        .devnet
        .node
        .request("evm_setAutomine", json!([false]))
        .await
        .expect("no blocks");
    world
        .start(world.devnet.deployment().clanker, "CLAWDIA", every_second(10))
        .await;
    let wallet = WALLET.to_checksum(None);
    let (code, said) = world
        .run(&["reconcile", "--adopt", &wallet, "--chain", "local", "--yes"])
        .await;
    assert_eq!(code, 0, "{said}");
    let mut daemon = world.daemon(None);
    world
        .until(
            "a swap is out",
            "SELECT EXISTS (SELECT FROM attempts WHERE sends > 0)",
        )
        .await;
    let before = balance(&world, DEPLOYER, Asset::Native).await;
    // Under a name that no node knows, so that the row looks lost and is signed again for more gas.
    sqlx::query(
        "INSERT INTO attempts (transaction_id, purpose, hash, raw, max_fee_per_gas, max_priority_fee_per_gas, gas_limit)
         SELECT id, 'swap', $1, $2, 1, 1, 21000 FROM transactions ORDER BY nonce DESC LIMIT 1",
    )
    .bind([7_u8; 32].as_slice())
    .bind(old.raw.to_vec())
    .execute(&world.db.pool)
    .await
    .expect("the attacker's row");
    // Whichever wall is first: receipts are not looked for under such a name, and it is not signed again.
    world
        .until(
            "the row is not believed",
            "SELECT EXISTS (SELECT FROM trades WHERE concat(note, error) LIKE '%recorded bytes%' OR concat(note, error) LIKE '%they were altered%')",
        )
        .await;
    // Longer than until a replacement.
    tokio::time::sleep(Duration::from_secs(4)).await;
    world.devnet.node.mine(2).await.expect("mined");
    assert_eq!(
        count(&world, "SELECT count(*) FROM attempts").await,
        2,
        "ours and the attacker's, and none besides"
    );
    assert_eq!(
        balance(&world, DEPLOYER, Asset::Native).await,
        before,
        "not sent twice"
    );
    daemon.kill().await.expect("killed");
}
