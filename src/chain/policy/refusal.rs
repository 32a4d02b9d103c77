//! Why something is not signed.

use strum::{Display, IntoStaticStr};

/// Which part of the policy refuses; the label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// There is no policy file.
    NoPolicy,
    /// It cannot be read, or somebody else may write it.
    Unreadable,
    /// The kill switch is on.
    Stopped,
    /// No entry for this wallet and chain, or for another chain id.
    Wallet,
    /// A call to something that is no known contract, or of an unknown function.
    Contract,
    /// A known function with arguments that we never make, or another purpose than the row says.
    Shape,
    /// Somebody else would be paid.
    Recipient,
    /// A token or quote that is not allowed.
    Token,
    /// An allowance to somebody who needs none, or without a bound.
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
    /// What money is worth cannot be told.
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
    /// Which part.
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
