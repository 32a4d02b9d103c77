//! Why something is not signed.

use strum::{Display, IntoStaticStr};

/// The part of the policy that refuses; the label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// There is no policy file.
    NoPolicy,
    /// It cannot be read, or another user may write it.
    Unreadable,
    /// The kill switch is on.
    Stopped,
    /// No entry for this wallet and chain, or for another chain id.
    Wallet,
    /// A call to something that is no known contract, or of an unknown function.
    Contract,
    /// A known function with arguments that we never make, or another purpose than the row says.
    Shape,
    /// Another address would be paid.
    Recipient,
    /// A token or quote that is not allowed.
    Token,
    /// An allowance to an address that needs none, or an unlimited one.
    Allowance,
    /// One buy is too large.
    Trade,
    /// Too much in an hour.
    Hour,
    /// Too much on a day.
    Day,
    /// Gas could cost too much.
    Gas,
    /// Too little would arrive.
    Loss,
    /// The value cannot be computed: a price is missing or out of range.
    Price,
    /// It would stay valid for too long.
    Deadline,
    /// What was signed cannot be written down.
    Journal,
}

/// Why something is not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail} (policy: {reason})")]
pub struct Refusal {
    /// The part that refuses.
    pub reason: Reason,
    /// What was seen and what is allowed.
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
