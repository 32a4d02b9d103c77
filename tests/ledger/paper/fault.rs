//! Faults strike what they are ordered for, as often as ordered, and nothing else.

use std::time::{Duration, Instant};

use alloy_primitives::Address;
use lgi_mm::{
    domain::{
        onchain::{Asset, Call, Lookup, Sent},
        span::Span,
    },
    paper::{Fault, FaultKind, audit},
    ports::{QuoteError, SendError},
};

use crate::paper::fixture::{Order, Paper, TOKEN, fees, quick, units, usdc};

async fn order_fault(paper: &Paper, fault: Fault) {
    paper.markets.faults().add(&fault).await.expect("ordered");
}

#[tokio::test]
async fn fail_refuses_so_many_new_transactions_and_the_bytes_pass_later() {
    let paper = Paper::open(quick()).await;
    order_fault(&paper, Fault::new(FaultKind::Fail, "base").times(2)).await;
    let signed = paper.sign(&Order::buy(0)).await;
    for _ in 0..2 {
        assert!(matches!(paper.send(&signed).await, Err(SendError::Rejected(_))));
        assert_eq!(paper.lookup(signed.hash).await, Lookup::Absent);
    }
    paper.send(&signed).await.expect("taken");
    assert!(paper.receipt(signed.hash).await.success);
}

#[tokio::test]
async fn revert_strikes_the_next_swaps_that_are_mined_but_no_cancel() {
    let paper = Paper::open(quick()).await;
    order_fault(&paper, Fault::new(FaultKind::Revert, "base").times(1)).await;
    let cancel = paper.sign_call(Call::cancel(paper.wallet), 0, fees(100)).await;
    paper.send(&cancel).await.expect("taken");
    assert!(paper.receipt(cancel.hash).await.success);
    let struck = paper.receipt(paper.place(&Order::buy(1)).await).await;
    assert!(!struck.success && struck.transfers.is_empty());
    assert!(paper.receipt(paper.place(&Order::buy(2)).await).await.success);
    assert_eq!(paper.token(usdc()).await, units(9_900_000_000));
}

#[tokio::test]
async fn a_fault_for_one_token_or_chain_spares_the_others() {
    let paper = Paper::open(quick()).await;
    let other = Address::repeat_byte(0x55);
    order_fault(
        &paper,
        Fault {
            token: Some(other),
            ..Fault::new(FaultKind::Fail, "base")
        },
    )
    .await;
    order_fault(
        &paper,
        Fault {
            token: Some(other),
            ..Fault::new(FaultKind::Down, "base")
        },
    )
    .await;
    order_fault(&paper, Fault::new(FaultKind::Fail, "ethereum")).await;
    paper.place(&Order::buy(0)).await;
    let unlucky = Order {
        token_out: other,
        ..Order::buy(1)
    };
    let quoted = paper.market.venue.quote(&unlucky.request(paper.wallet)).await;
    assert!(matches!(quoted, Err(QuoteError::Rpc(_))));
}

#[tokio::test]
async fn lost_takes_the_bytes_but_not_the_answer() {
    let paper = Paper::open(quick()).await;
    order_fault(&paper, Fault::new(FaultKind::Lost, "base").times(1)).await;
    let signed = paper.sign(&Order::buy(0)).await;
    assert!(matches!(paper.send(&signed).await, Err(SendError::Ambiguous(_))));
    let receipt = paper.receipt(signed.hash).await;
    assert!(receipt.success, "it was taken");
    assert!(matches!(paper.send(&signed).await, Err(SendError::NonceTooLow)));
}

#[tokio::test]
async fn late_delays_answers_to_sends_and_lookups() {
    let paper = Paper::open(quick()).await;
    let delay = Span::from_millis(200);
    order_fault(
        &paper,
        Fault {
            delay,
            ..Fault::new(FaultKind::Late, "base").times(2)
        },
    )
    .await;
    let signed = paper.sign(&Order::buy(0)).await;
    let begun = Instant::now();
    paper.send(&signed).await.expect("taken");
    assert!(begun.elapsed() >= delay.std());
    let begun = Instant::now();
    paper.lookup(signed.hash).await;
    assert!(begun.elapsed() >= delay.std());
    assert_eq!(paper.markets.faults().list().await.expect("list"), []);
}

#[tokio::test]
async fn a_late_answer_that_nobody_waited_for_was_a_real_send() {
    let paper = Paper::open(quick()).await;
    order_fault(
        &paper,
        Fault {
            delay: Span::from_secs(600),
            ..Fault::new(FaultKind::Late, "base").times(1)
        },
    )
    .await;
    let signed = paper.sign(&Order::buy(0)).await;
    let send = tokio::time::timeout(Duration::from_secs(3), paper.send(&signed));
    assert!(send.await.is_err(), "the caller gave up");
    assert!(paper.receipt(signed.hash).await.success);
}

