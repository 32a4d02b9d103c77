//! A trade's life as one table: what is known, what was seen, what to do next.
//!
//! The whole lifecycle is [`next_step`]; it sends nothing and stores nothing.

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::{Timestamp, span::Span};

/// Where a trade is in its life.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "UPPERCASE")]
#[serde(rename_all = "UPPERCASE")]
pub enum TradeStatus {
    /// Frozen; no nonce is bound to it yet.
    Pending,
    /// Its transactions are recorded, perhaps sent, perhaps mined, not yet final.
    Submitted,
    /// Final, and its fill is in the ledger.
    Executed,
    /// Final, and nothing moved.
    Failed,
}

/// Why a trade failed.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Mined and reverted.
    Reverted,
    /// A cancel of ours took the nonce.
    Cancelled,
    /// No nonce was ever bound before the plan expired.
    Expired,
    /// Somebody else used the nonce; the proof is recorded.
    Foreign,
}

/// What a transaction is for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Allows the venue to take exactly what the swap needs.
    Approve,
    /// The trade itself.
    Swap,
    /// Takes the nonce and moves nothing.
    Cancel,
}

/// One signed replacement of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptState {
    /// Its hash.
    pub hash: B256,
    /// What it does; a cancel replaces a swap on the same nonce.
    pub purpose: Purpose,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// When its bytes were last handed to a node; `None`: not that we know.
    pub sent_at: Option<Timestamp>,
}

/// One (chain, signer, nonce) of a trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionState {
    /// Its nonce.
    pub nonce: u64,
    /// What it was made for.
    pub purpose: Purpose,
    /// Block time after which its calldata is refused.
    pub deadline: Timestamp,
    /// All that was ever signed for it, oldest first, never empty.
    pub attempts: Vec<AttemptState>,
}

/// What the ledger knows of a trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradeState {
    /// Its status.
    pub status: TradeStatus,
    /// A pending trade is given up at this instant.
    pub expires_at: Timestamp,
    /// Its transactions in nonce order: approves first, the swap last. Empty while pending.
    pub transactions: Vec<TransactionState>,
}

/// What was seen of one attempt. A null answer, an error and absence are three things; none is proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Nobody could be asked, or the answer made no sense.
    Unknown,
    /// The node knows no such transaction.
    Absent,
    /// In the node's pool.
    Pooled,
    /// In a block.
    Mined {
        /// Executed rather than reverted.
        success: bool,
        /// Blocks on top of it, its own included: 1 = in the newest block.
        depth: u64,
    },
}

/// What was seen of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainView {
    /// For every attempt of every transaction, in the same order.
    pub attempts: Vec<Vec<Seen>>,
    /// Time of the newest block; `None` if it could not be read.
    pub block_time: Option<Timestamp>,
    /// The signer's next nonce by the newest block; `None` if it could not be read.
    pub next_nonce: Option<u64>,
}

/// How patient a chain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Depth at which an outcome counts.
    pub required_depth: u64,
    /// Bytes are sent again after this long without an answer.
    pub resend_after: Span,
    /// An unmined attempt is replaced after this long.
    pub replace_after: Span,
    /// Most attempts that one transaction gets before only waiting is left.
    pub attempts_max: usize,
}

/// What to do next. Every step may be done twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Quote, sign, take the nonces, reserve and record; nothing is sent yet.
    Allocate,
    /// Give up a trade that never had a nonce.
    Expire,
    /// Hand the newest attempt's stored bytes of this transaction to the node.
    Broadcast {
        /// Index into `transactions`.
        transaction: usize,
    },
    /// Sign the same transaction with higher fees on the same nonce, and record it.
    Replace {
        /// Index into `transactions`.
        transaction: usize,
    },
    /// Sign a cancel on the same nonce, and record it.
    Cancel {
        /// Index into `transactions`.
        transaction: usize,
    },
    /// Commit the fill of this attempt.
    Fill {
        /// The swap's hash.
        hash: B256,
    },
    /// Commit a failure that this attempt proves.
    Fail {
        /// Why.
        kind: FailureKind,
        /// The hash whose receipt is final.
        hash: B256,
    },
    /// The nonce is used and none of our hashes explains it: look for the one that does, act on nothing.
    Investigate {
        /// Index into `transactions`.
        transaction: usize,
    },
    /// Nothing can be done yet.
    Wait,
    /// The trade is final.
    Done,
}

/// What the ledger says cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IllegalTrade {
    /// A submitted trade has at least one transaction, each with at least one attempt.
    #[error("a {0} trade has no transaction or no attempt on record")]
    NothingRecorded(TradeStatus),
    /// A pending trade has no transaction.
    #[error("a PENDING trade already has a transaction on record")]
    PendingWithNonce,
    /// The view does not describe this trade's attempts.
    #[error("the chain view describes other attempts than the trade has")]
    ViewMismatch,
}

