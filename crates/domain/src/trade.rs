//! A trade's life as one table: what is known, what was seen, what to do next.
//!
//! The whole lifecycle is [`next_step`]; it sends nothing and stores nothing.

mod table;

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::{Timestamp, ids::TransactionId, onchain::Fees, span::Span};

pub use super::purpose::Purpose;
pub use table::{next_step, standing};

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
    /// The transaction of somebody else that used this nonce, read from a block of the required depth.
    pub foreign: Option<B256>,
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
    /// Most attempts of one kind that a transaction gets before only sending them again is left: so many of
    /// what it was made for, and as many cancels. The first cancel is always possible.
    pub attempts_max: usize,
    /// Most that a replacement pays, wei per unit of gas; a cancel may pay twice that.
    pub max_fee_per_gas: u128,
}

impl Patience {
    /// Most that a replacement for `purpose` pays, wei per unit of gas. A cancel is small and frees the nonces
    /// behind it, so it may pay twice what the others do.
    #[must_use]
    pub const fn fee_cap(&self, purpose: Purpose) -> u128 {
        match purpose {
            Purpose::Cancel => self.max_fee_per_gas.saturating_mul(2),
            Purpose::Approve | Purpose::Swap => self.max_fee_per_gas,
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

/// The least fee that replaces one of `fee`: an eighth more, rounded up. Nodes ask for a tenth.
#[must_use]
pub fn raised(fee: u128) -> u128 {
    fee.saturating_add(fee.div_ceil(8).max(1))
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
    /// Commit a failure.
    Fail {
        /// Why: what became of the first nonce that did not do what it was for.
        kind: FailureKind,
        /// The hash that used that nonce, ours or somebody else's.
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

/// What has become of what a trade failed by, as long as the chain may still take it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Every nonce is still used by what moves nothing.
    Stands,
    /// The swap is in a block after all, and has succeeded.
    Swapped,
    /// A nonce is free, and none of the hashes made for it is in a block.
    Free,
    /// A nonce is used, and by none of the hashes made for it.
    Used {
        /// Which.
        nonce: u64,
    },
    /// In blocks that are not deep enough, or not all could be asked: look again.
    Unclear,
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
    /// The last of a trade's transactions is its swap, and the only one.
    #[error("the last transaction of the trade is not its one swap")]
    NoSwap,
    /// The view does not describe this trade's attempts.
    #[error("the chain view describes other attempts than the trade has")]
    ViewMismatch,
}
