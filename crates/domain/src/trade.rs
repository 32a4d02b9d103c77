//! The life cycle of a trade as one table: what is known, what was seen, what to do next.
//!
//! The whole lifecycle is [`next_step`]; it sends nothing and stores nothing.

mod table;

use std::collections::BTreeMap;

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::{Timestamp, ids::TransactionId, onchain::Fees, span::Span};

pub use super::purpose::Purpose;
pub use table::{check_failure, next_step};

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
    /// Given up before a nonce was bound, because its job wants it no more: nothing was sent, and nothing failed.
    Dropped,
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
    /// A foreign transaction used the nonce; the proof is recorded.
    Foreign,
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
    /// What it pays.
    pub fees: Fees,
}

/// One (chain, signer, nonce) of a trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionState {
    /// Its row.
    pub id: TransactionId,
    /// Its nonce.
    pub nonce: u64,
    /// What it was made for.
    pub purpose: Purpose,
    /// Block time after which its calldata is refused.
    pub deadline: Timestamp,
    /// Gas limit of the newest attempt, units.
    pub gas_limit: u64,
    /// All that was ever signed for it, oldest first, never empty.
    pub attempts: Vec<AttemptState>,
    /// The foreign transaction that used this nonce, read from a block of the required depth.
    pub foreign: Option<B256>,
}

impl TransactionState {
    /// Whether it is a cancel by now, and its first one was signed `replace_after` or longer ago: the way it was sent
    /// does not get it mined.
    #[must_use]
    pub fn is_cancel_overdue(&self, patience: &Patience, now: Timestamp) -> bool {
        if self
            .attempts
            .last()
            .is_none_or(|newest| newest.purpose != Purpose::Cancel)
        {
            return false;
        }
        let mut cancels = self.attempts.iter().filter(|a| a.purpose == Purpose::Cancel);
        let first = cancels.next();
        first.is_some_and(|first| patience.replace_after.passed(first.recorded_at, now))
    }

    /// Whether it was signed twice `replace_after` or longer ago: by then it was replaced, and sent again, at least
    /// once.
    #[must_use]
    pub fn has_waited_long(&self, patience: &Patience, now: Timestamp) -> bool {
        let twice = patience.replace_after.std().saturating_mul(2);
        let first = self.attempts.first().map(|attempt| attempt.recorded_at);
        let waited = first.and_then(|at| now.signed_duration_since(at).to_std().ok());
        waited.is_some_and(|waited| waited >= twice)
    }
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

/// The state of one attempt as a node reports it. A null answer, an error and absence are three things; none is proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// No node answered, or the answer made no sense.
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

/// The chain as the trade sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainView {
    /// What was seen of each attempt, by its hash. An attempt that is not here is [`Seen::Unknown`].
    pub seen: BTreeMap<B256, Seen>,
    /// Time of the newest block; `None` if it could not be read.
    pub block_time: Option<Timestamp>,
    /// The signer's next nonce by the newest block; `None` if it could not be read.
    pub next_nonce: Option<u64>,
}

impl ChainView {
    /// Nothing was asked.
    pub const UNKNOWN: Self = Self {
        seen: BTreeMap::new(),
        block_time: None,
        next_nonce: None,
    };

    /// What was seen of `attempt`.
    #[must_use]
    pub fn of(&self, attempt: &AttemptState) -> Seen {
        self.seen.get(&attempt.hash).copied().unwrap_or(Seen::Unknown)
    }

    /// Whether nodes answered for every attempt of `transaction`.
    #[must_use]
    pub fn answered(&self, transaction: &TransactionState) -> bool {
        let mut attempts = transaction.attempts.iter();
        attempts.all(|attempt| self.of(attempt) != Seen::Unknown)
    }
}

/// Time limits and fee caps of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Confirmations at which an outcome counts.
    pub required_depth: u64,
    /// Bytes are sent again after this long without an answer.
    pub resend_after: Span,
    /// An unmined attempt is replaced after this long.
    pub replace_after: Span,
    /// Maximum number of attempts of one kind for a transaction: this many for its own purpose, and this many cancels.
    /// After that only resending is left. The first cancel is always possible.
    pub attempts_max: usize,
    /// Fee cap of a replacement, wei per unit of gas; a cancel may pay twice that.
    pub max_fee_per_gas: u128,
}

impl Patience {
    /// Fee cap of a replacement for `purpose`, wei per unit of gas. A cancel is small and frees the nonces
    /// behind it, so it may pay twice what the others do.
    #[must_use]
    pub const fn fee_cap(&self, purpose: Purpose) -> u128 {
        match purpose {
            Purpose::Cancel => self.max_fee_per_gas.saturating_mul(2),
            Purpose::Approve | Purpose::Swap | Purpose::Transfer => self.max_fee_per_gas,
        }
    }

    /// Whether one more attempt for `purpose` stays within the number of attempts and the cap on fees.
    #[must_use]
    pub fn allows(&self, transaction: &TransactionState, purpose: Purpose) -> bool {
        let of_kind = transaction
            .attempts
            .iter()
            .filter(|a| a.purpose == purpose)
            .count();
        let highest = transaction.attempts.iter().map(|a| a.fees.max_fee_per_gas).max();
        of_kind < self.attempts_max && raised(highest.unwrap_or_default()) <= self.fee_cap(purpose)
    }
}

/// The lowest fee that replaces one of `fee`: an eighth more, rounded up. Nodes require a tenth more.
#[must_use]
pub fn raised(fee: u128) -> u128 {
    fee.saturating_add(fee.div_ceil(8).max(1))
}

/// What to do next. Every step may be done twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Quote, sign, take the nonces, reserve and record; nothing is sent yet.
    Allocate,
    /// Expire a trade that never had a nonce.
    Expire,
    /// Send the stored bytes of this transaction's newest attempt to the node.
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
    /// Commit a failure.
    Fail {
        /// Why: the outcome of the first nonce that did not serve its purpose.
        kind: FailureKind,
        /// The hash that used that nonce, ours or a foreign one.
        hash: B256,
    },
    /// The nonce is used and none of our hashes explains it: find the one that does; change nothing.
    Investigate {
        /// Index into `transactions`.
        transaction: usize,
    },
    /// Nothing can be done yet.
    Wait,
    /// The trade is final.
    Done,
}

/// Whether the failure of a trade still holds, as long as a reorg may undo it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureCheck {
    /// Every nonce is still used by what moves nothing.
    Stands,
    /// The swap is in a block after all, and has succeeded.
    Swapped,
    /// A nonce is free, and none of the hashes made for it is in a block.
    Free,
    /// A nonce is used, and by none of the hashes made for it.
    Used {
        /// The nonce.
        nonce: u64,
    },
    /// In blocks that are not deep enough, or not all could be asked: look again.
    Unclear,
}

/// A contradiction in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IllegalTrade {
    /// A submitted trade has at least one transaction, each with at least one attempt.
    #[error("a {0} trade has no transaction or no attempt on record")]
    NothingRecorded(TradeStatus),
    /// A pending trade has no transaction.
    #[error("a PENDING trade already has a transaction on record")]
    PendingWithNonce,
    /// The last of a trade's transactions is its swap, and the only one.
    #[error("the last transaction of the trade is not its one swap")]
    NoSwap,
}
