//! What a job put in, took out and earned: one definition for each figure, with worked examples in docs/figures.md.

use rust_decimal::Decimal;

use super::{
    decision::{Position, Side},
    units::{MoneyError, Price, Rounding, Usd},
};

/// Digits after the point of percentages.
pub const PCT_DIGITS: u32 = 4;

/// Money between the owner's pocket and a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pocket {
    /// What the owner paid and has not got back; negative once more came back than was paid.
    out: Usd,
    /// The most that `out` ever was.
    money_in: Usd,
}

impl Pocket {
    /// As a ledger kept it: what is [out](Self::out) now, and the most that it ever was.
    #[must_use]
    pub const fn kept(out: Usd, money_in: Usd) -> Self {
        Self { out, money_in }
    }

    /// What the owner paid and has not got back; negative once more came back than was paid.
    #[must_use]
    pub const fn out(&self) -> Usd {
        self.out
    }

    /// One trade or payment: what is paid and what comes back in it happen at once.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range; nothing has changed then.
    pub fn moved(&mut self, paid: Usd, received: Usd) -> Result<(), MoneyError> {
        self.out = self.out.checked_add(paid)?.checked_sub(received)?;
        self.money_in = self.money_in.max(self.out);
        Ok(())
    }

    /// One trade, failed ones included (with nothing moved but gas). A job with a budget (`owns_quote`) trades its own
    /// money, and its owner only pays the gas.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range; nothing has changed then.
    pub fn traded(&mut self, side: Side, moved: Usd, gas: Usd, owns_quote: bool) -> Result<(), MoneyError> {
        match side {
            _ if owns_quote => self.moved(gas, Usd::ZERO),
            Side::Buy => self.moved(moved.checked_add(gas)?, Usd::ZERO),
            Side::Sell => self.moved(gas, moved),
        }
    }

    /// Money in: the most that was ever out of the owner's pocket, gas included. Money that a sell brings back and a
    /// later buy spends again counts once.
    #[must_use]
    pub const fn money_in(&self) -> Usd {
        self.money_in
    }

    /// Cash: what came back and was not spent again.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range.
    pub fn cash(&self) -> Result<Usd, MoneyError> {
        self.money_in.checked_sub(self.out)
    }

    /// Net, for a job whose tokens and own money are worth `value`: value plus cash less money in.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range.
    pub fn net(&self, value: Usd) -> Result<Usd, MoneyError> {
        value.checked_sub(self.out)
    }
}

/// Value of the tokens and of the quote that the job owns, rounded down.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn value(position: &Position, price: Price) -> Result<Usd, MoneyError> {
    position
        .token_value(price, Rounding::Down)?
        .checked_add(position.quote_value(Rounding::Down)?)
}

/// Net: realised plus unrealised less gas. Fees and slippage are part of what was paid and received.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn net(realized: Usd, unrealized: Usd, gas: Usd) -> Result<Usd, MoneyError> {
    realized.checked_add(unrealized)?.checked_sub(gas)
}

/// Net in per cent of the money in; `None` without money in.
#[must_use]
pub fn return_pct(net: Usd, money_in: Usd) -> Option<Decimal> {
    if !money_in.is_positive() {
        return None;
    }
    let percent = net.decimal().checked_mul(Decimal::ONE_HUNDRED)?;
    let percent = percent.checked_div(money_in.decimal())?;
    Some(percent.round_dp(PCT_DIGITS).normalize())
}

/// How far `net` is below its earlier `peak`, in per cent of what was at stake: the money in until then plus the net at
/// the peak. 0 at a peak.
#[must_use]
pub fn drawdown_pct(peak: Usd, net: Usd, money_in: Usd) -> Decimal {
    let depth = || {
        let fall = peak.checked_sub(net).ok().filter(|fall| fall.is_positive())?;
        let stake = money_in
            .checked_add(peak)
            .ok()
            .filter(|stake| stake.is_positive())?;
        let percent = fall.decimal().checked_mul(Decimal::ONE_HUNDRED)?;
        percent.checked_div(stake.decimal())
    };
    depth().map_or(Decimal::ZERO, |percent| percent.round_dp(PCT_DIGITS).normalize())
}
