//! What a trade costs besides its price.

use crate::domain::units::Usd;

/// Costs of a trade in addition to its price, USD.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fee {
    /// Pool fee and slippage.
    pub(super) pool: Usd,
    pub(super) gas: Usd,
}
