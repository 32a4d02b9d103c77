//! A key that never leaves AWS KMS, as moto emulates it: its signatures differ each time, and still each trade swaps
//! once wherever the worker is killed.
#![cfg(feature = "kms-aws")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot continue fails"
)]
mod moto;

use std::sync::Arc;

use alloy_primitives::{Address, U256};
use lgi_mm::{
    chain::LocalSigner,
    devnet::{BlockTime, CHAIN_ID},
    domain::{
        onchain::{Call, Fees, UnsignedTransaction},
        trade::Purpose,
    },
    ports::Signer,
};
use moto::Moto;
use serde_json::json;
use testkit::live::World;

const ALL_FINAL: &str =
    "SELECT count(*) > 0 AND bool_and(status NOT IN ('PENDING', 'SUBMITTED')) FROM trades";

/// The settings say that a key management service holds the wallet's key.
fn hold_in_kms(world: &World, wallet: Address, key: &str) {
    let mut text = std::fs::read_to_string(world.settings()).expect("settings");
    text.push_str(&format!("\n[wallet.kms]\n\"{wallet}\" = \"aws:{key}\"\n"));
    std::fs::write(world.settings(), text).expect("settings");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_kms_signs_otherwise_each_time_and_each_signature_is_the_wallets() {
    let moto = Moto::start().await;
    let key = moto.create_key().await;
    let signer = LocalSigner::with(Arc::new(moto.signer(&key).await), CHAIN_ID);
    let transaction = UnsignedTransaction {
        call: Call {
            purpose: Purpose::Swap,
            to: Address::repeat_byte(9),
            data: vec![1, 2, 3].into(),
            value: U256::from(7),
            gas_limit: 50_000,
        },
        nonce: 3,
        fees: Fees {
            max_fee_per_gas: 10,
            max_priority_fee_per_gas: 1,
        },
    };
    let first = signer.sign(&transaction).await.expect("signed");
    let second = signer.sign(&transaction).await.expect("signed again");
    assert_ne!(first.hash, second.hash, "the emulator signs with a random nonce");
    assert_eq!(
        signer.address(),
        moto.wallet_of(&key).await.parse::<Address>().expect("an address")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_wallet_is_refused_by_name() {
    let moto = Moto::start().await;
    let key = moto.create_key().await;
    let world = World::new(BlockTime::OnTransaction).await;
    hold_in_kms(&world, testkit::live::WALLET, &key);
    let (exit, said) = moto.run(&["wallet", "kms"], Some(world.settings())).await;
    assert_ne!(exit, 0, "{said}");
    assert!(
        said.contains("is the key of") && said.contains("[wallet.kms]"),
        "{said}"
    );
    let (exit, said) = moto
        .run(
            &["wallet", "kms", "aws:00000000-0000-0000-0000-000000000000"],
            None,
        )
        .await;
    assert_ne!(exit, 0, "{said}");
    assert!(said.contains("NotFound"), "{said}");
}

/// Between signing and recording is where another signature would be another transaction.
#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_with_a_key_in_kms_it_buys_once() {
    let moto = Moto::start().await;
    for place in ["signed", "signed@2", "recorded", "sent", "bumped", "filling"] {
        let key = moto.create_key().await;
        let wallet: Address = moto.wallet_of(&key).await.parse().expect("an address");
        let block_time = if place == "bumped" {
            BlockTime::OnDemand
        } else {
            BlockTime::OnTransaction
        };
        let mut world = World::new(block_time).await;
        world
            .devnet
            .node
            .set_balance(wallet, testkit::live::coins(100))
            .await
            .expect("funded");
        world.account.wallet = wallet;
        hold_in_kms(&world, wallet, &key);
        world.devnet.node.mine(1).await.expect("a block");
        let rules = json!({ "accumulate": { "dca_amount_usd": 10, "dca_interval": "1h", "dip_buy_threshold_pct": 0 } });
        let job = world
            .start(world.devnet.deployment().clanker, "CLAWDIA", rules)
            .await;
        let environment = moto.environment();
        let environment: Vec<(&str, &str)> = environment
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        if place == "signed@2" {
            // Twice in a row: three signatures of one plan, one of them recorded.
            world.die_at_with("signed", &environment).await;
            world.die_at_with("signed", &environment).await;
        } else {
            world.die_at_with(place, &environment).await;
        }
        let mut daemon = world.daemon_with(&environment);
        if block_time == BlockTime::OnDemand {
            world
                .until(
                    "the replacement was sent",
                    "SELECT coalesce((SELECT count(*) > 1 AND bool_and(sent_at IS NOT NULL) FROM attempts), false)",
                )
                .await;
            world.devnet.node.mine(1).await.expect("a block");
        }
        world.until("every trade is final", ALL_FINAL).await;
        daemon.kill().await.expect("killed");
        lgi_mm::store::orders::order(&world.db.pool, job, lgi_mm::store::orders::Order::Pause, "test")
            .await
            .expect("paused");
        let found = world.audit().await;
        assert_eq!(found.swaps.len(), 1, "{place}: {}", world.story().await);
    }
}