/// The lifecycle.
///
/// # Errors
/// [`IllegalTrade`] if the ledger contradicts itself; nothing may be done then.
pub fn next_step(
    trade: &TradeState,
    view: &ChainView,
    patience: &Patience,
    now: Timestamp,
) -> Result<Step, IllegalTrade> {
    match trade.status {
        TradeStatus::Executed | TradeStatus::Failed => return Ok(Step::Done),
        TradeStatus::Pending if !trade.transactions.is_empty() => return Err(IllegalTrade::PendingWithNonce),
        TradeStatus::Pending if trade.expires_at <= now => return Ok(Step::Expire),
        TradeStatus::Pending => return Ok(Step::Allocate),
        TradeStatus::Submitted => {}
    }
    if trade.transactions.is_empty() || trade.transactions.iter().any(|t| t.attempts.is_empty()) {
        return Err(IllegalTrade::NothingRecorded(trade.status));
    }
    let described = trade.transactions.len() == view.attempts.len()
        && trade
            .transactions
            .iter()
            .zip(&view.attempts)
            .all(|(t, seen)| t.attempts.len() == seen.len());
    if !described {
        return Err(IllegalTrade::ViewMismatch);
    }
    for (index, (transaction, seen)) in trade.transactions.iter().zip(&view.attempts).enumerate() {
        let is_last = index.saturating_add(1) == trade.transactions.len();
        match outcome(transaction, seen, patience) {
            // An approve that went through makes way for the swap behind it.
            Outcome::Final {
                purpose,
                success: true,
                ..
            } if purpose == Purpose::Approve && !is_last => {}
            Outcome::Final {
                purpose,
                success,
                hash,
            } => return Ok(conclude(purpose, success, hash)),
            Outcome::Shallow => return Ok(Step::Wait),
            Outcome::Open => return Ok(push(index, transaction, seen, view, patience, now)),
        }
    }
    Ok(Step::Wait)
}

enum Outcome {
    Final {
        purpose: Purpose,
        success: bool,
        hash: B256,
    },
    Shallow,
    Open,
}

fn outcome(transaction: &TransactionState, seen: &[Seen], patience: &Patience) -> Outcome {
    for (attempt, seen) in transaction.attempts.iter().zip(seen) {
        if let Seen::Mined { success, depth } = *seen {
            return if depth >= patience.required_depth {
                Outcome::Final {
                    purpose: attempt.purpose,
                    success,
                    hash: attempt.hash,
                }
            } else {
                Outcome::Shallow
            };
        }
    }
    Outcome::Open
}

/// What a final receipt means for the whole trade.
fn conclude(purpose: Purpose, success: bool, hash: B256) -> Step {
    match (purpose, success) {
        (Purpose::Swap, true) => Step::Fill { hash },
        // A cancel moves nothing whether or not it reverts: the nonce is used either way.
        (Purpose::Cancel, _) => Step::Fail {
            kind: FailureKind::Cancelled,
            hash,
        },
        (Purpose::Approve | Purpose::Swap, _) => Step::Fail {
            kind: FailureKind::Reverted,
            hash,
        },
    }
}

/// A transaction that no receipt explains yet.
fn push(
    index: usize,
    transaction: &TransactionState,
    seen: &[Seen],
    view: &ChainView,
    patience: &Patience,
    now: Timestamp,
) -> Step {
    let Some(newest) = transaction.attempts.last() else {
        return Step::Wait;
    };
    let newest_seen = seen.last().copied().unwrap_or(Seen::Unknown);
    let Some(sent_at) = newest.sent_at else {
        return Step::Broadcast { transaction: index };
    };
    // Only an answer about *every* hash makes a used nonce suspicious.
    let all_answered = seen.iter().all(|seen| *seen != Seen::Unknown);
    if view.next_nonce.is_some_and(|next| next > transaction.nonce) {
        return if all_answered {
            Step::Investigate { transaction: index }
        } else {
            Step::Wait
        };
    }
    let past_deadline = view.block_time.is_some_and(|time| time > transaction.deadline);
    let may_replace = transaction.attempts.len() < patience.attempts_max;
    if past_deadline && newest.purpose != Purpose::Cancel {
        return Step::Cancel { transaction: index };
    }
    if may_replace && newest_seen == Seen::Pooled && patience.replace_after.passed(newest.recorded_at, now) {
        return Step::Replace { transaction: index };
    }
    if newest_seen != Seen::Pooled && patience.resend_after.passed(sent_at, now) {
        return Step::Broadcast { transaction: index };
    }
    Step::Wait
}