#[tokio::test]
async fn stuck_stays_pooled_until_something_dearer_replaces_it() {
    let paper = Paper::open(quick()).await;
    order_fault(&paper, Fault::new(FaultKind::Stuck, "base").times(1)).await;
    let stuck = paper.sign(&Order::buy(0)).await;
    paper.send(&stuck).await.expect("taken");
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(paper.lookup(stuck.hash).await, Lookup::Pooled);
    assert_eq!(paper.send(&stuck).await.expect("known"), Sent::AlreadyKnown);
    assert_eq!(paper.nonces().await, (0, 1));
    let bump = paper
        .place(&Order {
            fees: fees(113),
            ..Order::buy(0)
        })
        .await;
    assert!(paper.receipt(bump).await.success);
    assert_eq!(paper.lookup(stuck.hash).await, Lookup::Absent);
    assert_eq!(paper.token(usdc()).await, units(9_900_000_000));
}

#[tokio::test]
async fn drop_forgets_what_it_took_and_takes_the_same_bytes_again() {
    let paper = Paper::open(quick()).await;
    order_fault(&paper, Fault::new(FaultKind::Drop, "base").times(1)).await;
    let signed = paper.sign(&Order::buy(0)).await;
    assert_eq!(paper.send(&signed).await.expect("taken"), Sent::Accepted);
    assert_eq!(paper.lookup(signed.hash).await, Lookup::Absent);
    assert_eq!(paper.nonces().await, (0, 0));
    assert_eq!(paper.send(&signed).await.expect("taken again"), Sent::Accepted);
    assert!(paper.receipt(signed.hash).await.success);
    assert_eq!(
        audit::records(&paper.pool, None, paper.wallet)
            .await
            .expect("records")
            .len(),
        1
    );
}

#[tokio::test]
async fn down_answers_nothing_and_takes_nothing_until_it_is_cleared() {
    let paper = Paper::open(quick()).await;
    let order = Order::buy(0);
    let signed = paper.sign(&order).await;
    order_fault(&paper, Fault::new(FaultKind::Down, "base")).await;
    let chain = &paper.market.chain;
    assert!(chain.head().await.is_err());
    assert!(chain.nonces(paper.wallet).await.is_err());
    assert!(chain.balances(paper.wallet, &[Asset::Native]).await.is_err());
    assert!(chain.fees().await.is_err());
    assert!(chain.usd_price(Asset::Native).await.is_err());
    assert!(
        chain
            .lookup(&[signed.hash, signed.hash])
            .await
            .iter()
            .all(Result::is_err)
    );
    assert!(matches!(paper.send(&signed).await, Err(SendError::Ambiguous(_))));
    let request = order.request(paper.wallet);
    assert!(matches!(
        paper.market.venue.quote(&request).await,
        Err(QuoteError::Rpc(_))
    ));
    let calls = paper.market.venue.calls(&request, units(1), order.deadline).await;
    assert!(matches!(calls, Err(QuoteError::Rpc(_))));

    paper.markets.faults().clear(None).await.expect("clear");
    assert_eq!(
        paper.lookup(signed.hash).await,
        Lookup::Absent,
        "nothing was taken meanwhile"
    );
    paper.send(&signed).await.expect("taken");
    assert!(paper.receipt(signed.hash).await.success);
}

#[tokio::test]
async fn a_fault_that_lasts_ends_by_itself() {
    let paper = Paper::open(quick()).await;
    let lasts = Some(Span::from_secs(2));
    order_fault(
        &paper,
        Fault {
            lasts,
            ..Fault::new(FaultKind::Down, "base")
        },
    )
    .await;
    assert!(paper.market.chain.head().await.is_err());
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert!(paper.market.chain.head().await.is_ok());
    assert_eq!(paper.markets.faults().list().await.expect("list"), []);
}

#[tokio::test]
async fn faults_are_listed_while_they_can_strike_and_cleared_by_chain() {
    let paper = Paper::open(quick()).await;
    let faults = paper.markets.faults();
    let fault = Fault {
        token: Some(TOKEN),
        ..Fault::new(FaultKind::Stuck, "base").times(3)
    };
    let id = faults.add(&fault).await.expect("ordered");
    faults
        .add(&Fault::new(FaultKind::Down, "ethereum"))
        .await
        .expect("ordered");
    faults
        .add(&Fault::new(FaultKind::Down, "base").times(0))
        .await
        .expect("ordered");
    let list = faults.list().await.expect("list");
    assert_eq!(list.len(), 2, "{list:?}");
    assert_eq!(
        (list[0].id, list[0].kind, list[0].remaining),
        (id, FaultKind::Stuck, Some(3))
    );
    assert_eq!((list[0].token, list[1].token), (Some(TOKEN), None));
    assert_eq!(faults.clear(Some("base")).await.expect("clear"), 2);
    assert_eq!(faults.list().await.expect("list").len(), 1);
    assert_eq!(faults.clear(None).await.expect("clear"), 1);
}

#[tokio::test]
async fn many_callers_use_up_a_fault_exactly_as_often_as_ordered() {
    let paper = Paper::open(quick()).await;
    order_fault(&paper, Fault::new(FaultKind::Down, "base").times(7)).await;
    let calls = (0..40).map(|_| paper.market.chain.head());
    let answers = futures::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 7);
}
