//! What one tick is told (facts) and what it answers (a decision).

mod hold;
mod rule;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::{
    Timestamp,
    job::JobStatus,
    units::{Amount, MoneyError, Price, Rounding, Usd},
};

pub use hold::HoldReason;
pub(super) use rule::{Verdict, first_to_fire};

/// Everything a rule may look at, besides the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The slot's instant. All "now" of the rules.
    pub now: Timestamp,
    /// When this cycle started.
    pub started_at: Timestamp,
    /// The accepted price of this tick.
    pub price: Price,
    /// The accepted price of the tick before, if it came after the last dip fill.
    pub previous_price: Option<Price>,
    /// Highest accepted sample since max(now - `dip_window`, last dip fill), this tick's price included.
    pub recent_high: Price,
    /// Time-weighted mean over `ma_window`; `None` without any sample.
    pub moving_average: Option<MovingAverage>,
    /// What the job holds.
    pub position: Position,
    /// When each rule last filled.
    pub last: LastFills,
    /// What was traded lately, open trades included.
    pub spent: Spent,
}

/// A time-weighted mean and how much of its window it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MovingAverage {
    /// The mean.
    pub price: Price,
    /// Share of the window that samples cover, 0 to 100 per cent.
    pub coverage_pct: Decimal,
}

/// What a job holds in this cycle, by its own ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Tokens held, base units.
    pub token_balance: Amount,
    /// Digits of one whole token.
    pub token_decimals: u8,
    /// What the tokens held cost; falls by the sold share.
    pub cost_basis: Usd,
    /// Whether the job keeps a quote ledger of its own (mode liquidity): fills then move `quote_balance`.
    /// Mode accumulate pays from, and sells into, the wallet.
    #[serde(default)]
    pub owns_quote: bool,
    /// Quote the job owns, base units of the quote token; stays zero without `owns_quote`.
    pub quote_balance: Amount,
    /// Digits of one whole quote token.
    pub quote_decimals: u8,
    /// USD per whole quote token.
    pub quote_price: Price,
    /// Gains and losses of what was sold in this cycle.
    pub realized_pnl: Usd,
}

impl Position {
    /// What the tokens held are worth at `price`.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range.
    pub fn token_value(&self, price: Price, rounding: Rounding) -> Result<Usd, MoneyError> {
        self.token_balance.value(self.token_decimals, price, rounding)
    }

    /// What the quote owned is worth.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range.
    pub fn quote_value(&self, rounding: Rounding) -> Result<Usd, MoneyError> {
        self.quote_balance
            .value(self.quote_decimals, self.quote_price, rounding)
    }
}

/// When the rules last filled in this cycle: the *slot* of each rule's last trade that filled, not the
/// later instant of its receipt, so that an interval of four hours does not drift past its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LastFills {
    /// Last DCA buy.
    pub dca: Option<Timestamp>,
    /// Last dip buy.
    pub dip: Option<Timestamp>,
    /// Last take-profit and its price.
    pub take_profit: Option<(Timestamp, Price)>,
    /// Last spread trade, either side.
    pub spread: Option<Timestamp>,
    /// Last rebalance.
    pub rebalance: Option<Timestamp>,
    /// Until when no rule may fire, because trades failed.
    pub backoff_until: Option<Timestamp>,
}

impl LastFills {
    /// Whether failures still keep every rule from firing at `now`.
    #[must_use]
    pub fn in_backoff(&self, now: Timestamp) -> bool {
        self.backoff_until.is_some_and(|until| now < until)
    }

    /// After a trade of `reason`, planned at `price` in `slot`, has filled. The slot counts, not the instant of the
    /// receipt, so that intervals are from slot to slot; and failures are forgotten.
    ///
    /// No clock runs backwards: a fill that was reversed and mined again may come after a later one.
    #[must_use]
    pub fn filled(self, reason: Reason, slot: Timestamp, price: Price) -> Self {
        let later = |last: Option<Timestamp>| last.max(Some(slot));
        let mut last = Self {
            backoff_until: None,
            ..self
        };
        match reason {
            Reason::Dca => last.dca = later(last.dca),
            Reason::DipBuy => last.dip = later(last.dip),
            Reason::TakeProfit if last.take_profit.is_some_and(|(at, _)| at > slot) => {}
            Reason::TakeProfit => last.take_profit = Some((slot, price)),
            Reason::SpreadBuy | Reason::SpreadSell => last.spread = later(last.spread),
            Reason::Rebalance => last.rebalance = later(last.rebalance),
            Reason::Liquidate => {}
        }
        last
    }

