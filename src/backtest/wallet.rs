//! The wallet of a run.

use super::setup::Setup;
use crate::domain::{
    accounting::Fill,
    decision::Side,
    units::{Amount, MoneyError, Price, Rounding, Usd},
};

/// The paper wallet, base units. It holds only this job's money.
#[derive(Debug)]
pub(super) struct Wallet {
    pub(super) token: Amount,
    pub(super) quote: Amount,
    pub(super) native: Amount,
}

impl Wallet {
    /// The wallet, and the initial quote balance of a job of mode liquidity.
    pub(super) fn opened(setup: &Setup) -> (Self, Amount) {
        let budget = setup.budget().unwrap_or(Usd::ZERO);
        let deposit = budget.to_amount(setup.quote_decimals, Price::ONE, Rounding::Down);
        let wallet = Self {
            token: setup.held.map_or(Amount::ZERO, |held| held.tokens),
            quote: setup.costs.wallet_usdc(),
            native: setup.costs.wallet_native(),
        };
        (wallet, deposit.unwrap_or(Amount::ZERO))
    }

    pub(super) fn settle(&mut self, fill: &Fill, gas: Amount) -> Result<(), MoneyError> {
        let (token, quote) = match fill.side {
            Side::Buy => (
                self.token.checked_add(fill.base_amount)?,
                self.quote.checked_sub(fill.quote_amount)?,
            ),
            Side::Sell => (
                self.token.checked_sub(fill.base_amount)?,
                self.quote.checked_add(fill.quote_amount)?,
            ),
        };
        *self = Self {
            token,
            quote,
            native: self.native.checked_sub(gas)?,
        };
        Ok(())
    }
}
