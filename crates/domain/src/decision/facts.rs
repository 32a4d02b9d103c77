//! The inputs of the rules.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{last_fills::LastFills, peers::Peers};
use crate::{
    Timestamp,
    units::{Amount, MoneyError, Price, Rounding, Usd, Worth},
};

/// Inputs of the rules, in addition to the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The slot's instant. All "now" of the rules.
    pub now: Timestamp,
    /// When this cycle started.
    pub started_at: Timestamp,
    /// The accepted price of this tick.
    pub price: Price,
    /// The accepted price of the tick before, if it came after the last dip fill and no more than two `dip_window` ago.
    pub previous_price: Option<Price>,
    /// The accepted price of the tick before and its instant, whatever has happened since.
    pub last_price: Option<(Price, Timestamp)>,
    /// The high that the trailing stop was measured from in the tick before; none before it is armed. Of an order that
    /// trails, the best price so far: the lowest, if it buys.
    pub trailing_high: Option<Price>,
    /// The high since the goal of take-profit was reached, as of the tick before; none before it is.
    pub profit_high: Option<Price>,
    /// Highest accepted sample since max(now - `dip_window`, last dip fill), this tick's price included.
    pub recent_high: Price,
    /// Time-weighted mean over `ma_window`; `None` without any sample.
    pub moving_average: Option<MovingAverage>,
    /// What the job holds.
    pub position: Position,
    /// What it has spent on buys in this cycle, USD.
    pub bought: Usd,
    /// When each rule last filled.
    pub last: LastFills,
    /// Recent turnover, open trades included.
    pub spent: Spent,
    /// The other members of its basket; nobody in other modes.
    pub peers: Peers,
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

    /// What the tokens held are worth, to be compared.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range.
    pub fn token_worth(&self, price: Price) -> Result<Worth, MoneyError> {
        self.token_balance
            .worth(self.token_decimals, price, Rounding::Down)
    }

    /// How what the tokens held are worth at `price` compares with `percent` per cent of what they cost.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range.
    pub fn compare_to_percent_of_cost(&self, price: Price, percent: Decimal) -> Result<Ordering, MoneyError> {
        self.token_balance
            .compare_worth_to_percent(self.token_decimals, price, percent, self.cost_basis)
    }

    /// What the quote owned is worth, to be compared.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range.
    pub fn quote_worth(&self) -> Result<Worth, MoneyError> {
        self.quote_balance
            .worth(self.quote_decimals, self.quote_price, Rounding::Down)
    }
}

/// Recent turnover of a job; open trades count with their planned amounts.
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
