//! Money paid and received in a run.

use crate::domain::{
    decision::Position,
    units::{MoneyError, Price, Rounding, Usd},
};

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
    /// Paid in from outside, without gas.
    pub(super) put_in: Usd,
    /// Paid out by sells, if the job does not keep it.
    pub(super) paid_out: Usd,
    pub(super) gas: Usd,
}

impl Money {
    /// Value of tokens and owned quote.
    pub(super) fn value(position: &Position, price: Price) -> Result<Usd, MoneyError> {
        position
            .token_value(price, Rounding::Down)?
            .checked_add(position.quote_value(Rounding::Down)?)
    }

    /// Profit, gas included.
    pub(super) fn profit(&self, value: Usd) -> Result<Usd, MoneyError> {
        value
            .checked_add(self.paid_out)?
            .checked_sub(self.put_in)?
            .checked_sub(self.gas)
    }
}
