//! The deepest fall of the profit from an earlier peak.
//!
//! Between two trades the profit rises and falls with the price, so it need only be worked out where the price
//! is higher than at any tick since the last trade, or lower than at any since that height: nowhere else can
//! the profit be at a new peak or further below one.

use rust_decimal::Decimal;

use super::{result::Drawdown, tally::Money};
use crate::domain::{
    Timestamp,
    decision::Position,
    units::{Price, Usd},
};

#[derive(Debug, Default)]
pub(super) struct Valley {
    /// The highest profit so far; nothing gained yet is a height, too.
    peak: Usd,
    deepest: Drawdown,
    /// Since the last trade: the highest price, and the lowest after it.
    prices: Option<(Price, Price)>,
}

impl Valley {
    /// The position has changed: prices since the trade say nothing about it.
    pub(super) const fn forget_prices(&mut self) {
        self.prices = None;
    }

    pub(super) fn see(&mut self, at: Timestamp, price: Price, position: &Position, money: &Money) {
        match &mut self.prices {
            None => self.prices = Some((price, price)),
            Some((high, low)) if price > *high => (*high, *low) = (price, price),
            Some((_, low)) if price < *low => *low = price,
            Some(_) => return,
        }
        let Ok(profit) = Money::value(position, price).and_then(|value| money.profit(value)) else {
            return;
        };
        if profit >= self.peak {
            self.peak = profit;
            return;
        }
        if let Ok(fall) = self.peak.checked_sub(profit)
            && fall > self.deepest.usd
        {
            self.deepest.usd = fall;
        }
        let pct = self.depth_pct(profit, money);
        if pct > self.deepest.pct {
            self.deepest.pct = pct;
            self.deepest.at = Some(at);
        }
    }

    /// How far below the peak a profit is, in per cent of what the money had grown to there; 0 at a peak.
    pub(super) fn depth_pct(&self, profit: Usd, money: &Money) -> Decimal {
        let fall = self.peak.decimal() - profit.decimal();
        let grown = money.put_in.decimal() + self.peak.decimal();
        if fall <= Decimal::ZERO || grown <= Decimal::ZERO {
            return Decimal::ZERO;
        }
        let percent = fall.checked_mul(Decimal::ONE_HUNDRED);
        percent
            .and_then(|percent| percent.checked_div(grown))
            .map_or(Decimal::ZERO, |percent| percent.round_dp(4).normalize())
    }

    pub(super) const fn deepest(&self) -> Drawdown {
        self.deepest
    }
}