    /// The accepted price of the tick before, unless it is from before the last dip fill: [`Facts::previous_price`].
    #[must_use]
    pub fn previous_price(&self, last_price: Option<(Price, Timestamp)>) -> Option<Price> {
        last_price
            .filter(|(_, at)| self.dip.is_none_or(|dip| *at > dip))
            .map(|(price, _)| price)
    }
}

/// What a job traded lately, open trades counted with their planned amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Trades frozen in the 60 minutes before the slot.
    pub trades_last_hour: u32,
    /// USD spent on buys in the slot's UTC day.
    pub buys_today: Usd,
    /// USD bought plus sold in the slot's UTC day.
    pub volume_today: Usd,
    /// USD of buys that failed and whose failure is not final yet: counted as if they had bought.
    pub unsettled_buys: Usd,
}

/// BUY or SELL, seen from the token.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "UPPERCASE")]
#[serde(rename_all = "UPPERCASE")]
pub enum Side {
    /// Quote goes out, token comes in.
    Buy,
    /// Token goes out, quote comes in.
    Sell,
}

/// The rule a trade comes from.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// The regular buy.
    Dca,
    /// The price fell from its high.
    DipBuy,
    /// The position gained enough.
    TakeProfit,
    /// The price is below the moving average.
    SpreadBuy,
    /// The price is above the moving average.
    SpreadSell,
    /// The inventory is off its target.
    Rebalance,
    /// The job is being sold.
    Liquidate,
}

impl Reason {
    /// Whether a job in this status still wants a plan that was made for this reason. A stop also stops what was
    /// planned and not yet signed; a job that is being sold buys nothing more.
    #[must_use]
    pub const fn is_wanted(self, status: JobStatus) -> bool {
        match status {
            JobStatus::Running => !matches!(self, Self::Liquidate),
            JobStatus::Liquidating => matches!(self, Self::Liquidate),
            JobStatus::Idle | JobStatus::Paused | JobStatus::Error => false,
        }
    }
}

/// What a rule wants. The limits have not seen it yet.
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
    pub(super) fn unit_in(&self, facts: &Facts) -> (u8, Price) {
        match self.side {
            Side::Buy => (facts.position.quote_decimals, facts.position.quote_price),
            Side::Sell => (facts.position.token_decimals, facts.price),
        }
    }
}

/// What the rules say for one tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Do nothing, because.
    Hold(HoldReason),
    /// Trade, if the limits allow.
    Trade(Plan),
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;

    /// A fill that was reversed and mined again is booked after a later one.
    #[test]
    fn no_clock_of_a_rule_runs_backwards() {
        let early = DateTime::UNIX_EPOCH;
        let late = early + TimeDelta::minutes(5);
        let price = |dollars: i64| Price::new(Decimal::from(dollars)).expect("a price");
        for reason in Reason::VARIANTS {
            let in_order =
                LastFills::default()
                    .filled(*reason, early, price(1))
                    .filled(*reason, late, price(2));
            let mixed = LastFills::default()
                .filled(*reason, late, price(2))
                .filled(*reason, early, price(1));
            assert_eq!(mixed, in_order, "{reason}");
        }
    }

    #[test]
    fn only_what_the_status_is_for_is_still_wanted() {
        for reason in Reason::VARIANTS {
            let sale = *reason == Reason::Liquidate;
            assert_eq!(reason.is_wanted(JobStatus::Running), !sale, "{reason}");
            assert_eq!(reason.is_wanted(JobStatus::Liquidating), sale, "{reason}");
            for stopped in [JobStatus::Idle, JobStatus::Paused, JobStatus::Error] {
                assert!(!reason.is_wanted(stopped), "{reason}");
            }
        }
    }
}
