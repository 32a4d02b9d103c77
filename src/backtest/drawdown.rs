//! The largest fall of the net from an earlier peak.
//!
//! Between two trades the net is monotonic in the price. So there are two prices between which it is neither
//! a new peak nor a new deepest drawdown; it is computed only outside of them.

use rust_decimal::Decimal;

use super::result::Drawdown;
use crate::domain::{
    Timestamp,
    decision::Position,
    figures::{PCT_DIGITS, Pocket, drawdown_pct, value},
    units::{Price, Rounding, Usd},
};

#[derive(Debug, Default)]
pub(super) struct Valley {
    /// The highest net so far, at least 0.
    peak: Usd,
    deepest: Drawdown,
    /// From the lower to the upper of these prices nothing new can occur until the next trade; in
    /// [`Price::short_units`].
    nothing_new: Option<(u128, u128)>,
}

impl Valley {
    /// The position has changed: the known price range is invalid.
    pub(super) const fn forget_prices(&mut self) {
        self.nothing_new = None;
    }

    /// Whether the net at a price is certainly neither a new peak nor a new deepest drawdown.
    pub(super) fn is_nothing_new(&self, units: u128) -> bool {
        self.nothing_new
            .is_some_and(|(low, high)| low <= units && units <= high)
    }

    pub(super) fn see(&mut self, at: Timestamp, price: Price, position: &Position, pocket: &Pocket) {
        if price
            .short_units()
            .is_some_and(|units| self.is_nothing_new(units))
        {
            return;
        }
        let Ok(net) = value(position, price).and_then(|value| pocket.net(value)) else {
            return;
        };
        if net >= self.peak {
            self.peak = net;
        } else if let Ok(fall) = self.peak.checked_sub(net) {
            self.deepest.usd = self.deepest.usd.max(fall);
            let pct = self.depth_pct(net, pocket);
            if pct > self.deepest.pct {
                self.deepest.pct = pct;
                self.deepest.at = Some(at);
            }
        }
        self.nothing_new = self.between(price, net, position, pocket);
    }

    /// The price range around `price` in which nothing new can occur, on the safe side of every rounding.
    fn between(&self, price: Price, net: Usd, position: &Position, pocket: &Pocket) -> Option<(u128, u128)> {
        let own = price.short_units()?;
        if position.token_balance.is_zero() {
            // The net does not depend on the price.
            return Some((0, u128::MAX));
        }
        let token = position.token_value(price, Rounding::Down).ok()?;
        // The price at which the net is higher by this much, truncated.
        let at = |more: Usd| -> Option<u128> {
            let worth = token.checked_add(more).ok()?;
            if !worth.is_positive() {
                return Some(0);
            }
            let price = Price::of(worth, position.token_balance, position.token_decimals).ok()?;
            u128::try_from(price.units() / alloy_primitives::U256::from(Price::SHORT_UNITS)).ok()
        };
        let high = if net >= self.peak {
            own
        } else {
            at(self.peak.checked_sub(net).ok()?)?.saturating_sub(1).max(own)
        };
        // A margin of half a digit of the deepest percentage, and one more for its own rounding.
        let grown = pocket.money_in().checked_add(self.peak).ok()?;
        let safe_pct = self
            .deepest
            .pct
            .checked_sub(Decimal::new(2, PCT_DIGITS))?
            .max(Decimal::ZERO);
        let fall = grown
            .percent(safe_pct, Rounding::Down)
            .ok()?
            .min(self.deepest.usd);
        let floor = self.peak.checked_sub(fall).ok()?;
        let low = at(floor.checked_sub(net).ok()?)?.saturating_add(2);
        Some((low.min(own), high))
    }

    /// How far below the peak a net is, in per cent of what was at stake at the peak; 0 at a peak.
    pub(super) fn depth_pct(&self, net: Usd, pocket: &Pocket) -> Decimal {
        drawdown_pct(self.peak, net, pocket.money_in())
    }

    pub(super) const fn deepest(&self) -> Drawdown {
        self.deepest
    }
}
