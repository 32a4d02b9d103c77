//! Result of the rules: a plan, or a hold.

use super::{
    facts::Facts,
    hold::HoldReason,
    reason::{Reason, Side},
};
use crate::units::{Amount, MoneyError, Price, Rounding, Usd};

/// A trade that a rule proposes, before limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Direction.
    pub side: Side,
    /// The rule.
    pub reason: Reason,
    /// What goes out: quote for a buy, token for a sell. Base units, never zero.
    pub amount_in: Amount,
    /// `amount_in` in USD at the facts' prices, rounded down.
    pub value: Usd,
    /// The price the rule decided on.
    pub price: Price,
}

impl Plan {
    /// A buy for `money`, rounded down to base units of the quote; `None` if that is nothing.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range.
    pub fn buy(reason: Reason, money: Usd, facts: &Facts) -> Result<Option<Self>, MoneyError> {
        if !money.is_positive() {
            return Ok(None);
        }
        let position = &facts.position;
        let amount = money.to_amount(position.quote_decimals, position.quote_price, Rounding::Down)?;
        Self {
            side: Side::Buy,
            reason,
            amount_in: amount,
            value: Usd::ZERO,
            price: facts.price,
        }
        .resized(amount, facts)
    }

    /// A sell of `amount` tokens; `None` if that is nothing.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range.
    pub fn sell(reason: Reason, amount: Amount, facts: &Facts) -> Result<Option<Self>, MoneyError> {
        Self {
            side: Side::Sell,
            reason,
            amount_in: amount,
            value: Usd::ZERO,
            price: facts.price,
        }
        .resized(amount, facts)
    }

    /// The same plan for another amount; `None` if that is nothing.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range.
    pub fn resized(self, amount_in: Amount, facts: &Facts) -> Result<Option<Self>, MoneyError> {
        if amount_in.is_zero() {
            return Ok(None);
        }
        let (decimals, price) = self.unit_in(facts);
        let value = amount_in.value(decimals, price, Rounding::Down)?;
        Ok(Some(Self {
            amount_in,
            value,
            ..self
        }))
    }

    /// Digits and price of the token that goes out.
    pub(crate) fn unit_in(&self, facts: &Facts) -> (u8, Price) {
        match self.side {
            Side::Buy => (facts.position.quote_decimals, facts.position.quote_price),
            Side::Sell => (facts.position.token_decimals, facts.price),
        }
    }
}

/// Decision of the rules in one tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Do nothing, for this reason.
    Hold(HoldReason),
    /// Trade, if the limits allow.
    Trade(Plan),
}
