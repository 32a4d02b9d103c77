//! What a run has paid and received.

use crate::domain::{
    decision::Position,
    units::{MoneyError, Price, Rounding, Usd},
};

/// What a trade cost in addition to its price, USD.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fee {
    /// Pool fee and slippage.
    pub(super) pool: Usd,
    pub(super) gas: Usd,
}

/// Money in and out until now.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Money {
    /// Put in from outside, gas apart.
    pub(super) put_in: Usd,
    /// Paid out by sells, where the job does not keep it.
    pub(super) paid_out: Usd,
    pub(super) gas: Usd,
}

impl Money {
    /// What tokens and owned quote are worth.
    pub(super) fn value(position: &Position, price: Price) -> Result<Usd, MoneyError> {
        position
            .token_value(price, Rounding::Down)?
            .checked_add(position.quote_value(Rounding::Down)?)
    }

    /// What has been gained, gas included.
    pub(super) fn profit(&self, value: Usd) -> Result<Usd, MoneyError> {
        value
            .checked_add(self.paid_out)?
            .checked_sub(self.put_in)?
            .checked_sub(self.gas)
    }
}
