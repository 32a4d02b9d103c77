//! What is seen of the chain before a step.

use std::collections::HashMap;

use alloy_primitives::B256;

use crate::{
    domain::{
        onchain::{Lookup, Receipt},
        trade::{ChainView, Seen},
    },
    ports::Market,
    store::{jobs::Job, trades::Trade},
};

/// What was seen of the chain, and the receipts that go with it.
pub(super) struct Observed {
    pub(super) view: ChainView,
    pub(super) receipts: HashMap<B256, Receipt>,
    /// Why something is not known yet, for people.
    pub(super) doubt: Option<String>,
}

impl Observed {
    /// Of a trade that has no transaction yet.
    fn nothing() -> Self {
        Self {
            view: ChainView {
                attempts: vec![],
                block_time: None,
                next_nonce: None,
            },
            receipts: HashMap::new(),
            doubt: None,
        }
    }
}

/// Looks at everything the next step may depend on. The nonce is read *before* the hashes: if it is used by
/// one of ours, the look-ups that follow see it.
pub(super) async fn observe(trade: &Trade, job: &Job, market: &Market) -> Observed {
    let signed = &trade.signed;
    if signed.is_empty() {
        return Observed::nothing();
    }
    let next_nonce = market
        .chain
        .nonces(job.account.wallet)
        .await
        .ok()
        .map(|nonces| nonces.latest);
    // The head before and after the look-ups: blocks that come, or are taken back, in between must not make a receipt
    // look deeper than it was when it was seen.
    let before = market.chain.agreed_head().await.ok();
    let answers = market.chain.lookup_signed(signed).await;
    let head = market.chain.agreed_head().await.ok();
    let lowest = before.zip(head).map(|(before, after)| {
        if before.number < after.number {
            before
        } else {
            after
        }
    });
    let mut receipts = HashMap::new();
    let mut seen_by_hash = HashMap::new();
    let mut doubt = None;
    for (hash, answer) in signed.iter().map(|signed| &signed.hash).zip(answers) {
        if let Err(error) = &answer {
            doubt.get_or_insert_with(|| error.to_string());
        }
        let seen = match (answer, lowest) {
            (Ok(Lookup::Absent), _) => Seen::Absent,
            (Ok(Lookup::Pooled), _) => Seen::Pooled,
            (Ok(Lookup::Mined(receipt)), Some(head)) => {
                let depth = head.depth(receipt.block_number);
                let seen = Seen::Mined {
                    success: receipt.success,
                    depth,
                };
                receipts.insert(*hash, receipt);
                seen
            }
            (Ok(Lookup::Mined(_)), None) | (Err(_), _) => Seen::Unknown,
        };
        seen_by_hash.insert(*hash, seen);
    }
    let attempts = trade
        .state
        .transactions
        .iter()
        .map(|transaction| {
            let seen = |hash| seen_by_hash.get(&hash).copied().unwrap_or(Seen::Unknown);
            transaction
                .attempts
                .iter()
                .map(|attempt| seen(attempt.hash))
                .collect()
        })
        .collect();
    let view = ChainView {
        attempts,
        block_time: head.map(|head| head.time),
        next_nonce,
    };
    Observed {
        view,
        receipts,
        doubt,
    }
}
