//! Money paid and received in a run.

use crate::domain::{figures::Pocket, units::Usd};

/// Costs of a trade in addition to its price, USD.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fee {
    /// Pool fee and slippage.
    pub(super) pool: Usd,
    pub(super) gas: Usd,
}

/// Money in and out so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Money {
    pub(super) pocket: Pocket,
    pub(super) gas: Usd,
}
