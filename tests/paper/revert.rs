//! Swaps that are mined and move nothing.

use std::time::Duration;

use alloy_primitives::U256;
use chrono::Utc;
use lgi_mm::{
    domain::units::Amount,
    paper::Funding,
    ports::{Asset, Call, Lookup, SendError},
};

use crate::fixture::{Order, Paper, TOKEN, fees, quick, units, usdc};

const SWAP_GAS: u64 = 150_000 * 11_000_000;

#[tokio::test]
async fn a_swap_that_cannot_be_done_reverts_uses_its_nonce_and_pays_its_gas() {
    let paper = Paper::open(quick()).await;
    let late = Utc::now() - Duration::from_secs(1);
    let all = Amount::new(U256::MAX);
    for (nonce, order, gas) in [
        (
            0,
            Order {
                deadline: late,
                ..Order::buy(0)
            },
            SWAP_GAS,
        ),
        (
            1,
            Order {
                amount_out_min: units(49_800_151),
                ..Order::buy(1)
            },
            SWAP_GAS,
        ),
        (
            2,
            Order {
                amount_in: units(10_000_000_001),
                ..Order::buy(2)
            },
            SWAP_GAS,
        ),
        (3, Order::sell(3, units(1), units(1_000)), SWAP_GAS),
        (
            4,
            Order {
                gas_limit: 149_999,
                ..Order::buy(4)
            },
            SWAP_GAS - 11_000_000,
        ),
        (
            5,
            Order {
                amount_in: all,
                ..Order::buy(5)
            },
            SWAP_GAS,
        ),
    ] {
        let native = paper.balance(Asset::Native).await;
        let receipt = paper.receipt(paper.place(&order).await).await;
        assert!(!receipt.success && receipt.transfers.is_empty(), "{order:?}");
        assert_eq!(receipt.gas_native, units(gas), "{order:?}");
        assert_eq!(
            native.checked_sub(units(gas)),
            Ok(paper.balance(Asset::Native).await)
        );
        assert_eq!(paper.nonces().await, (nonce + 1, nonce + 1));
    }
    assert_eq!(paper.token(usdc()).await, units(10_000_000_000));
    assert_eq!(paper.token(TOKEN).await, Amount::ZERO);
    let reasons =
        sqlx::query_scalar::<_, String>("SELECT revert_reason FROM paper.transactions ORDER BY nonce")
            .fetch_all(&paper.pool)
            .await
            .expect("reasons");
    assert_eq!(
        reasons,
        [
            "transaction too old",
            "too little received",
            "transfer amount exceeds balance",
            "transfer amount exceeds balance",
            "out of gas",
            "transfer amount exceeds balance",
        ]
    );
}

#[tokio::test]
async fn the_last_unit_can_be_spent_and_no_more() {
    let paper = Paper::open(quick()).await;
    let all = Order {
        amount_in: units(10_000_000_000),
        ..Order::buy(0)
    };
    assert!(paper.receipt(paper.place(&all).await).await.success);
    let one_more = Order {
        amount_in: units(1),
        ..Order::buy(1)
    };
    assert!(!paper.receipt(paper.place(&one_more).await).await.success);
    paper
        .markets
        .fund("base", paper.wallet, Asset::Token(usdc()), Funding::Add(units(1)))
        .await
        .expect("funds");
    let again = Order {
        amount_in: units(1),
        ..Order::buy(2)
    };
    assert!(paper.receipt(paper.place(&again).await).await.success);
    assert_eq!(paper.token(usdc()).await, Amount::ZERO);
}

#[tokio::test]
async fn a_cancel_moves_nothing_and_pays_the_least_gas() {
    let paper = Paper::open(quick()).await;
    let cancel = paper.sign_call(Call::cancel(paper.wallet), 0, fees(100)).await;
    paper.send(&cancel).await.expect("taken");
    let receipt = paper.receipt(cancel.hash).await;
    assert!(receipt.success && receipt.transfers.is_empty());
    assert_eq!(receipt.gas_native, units(21_000 * 11_000_000));
}

#[tokio::test]
async fn a_deadline_is_block_time_however_late_somebody_looks() {
    let paper = Paper::open(quick()).await;
    let order = Order {
        deadline: Utc::now() + Duration::from_secs(2),
        ..Order::buy(0)
    };
    let hash = paper.place(&order).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let receipt = paper.receipt(hash).await;
    assert!(receipt.success, "it was mined in time, though nobody looked");
    assert!(receipt.block_time <= order.deadline);
}

#[tokio::test]
async fn a_wallet_without_coins_for_gas_is_refused_until_it_is_funded() {
    let paper = Paper::open(quick()).await;
    let gas = |funding| paper.markets.fund("base", paper.wallet, Asset::Native, funding);
    let cost = 150_000 * 21_000_000;
    gas(Funding::Set(units(cost - 1))).await.expect("sets");
    let signed = paper.sign(&Order::buy(0)).await;
    for _ in 0..2 {
        assert!(matches!(
            paper.send(&signed).await,
            Err(SendError::InsufficientFunds)
        ));
        assert_eq!(paper.lookup(signed.hash).await, Lookup::Absent);
    }
    gas(Funding::Add(units(1))).await.expect("adds");
    paper.send(&signed).await.expect("the same bytes are taken now");
    assert!(paper.receipt(signed.hash).await.success);
}

#[tokio::test]
async fn what_can_no_longer_pay_its_gas_stays_pooled_and_is_mined_after_the_funding() {
    let paper = Paper::open(quick()).await;
    let gas = |funding| paper.markets.fund("base", paper.wallet, Asset::Native, funding);
    // Enough for what each of the two may cost at most, not for what both cost.
    let most = 150_000 * 21_000_000;
    gas(Funding::Set(units(most))).await.expect("sets");
    let (first, second) = (paper.sign(&Order::buy(0)).await, paper.sign(&Order::buy(1)).await);
    // The gap keeps the second in the pool until the first arrives.
    paper.send(&second).await.expect("taken");
    paper.send(&first).await.expect("taken");
    paper.receipt(first.hash).await;
    let left = units(most - SWAP_GAS);
    assert!(left < units(SWAP_GAS));
    assert_eq!(paper.lookup(second.hash).await, Lookup::Pooled);
    assert_eq!(
        (paper.balance(Asset::Native).await, paper.nonces().await),
        (left, (1, 2))
    );

    let before = paper.market.chain.head().await.expect("head");
    gas(Funding::Add(units(most))).await.expect("adds");
    let receipt = paper.receipt(second.hash).await;
    assert!(receipt.success);
    assert!(
        receipt.block_number > before.number,
        "not in a block that was seen without it"
    );
}
