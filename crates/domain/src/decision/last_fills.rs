//! When each rule last filled.

use serde::{Deserialize, Serialize};

use super::reason::Reason;
use crate::{Timestamp, units::Price};

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

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use rust_decimal::Decimal;
    use strum::VariantArray;

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
}
