//! What the pool takes, what it refuses, and in which words.

use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, U256};
use lgi_mm::{
    domain::onchain::{Call, Fees, Lookup, Sent, UnsignedTransaction},
    paper::{PaperSettings, PaperSigner},
    ports::{SendError, Signer},
};

use crate::paper::fixture::{Order, Paper, Spoil, TOKEN, fees, quick, still, units, usdc};

#[tokio::test]
async fn the_same_bytes_may_be_sent_and_looked_up_again_and_again() {
    let paper = Paper::open(still()).await;
    let signed = paper.sign(&Order::buy(0)).await;
    assert_eq!(paper.lookup(signed.hash).await, Lookup::Absent);
    assert_eq!(paper.send(&signed).await.expect("taken"), Sent::Accepted);
    for _ in 0..3 {
        assert_eq!(paper.send(&signed).await.expect("known"), Sent::AlreadyKnown);
        assert_eq!(paper.lookup(signed.hash).await, Lookup::Pooled);
    }
    sqlx::query("UPDATE paper.transactions SET mine_after = now()")
        .execute(&paper.pool)
        .await
        .expect("its time comes");
    let receipt = paper.receipt(signed.hash).await;
    for _ in 0..3 {
        assert!(matches!(paper.send(&signed).await, Err(SendError::NonceTooLow)));
        assert_eq!(paper.lookup(signed.hash).await, Lookup::Mined(receipt.clone()));
    }
    assert_eq!(paper.token(usdc()).await, units(9_900_000_000), "bought once");
}

#[tokio::test]
async fn signing_twice_gives_the_same_bytes() {
    let paper = Paper::open(still()).await;
    let order = Order::buy(3);
    assert_eq!(paper.sign(&order).await, paper.sign(&order).await);
    assert_eq!(paper.market.signer.address(), paper.wallet);
}

