//! Reasons to refuse a signature.

use strum::{Display, IntoStaticStr, VariantArray};

/// The violated part of the policy; also a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// There is no policy file.
    NoPolicy,
    /// It cannot be read, or other users can write it.
    Unreadable,
    /// The kill switch is on.
    Stopped,
    /// No entry for this wallet and chain, or another chain id.
    Wallet,
    /// Call to an unknown contract or function.
    Contract,
    /// A known function with arguments that we never build, or another purpose than recorded.
    Shape,
    /// Another address would receive money.
    Recipient,
    /// Token or quote not allowed.
    Token,
    /// Allowance to an address that needs none, or an unlimited one.
    Allowance,
    /// Buy above the limit per trade.
    Trade,
    /// Buy above the hourly limit.
    Hour,
    /// Buy above the daily limit.
    Day,
    /// Gas above its limit.
    Gas,
    /// Minimum output too low.
    Loss,
    /// Value unknown: a price is missing or out of range.
    Price,
    /// Deadline too far away.
    Deadline,
    /// The signature cannot be recorded.
    Journal,
}

/// A refused signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail} (policy: {reason})")]
pub struct Refusal {
    /// Violated part of the policy.
    pub reason: Reason,
    /// Actual value and limit.
    pub detail: String,
}

impl Refusal {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}
