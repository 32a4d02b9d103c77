//! Liquidation: sells what this job bought, at once or in slices.

use serde::{Deserialize, Serialize};

use super::{
    Timestamp,
    decision::{Decision, Facts, HoldReason},
    span::Span,
};

/// A liquidation as it was ordered. Kept over pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Liquidation {
    /// When it was ordered: the first slice is due then.
    pub ordered_at: Timestamp,
    /// Time from the first slice to the last; zero = at once.
    pub over: Span,
    /// How many sells, at least 1.
    pub slices: u32,
    /// How many have filled.
    pub slices_done: u32,
}

/// What a liquidating job does with these facts.
#[must_use]
pub fn decide(liquidation: &Liquidation, facts: &Facts) -> Decision {
    let _ = (liquidation, facts);
    Decision::Hold(HoldReason::SliceNotDue)
}

/// When the next slice is due, never before `after`.
#[must_use]
pub fn next_slice(liquidation: &Liquidation, after: Timestamp) -> Timestamp {
    let _ = liquidation;
    after
}