/// Sends what must be rejected, for a reason that holds each of `cases`' words, and leaves no trace.
async fn assert_rejected(paper: &Paper, cases: impl IntoIterator<Item = (&str, Bytes)>) {
    for (expected, raw) in cases {
        let Err(SendError::Rejected(why)) = paper.market.chain.send(&raw).await else {
            panic!("{expected}: was not rejected")
        };
        assert!(why.contains(expected), "{why}");
    }
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM paper.transactions")
        .fetch_one(&paper.pool)
        .await
        .expect("count");
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn bytes_that_are_no_transaction_of_this_chain_are_rejected() {
    let paper = Paper::open(still()).await;
    let good = paper.sign(&Order::buy(0)).await.raw;
    let call = Call::cancel(paper.wallet);
    let foreign = UnsignedTransaction {
        call: call.clone(),
        nonce: 0,
        fees: fees(100),
    };
    let elsewhere = PaperSigner::new("ethereum", paper.wallet);
    let cases = [
        ("failed to decode transaction", Bytes::from_static(b"garbage")),
        ("failed to decode transaction", Bytes::new()),
        ("failed to decode transaction", good.slice(..good.len() - 1)),
        (
            "invalid chain id",
            elsewhere.sign(&foreign).await.expect("signs").raw,
        ),
        (
            "nonce has max value",
            paper.sign_call(call, u64::MAX, fees(100)).await.raw,
        ),
    ];
    assert_rejected(&paper, cases).await;
}

#[tokio::test]
async fn fees_that_no_block_would_take_are_rejected() {
    let paper = Paper::open(still()).await;
    for (expected, max_fee_per_gas, max_priority_fee_per_gas) in [
        ("less than block base fee", 9_999_999, 0),
        ("priority fee per gas higher", 20_000_000, 20_000_001),
    ] {
        let fees = Fees {
            max_fee_per_gas,
            max_priority_fee_per_gas,
        };
        let signed = paper.sign_call(Call::cancel(paper.wallet), 0, fees).await;
        assert_rejected(&paper, [(expected, signed.raw)]).await;
    }
}

#[tokio::test]
async fn calls_that_mean_nothing_here_are_rejected() {
    let paper = Paper::open(still()).await;
    let cases: [(&str, Spoil<Call>); 5] = [
        ("intrinsic gas too low", |call| call.gas_limit = 20_999),
        ("exceeds block gas limit", |call| call.gas_limit = 30_000_001),
        ("no native coin", |call| call.value = U256::ONE),
        ("neither a swap", |call| call.to = TOKEN),
        ("neither a swap", |call| call.data = vec![1].into()),
    ];
    for (expected, spoil) in cases {
        let mut call = Call::cancel(paper.wallet);
        spoil(&mut call);
        let signed = paper.sign_call(call, 0, fees(100)).await;
        assert_rejected(&paper, [(expected, signed.raw)]).await;
    }
}

#[tokio::test]
async fn a_wallet_that_nobody_opened_has_nothing_and_can_send_nothing() {
    let paper = Paper::open(still()).await;
    let stranger = Address::repeat_byte(0xee);
    let nonces = paper.market.chain.nonces(stranger).await.expect("answers");
    assert_eq!((nonces.latest, nonces.pending), (0, 0));
    let transaction = UnsignedTransaction {
        call: Call::cancel(stranger),
        nonce: 0,
        fees: fees(100),
    };
    let signed = PaperSigner::new("base", stranger)
        .sign(&transaction)
        .await
        .expect("signs");
    assert!(matches!(
        paper.send(&signed).await,
        Err(SendError::InsufficientFunds)
    ));
}

#[tokio::test]
async fn a_gap_in_the_nonces_is_queued_and_mined_in_order_once_it_is_filled() {
    let paper = Paper::open(quick()).await;
    let third = paper.place(&Order::buy(2)).await;
    let second = paper.place(&Order::buy(1)).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(paper.lookup(third).await, Lookup::Pooled);
    assert_eq!(paper.lookup(second).await, Lookup::Pooled);
    assert_eq!(
        paper.nonces().await,
        (0, 0),
        "what waits behind a gap is not pending"
    );
    let first = paper.place(&Order::buy(0)).await;
    let receipts = [
        paper.receipt(first).await,
        paper.receipt(second).await,
        paper.receipt(third).await,
    ];
    assert!(receipts.is_sorted_by_key(|receipt| receipt.block_number));
    assert_eq!(paper.nonces().await, (3, 3));
    let past = paper
        .sign(&Order {
            amount_in: units(1),
            ..Order::buy(1)
        })
        .await;
    assert!(matches!(paper.send(&past).await, Err(SendError::NonceTooLow)));
}

#[tokio::test]
async fn only_ten_per_cent_more_of_both_fees_replaces_what_is_pooled() {
    let paper = Paper::open(still()).await;
    let old = paper.sign(&Order::buy(0)).await;
    paper.send(&old).await.expect("taken");
    let base = fees(100);
    let (fee, tip) = (base.max_fee_per_gas, base.max_priority_fee_per_gas);
    for (fee, tip) in [
        (fee, tip),
        (fee * 2, tip),
        (fee, tip * 2),
        (fee * 109 / 100, tip * 110 / 100),
    ] {
        let fees = Fees {
            max_fee_per_gas: fee,
            max_priority_fee_per_gas: tip,
        };
        let bump = paper
            .sign(&Order {
                fees,
                amount_in: units(1),
                ..Order::buy(0)
            })
            .await;
        assert!(
            matches!(paper.send(&bump).await, Err(SendError::Underpriced)),
            "{fees:?}"
        );
        assert_eq!(paper.lookup(bump.hash).await, Lookup::Absent);
    }
    let cancel = paper.sign_call(Call::cancel(paper.wallet), 0, fees(110)).await;
    assert_eq!(paper.send(&cancel).await.expect("replaces"), Sent::Accepted);
    assert_eq!(paper.lookup(old.hash).await, Lookup::Absent);
    assert_eq!(paper.lookup(cancel.hash).await, Lookup::Pooled);
    assert!(matches!(paper.send(&old).await, Err(SendError::Underpriced)));
    assert_eq!(paper.nonces().await, (0, 1));
}

#[tokio::test]
async fn of_all_that_ever_had_a_nonce_one_is_mined() {
    let paper = Paper::open(still()).await;
    let mut hashes = Vec::new();
    for percent in [100, 120, 150, 200] {
        hashes.push(
            paper
                .place(&Order {
                    fees: fees(percent),
                    ..Order::buy(0)
                })
                .await,
        );
    }
    sqlx::query("UPDATE paper.transactions SET mine_after = now()")
        .execute(&paper.pool)
        .await
        .expect("their time comes");
    let receipt = paper.receipt(hashes[3]).await;
    assert!(receipt.success);
    let found = paper.market.chain.lookup(&hashes).await;
    let found: Vec<_> = found.into_iter().map(|lookup| lookup.expect("answers")).collect();
    assert_eq!(
        found,
        [
            Lookup::Absent,
            Lookup::Absent,
            Lookup::Absent,
            Lookup::Mined(receipt)
        ]
    );
    assert_eq!(paper.token(usdc()).await, units(9_900_000_000));
}

#[tokio::test]
async fn lookups_answer_in_the_order_asked() {
    let paper = Paper::open(still()).await;
    let known = paper.place(&Order::buy(0)).await;
    let unknown = B256::repeat_byte(1);
    let found = paper.market.chain.lookup(&[unknown, known, unknown, known]).await;
    let found: Vec<_> = found.into_iter().map(|lookup| lookup.expect("answers")).collect();
    assert_eq!(
        found,
        [Lookup::Absent, Lookup::Pooled, Lookup::Absent, Lookup::Pooled]
    );
    assert!(paper.market.chain.lookup(&[]).await.is_empty());
}

#[tokio::test]
async fn a_chain_keeps_its_blocks_whatever_settings_come_later() {
    let paper = Paper::open(quick()).await;
    let hash = paper.place(&Order::buy(0)).await;
    let receipt = paper.receipt(hash).await;
    let other = PaperSettings {
        block_time: lgi_mm::domain::span::Span::from_secs(60),
        ..PaperSettings::default()
    };
    let market = paper.seen_with(other).await;
    let found = market.chain.lookup(&[hash]).await.remove(0).expect("answers");
    assert_eq!(found, Lookup::Mined(receipt.clone()));
    assert!(market.chain.head().await.expect("head").number >= receipt.block_number);
}

#[tokio::test]
async fn the_database_itself_refuses_to_use_a_nonce_twice_or_to_rewrite_a_block() {
    let paper = Paper::open(quick()).await;
    paper.receipt(paper.place(&Order::buy(0)).await).await;
    paper.place(&Order::buy(5)).await;
    let copy = |nonce, changes: &str| {
        let hash = format!(r#""hash": "\\x{}""#, "ab".repeat(32));
        format!(
            "INSERT INTO paper.transactions SELECT (json_populate_record(t, '{{{hash}{changes}}}')).*
             FROM paper.transactions t WHERE nonce = {nonce}"
        )
    };
    for (statement, expected) in [
        (copy(0, ""), "transactions_mined_once"),
        (copy(5, ""), "transactions_pooled_once"),
        (
            copy(0, r#", "block_number": null"#),
            "transactions_mined_in_block",
        ),
        (copy(0, r#", "deadline": null"#), "transactions_swap_is_whole"),
        (
            copy(0, r#", "status": "reverted""#),
            "transactions_revert_has_reason",
        ),
        (
            "UPDATE paper.transactions SET status = 'pooled' WHERE nonce = 0".into(),
            "append-only",
        ),
        (
            "DELETE FROM paper.transactions WHERE nonce = 5".into(),
            "append-only",
        ),
        ("UPDATE paper.transfers SET amount = 1".into(), "append-only"),
        ("DELETE FROM paper.transfers".into(), "append-only"),
        (
            "UPDATE paper.balances SET amount = -1".into(),
            "balances_amount_check",
        ),
    ] {
        let refused = sqlx::query(sqlx::AssertSqlSafe(statement.clone()))
            .execute(&paper.pool)
            .await;
        let error = refused.expect_err(&statement).to_string();
        assert!(error.contains(expected), "{statement}: {error}");
    }
}
