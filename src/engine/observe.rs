//! Reads the chain before a step.

use std::collections::{BTreeMap, HashMap};

use alloy_primitives::{Address, B256};

use crate::{
    domain::{
        onchain::{Lookup, Receipt, SignedTransaction},
        trade::{ChainView, Seen},
    },
    ports::Market,
    store::{jobs::Job, trades::Trade},
};

/// The chain as a trade sees it, with the receipts of its transactions.
pub(super) struct ObservedTrade {
    pub(super) view: ChainView,
    pub(super) receipts: HashMap<B256, Receipt>,
    /// Why something is still unknown, for people.
    pub(super) doubt: Option<String>,
}

impl ObservedTrade {
    /// For a trade without transactions.
    fn nothing() -> Self {
        Self {
            view: ChainView {
                seen: BTreeMap::new(),
                block_time: None,
                next_nonce: None,
            },
            receipts: HashMap::new(),
            doubt: None,
        }
    }
}

/// Reads everything the next step may depend on. The nonce is read *before* the hashes: if it is used by
/// one of ours, the look-ups that follow see it.
pub(super) async fn observe(trade: &Trade, job: &Job, market: &Market) -> ObservedTrade {
    observe_signed(&trade.signed, job.account.wallet, market).await
}

/// The same for all that was signed for one purpose.
pub(super) async fn observe_signed(
    signed: &[SignedTransaction],
    wallet: Address,
    market: &Market,
) -> ObservedTrade {
    if signed.is_empty() {
        return ObservedTrade::nothing();
    }
    let next_nonce = market.chain.nonces(wallet).await.ok().map(|nonces| nonces.latest);
    // The head before and after the look-ups: new or reorged blocks in between must not give a receipt more
    // confirmations than it had when it was seen.
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
    let mut seen = BTreeMap::new();
    let mut doubt = None;
    for (hash, answer) in signed.iter().map(|signed| &signed.hash).zip(answers) {
        if let Err(error) = &answer {
            doubt.get_or_insert_with(|| error.to_string());
        }
        let answered = match (answer, lowest) {
            (Ok(Lookup::Absent), _) => Seen::Absent,
            (Ok(Lookup::Pooled), _) => Seen::Pooled,
            (Ok(Lookup::Mined(receipt)), Some(head)) => {
                let depth = head.depth(receipt.block_number);
                let success = receipt.success;
                receipts.insert(*hash, receipt);
                Seen::Mined { success, depth }
            }
            (Ok(Lookup::Mined(_)), None) | (Err(_), _) => Seen::Unknown,
        };
        seen.insert(*hash, answered);
    }
    let view = ChainView {
        seen,
        block_time: head.map(|head| head.time),
        next_nonce,
    };
    ObservedTrade {
        view,
        receipts,
        doubt,
    }
}
