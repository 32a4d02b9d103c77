//! Swaps that are mined and move nothing.

use std::time::Duration;

use alloy_primitives::{B256, U256};
use chrono::Utc;
use lgi_mm::{
    domain::{
        onchain::{Asset, Call, Lookup},
        units::Amount,
    },
    paper::Funding,
    ports::SendError,
};

use crate::paper::fixture::{Order, Paper, Spoil, TOKEN, fees, quick, units, usdc};

const SWAP_GAS: u64 = 150_000 * 11_000_000;

#[tokio::test]
async fn a_swap_that_cannot_be_done_reverts_uses_its_nonce_and_pays_its_gas() {
    let paper = Paper::open(quick()).await;
    let cases: [(&str, u64, Spoil<Order>); 6] = [
        ("transaction too old", SWAP_GAS, |order| {
            order.deadline -= Duration::from_secs(3_601)
        }),
        ("too little received", SWAP_GAS, |order| {
            order.amount_out_min = units(49_800_151)
        }),
        ("transfer amount exceeds balance", SWAP_GAS, |order| {
            order.amount_in = units(10_000_000_001)
        }),
        ("transfer amount exceeds balance", SWAP_GAS, |order| {
            order.amount_in = Amount::new(U256::MAX)
        }),
        ("transfer amount exceeds balance", SWAP_GAS, |order| {
            (order.token_in, order.token_out) = (order.token_out, order.token_in);
        }),
        ("out of gas", SWAP_GAS - 11_000_000, |order| {
            order.gas_limit = 149_999
        }),
    ];
    for ((reason, gas, spoil), nonce) in cases.into_iter().zip(0..) {
        let native = paper.balance(Asset::Native).await;
        let mut order = Order::buy(nonce);
        spoil(&mut order);
        let hash = paper.place(&order).await;
        let receipt = paper.receipt(hash).await;
        assert!(!receipt.success && receipt.transfers.is_empty(), "{order:?}");
        assert_eq!(receipt.gas_native, units(gas), "{order:?}");
        assert_eq!(
            native.checked_sub(units(gas)),
            Ok(paper.balance(Asset::Native).await)
        );
        assert_eq!(paper.nonces().await, (nonce + 1, nonce + 1));
        assert_eq!(reason_of(&paper, hash).await, reason);
    }
    assert_eq!(paper.token(usdc()).await, units(10_000_000_000));
    assert_eq!(paper.token(TOKEN).await, Amount::ZERO);
}

async fn reason_of(paper: &Paper, hash: B256) -> String {
    sqlx::query_scalar("SELECT revert_reason FROM paper.transactions WHERE hash = $1")
        .bind(hash.as_slice())
        .fetch_one(&paper.pool)
        .await
        .expect("reason")
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
