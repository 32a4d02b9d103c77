//! Any number of senders and miners at once: a nonce is mined once, and the money adds up.

use std::collections::HashSet;

use lgi_mm::{
    domain::onchain::{Lookup, Sent},
    paper::audit::{self, PaperStatus},
    ports::SendError,
};

use crate::paper::fixture::{Order, Paper, TOKEN, fees, quick, units, usdc};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_different_transactions_on_one_nonce_one_is_mined() {
    let paper = Paper::open(quick()).await;
    let mut rivals = Vec::new();
    for rival in 0..32 {
        rivals.push(
            paper
                .sign(&Order {
                    amount_in: units(1_000 + rival),
                    ..Order::buy(0)
                })
                .await,
        );
    }
    let answers = futures::future::join_all(rivals.iter().map(|rival| paper.send(rival))).await;
    let accepted = answers
        .iter()
        .filter(|answer| matches!(answer, Ok(Sent::Accepted)))
        .count();
    assert_eq!(accepted, 1, "{answers:?}");
    let refused = |error: &SendError| matches!(error, SendError::NonceTooLow | SendError::Underpriced);
    assert!(
        answers
            .iter()
            .filter_map(|answer| answer.as_ref().err())
            .all(refused),
        "{answers:?}"
    );
    paper.mined(1).await;
    let hashes: Vec<_> = rivals.iter().map(|rival| rival.hash).collect();
    let found = paper.market.chain.lookup(&hashes).await;
    let mined = found
        .iter()
        .filter(|lookup| matches!(lookup, Ok(Lookup::Mined(_))))
        .count();
    assert_eq!(mined, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_bytes_from_everywhere_at_once_trade_once() {
    let paper = Paper::open(quick()).await;
    let signed = paper.sign(&Order::buy(0)).await;
    let sends = (0..32).map(|_| paper.send(&signed));
    let lookups = (0..32).map(|_| paper.lookup(signed.hash));
    let (sent, _) = tokio::join!(
        futures::future::join_all(sends),
        futures::future::join_all(lookups)
    );
    assert_eq!(
        sent.iter()
            .filter(|answer| matches!(answer, Ok(Sent::Accepted)))
            .count(),
        1
    );
    assert!(paper.receipt(signed.hash).await.success);
    assert_eq!(paper.token(usdc()).await, units(9_900_000_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn senders_bumpers_and_miners_in_any_order_mine_every_nonce_once() {
    const NONCES: u64 = 60;
    let paper = Paper::open(quick()).await;
    let orders = (0..NONCES).rev().flat_map(|nonce| {
        [100, 115, 140].map(|percent| Order {
            fees: fees(percent),
            amount_in: units(1_000),
            ..Order::buy(nonce)
        })
    });
    let work = orders.map(|order| {
        let paper = &paper;
        async move {
            let signed = paper.sign(&order).await;
            for _ in 0..2 {
                match paper.send(&signed).await {
                    Ok(_) | Err(SendError::NonceTooLow | SendError::Underpriced) => {}
                    Err(error) => panic!("nonce {}: {error}", order.nonce),
                }
                paper.lookup(signed.hash).await;
                paper.token(TOKEN).await;
            }
        }
    });
    futures::future::join_all(work).await;
    paper.mined(NONCES).await;

    let records = audit::records(&paper.pool, Some("base"), paper.wallet)
        .await
        .expect("records");
    let mined: Vec<_> = records
        .iter()
        .filter(|swap| swap.status == PaperStatus::Mined)
        .collect();
    let nonces: HashSet<_> = mined.iter().map(|swap| swap.nonce).collect();
    assert_eq!((mined.len(), nonces.len()), (60, 60));
    assert!(
        mined.is_sorted_by_key(|swap| swap.mined_at),
        "blocks are in nonce order"
    );
    assert!(records.iter().all(|swap| swap.status != PaperStatus::Pooled));
    assert_eq!(paper.token(usdc()).await, units(10_000_000_000 - 1_000 * NONCES));
    assert_eq!(paper.token(TOKEN).await, units(49_800_150 * NONCES));
}
