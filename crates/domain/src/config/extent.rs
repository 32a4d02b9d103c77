//! How far rules reach: into the past, and into the purse.

use rust_decimal::Decimal;

use crate::span::Span;

/// The windows of past prices that rules use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookBack {
    /// How far back the recent high is looked for.
    pub high: Span,
    /// Window of the moving average; zero: no rule uses one.
    pub average: Span,
}

impl LookBack {
    /// The longest window: older prices are used by no rule.
    #[must_use]
    pub fn longest(self) -> Span {
        self.high.max(self.average)
    }
}

/// The most that rules buy, without the limits that apply to every job, USD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MostBought {
    /// With one trade.
    pub at_once: Decimal,
    /// In one day; zero: no bound.
    pub in_a_day: Decimal,
}
