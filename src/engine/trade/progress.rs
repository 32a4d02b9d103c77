//! How far a trade has come, and how long it waits.

use crate::domain::span::Span;

/// A trade that is blocked is checked again after this many check intervals.
pub(in crate::engine) const BLOCKED_INTERVALS: u32 = 2;

/// Number of accepted sends, each `resend_after` apart, after which bytes in no block count as swallowed.
pub const SWALLOWED_SENDS: i64 = 5;

/// How far a trade has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Something was done; there may be more to do at once.
    Stepped,
    /// Nothing can be done before the next check, for which the schedulers look.
    Waiting,
    /// Everything is sent, and the chain can have nothing new before this has passed.
    Sent(Span),
    /// The trade is final.
    Final,
}
