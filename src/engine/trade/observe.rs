//! Reads the chain before a step.

use std::collections::{BTreeMap, HashMap};

use alloy_primitives::{Address, B256};
use futures::join;

use crate::{
    domain::{
        onchain::{Lookup, Receipt, SignedTransaction},
        trade::{ChainView, Seen},
    },
    ports::Market,
    store::{jobs::Job, trades::Trade},
};

/// The chain as a trade sees it, with the receipts of its transactions.
pub(in crate::engine) struct ObservedTrade {
    pub(in crate::engine) view: ChainView,
    pub(in crate::engine) receipts: HashMap<B256, Receipt>,
    /// Why something is still unknown, for people.
    pub(in crate::engine) doubt: Option<String>,
}

impl ObservedTrade {
    /// For a trade without transactions.
    fn nothing() -> Self {
        Self {
            view: ChainView::UNKNOWN,
            receipts: HashMap::new(),
            doubt: None,
        }
    }
}

/// Reads everything the next step may depend on. The nonce is asked for *before* the hashes: if it is used by one of
/// ours, the look-ups see it. A node that answers them in another order makes a used nonce look unexplained; who used
/// it is then read from its block, and found to be ours.
pub(in crate::engine) async fn observe(trade: &Trade, job: &Job, market: &Market) -> ObservedTrade {
    observe_signed(&trade.signed, job.account.wallet, market).await
}

/// The same for all that was signed for one purpose.
pub(in crate::engine) async fn observe_signed(
    signed: &[SignedTransaction],
    wallet: Address,
    market: &Market,
) -> ObservedTrade {
    if signed.is_empty() {
        return ObservedTrade::nothing();
    }
    // All at once, so that they share a round trip; the nonce is asked first.
    let (nonces, before, answers) = join!(
        market.chain.nonces(wallet),
        market.chain.agreed_head(),
        market.chain.lookup_signed(signed)
    );
    let next_nonce = nonces.ok().map(|nonces| nonces.latest);
    let before = before.ok();
    // The head before and after the look-ups: new or reorged blocks in between must not give a receipt more
    // confirmations than it had when it was seen. Nothing is done about a receipt that is not deep enough even so.
    let required = market.chain.patience().required_depth;
    let is_deep = |lookup: &Lookup| match (lookup, before) {
        (Lookup::Mined(receipt), Some(head)) => head.depth(receipt.block_number) >= required,
        (Lookup::Mined(_) | Lookup::Pooled | Lookup::Absent, _) => false,
    };
    let head = if before.is_none() || answers.iter().flatten().any(is_deep) {
        market.chain.agreed_head().await.ok()
    } else {
        before
    };
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
