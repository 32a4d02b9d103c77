//! What the rules remember of their fills.

use serde::{Deserialize, Serialize};

use super::reason::Reason;
use crate::{
    Timestamp,
    units::{Amount, Price},
};

/// When the rules last filled in this cycle: the *slot* of each rule's last trade that filled, not the
/// later instant of its receipt, so that an interval of four hours does not drift past its slot.
///
/// Stored as one JSON object. A build that does not know one of its fields must not trade by the others: it cannot read
/// the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastFills {
    /// Last DCA buy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dca: Option<Timestamp>,
    /// Last dip buy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dip: Option<Timestamp>,
    /// Last take-profit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take_profit: Option<ProfitTaken>,
    /// Last spread trade, either side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Timestamp>,
    /// Last stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Timestamp>,
    /// Last part of an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Timestamp>,
    /// Last part of an order whose stop, or whose distance from the best price, was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_stop: Option<Timestamp>,
    /// Since when a stop that has sold may fire again, other than by a buy: tokens were adopted, or the job was
    /// resumed. Set by orders, not by fills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rearmed: Option<Timestamp>,
    /// Until when no rule may fire, because trades failed. Not a clock of a rule: failures move it, and it is stored
    /// apart.
    #[serde(skip)]
    pub backoff_until: Option<Timestamp>,
}

/// A take-profit as the next one remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfitTaken {
    /// The slot.
    pub at: Timestamp,
    /// The price it was planned at.
    pub price: Price,
    /// What one whole token cost on average when it sold; none once nothing is left of what was held then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_cost: Option<Price>,
}

/// A fill as the rules remember it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleFill {
    /// The rule.
    pub reason: Reason,
    /// The slot it was planned in.
    pub slot: Timestamp,
    /// The price it was planned at.
    pub price: Price,
    /// Of a sale: what one whole token had cost on average; none if the sale left nothing.
    pub average_cost: Option<Price>,
}

impl LastFills {
    /// Whether failures still keep every rule from firing at `now`.
    #[must_use]
    pub fn in_backoff(&self, now: Timestamp) -> bool {
        self.backoff_until.is_some_and(|until| now < until)
    }

    /// After a fill. The slot counts, not the instant of the receipt, so that intervals are from slot to slot; and
    /// failures are forgotten.
    ///
    /// No clock runs backwards: a fill that was reversed and mined again may come after a later one.
    #[must_use]
    pub fn filled(self, fill: RuleFill) -> Self {
        let later = |last: Option<Timestamp>| last.max(Some(fill.slot));
        let mut last = Self {
            backoff_until: None,
            ..self
        };
        match fill.reason {
            Reason::Dca => last.dca = later(last.dca),
            Reason::DipBuy => last.dip = later(last.dip),
            Reason::TakeProfit if last.take_profit.is_some_and(|last| last.at > fill.slot) => {}
            Reason::TakeProfit => {
                last.take_profit = Some(ProfitTaken {
                    at: fill.slot,
                    price: fill.price,
                    average_cost: fill.average_cost,
                });
            }
            Reason::StopLoss | Reason::TrailingStop => last.stop = later(last.stop),
            Reason::SpreadBuy | Reason::SpreadSell => last.spread = later(last.spread),
            Reason::MarketOrder | Reason::LimitOrder => last.order = later(last.order),
            Reason::StopOrder | Reason::TrailingOrder => {
                last.order = later(last.order);
                last.order_stop = later(last.order_stop);
            }
            Reason::Rebalance | Reason::Liquidate => {}
        }
        last
    }

    /// After a fill that left `left` tokens. What was sold before is no part of what will be held after nothing.
    #[must_use]
    pub fn booked(self, fill: RuleFill, left: Amount) -> Self {
        let last = self.filled(fill);
        if left.is_zero() { last.emptied() } else { last }
    }

    /// Whether the last stop has sold and nothing has armed it again since: no buy, no adopted tokens, no order to
    /// resume.
    #[must_use]
    pub fn stop_has_sold(&self) -> bool {
        let armed = self.dca.max(self.dip).max(self.rearmed);
        self.stop
            .is_some_and(|stop| armed.is_none_or(|armed| armed < stop))
    }

    /// Whether the stop of an order has traded a part, and no adopted tokens have armed it again since.
    #[must_use]
    pub fn order_stop_has_fired(&self) -> bool {
        self.order_stop
            .is_some_and(|stop| self.rearmed.is_none_or(|armed| armed < stop))
    }

    /// After tokens were adopted, or the job was resumed, at `now`: a stop that has sold may fire again. Slots may be
    /// ahead of a clock that was set back.
    #[must_use]
    pub fn armed_again(self, now: Timestamp) -> Self {
        Self {
            rearmed: self
                .stop
                .max(self.order_stop)
                .map(|stop| now.max(stop))
                .or(self.rearmed),
            ..self
        }
    }

    /// After the last token went without a fill: what was sold before is no part of what will be held next. The
    /// clocks keep running: two take-profits are their cooldown apart, whatever was held.
    #[must_use]
    pub fn emptied(self) -> Self {
        Self {
            take_profit: self.take_profit.map(|last| ProfitTaken {
                average_cost: None,
                ..last
            }),
            ..self
        }
    }

    /// After a fill was reversed: what the fills that still stand in this cycle make of the clocks, in any order. Of
    /// each rule its last fill is enough.
    #[must_use]
    pub fn reversed(self, standing: &[RuleFill]) -> Self {
        let clocks = standing
            .iter()
            .fold(Self::default(), |last, fill| last.filled(*fill));
        Self {
            backoff_until: self.backoff_until,
            rearmed: self.rearmed,
            ..clocks
        }
    }

    /// The accepted price of the tick before, if it is neither from before `since` nor from before the last dip fill:
    /// [`Facts::previous_price`](super::Facts::previous_price).
    #[must_use]
    pub fn previous_price(&self, last_price: Option<(Price, Timestamp)>, since: Timestamp) -> Option<Price> {
        last_price
            .filter(|(_, at)| *at >= since && self.dip.is_none_or(|dip| *at > dip))
            .map(|(price, _)| price)
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests compute with small numbers")]
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
            let fill = |slot: Timestamp, dollars: i64| RuleFill {
                reason: *reason,
                slot,
                price: price(dollars),
                average_cost: Some(price(dollars)),
            };
            let in_order = LastFills::default().filled(fill(early, 1)).filled(fill(late, 2));
            let mixed = LastFills::default().filled(fill(late, 2)).filled(fill(early, 1));
            assert_eq!(mixed, in_order, "{reason}");
        }
    }

    fn fill(reason: Reason, minute: i64, dollars: i64) -> RuleFill {
        let price = Price::new(Decimal::from(dollars)).expect("a price");
        RuleFill {
            reason,
            slot: DateTime::UNIX_EPOCH + TimeDelta::minutes(minute),
            price,
            // Every third sale leaves nothing.
            average_cost: (minute % 3 != 0).then_some(price),
        }
    }

    fn after(fills: &[RuleFill]) -> LastFills {
        fills
            .iter()
            .fold(LastFills::default(), |last, fill| last.filled(*fill))
    }

    proptest::proptest! {
        /// Whatever filled before and after it, and whichever of them is reversed.
        #[test]
        fn a_reversal_leaves_the_clocks_as_if_the_fill_had_never_been(
            kinds in proptest::collection::vec(0..Reason::VARIANTS.len(), 1..12),
            which in 0_usize..12,
        ) {
            let fills: Vec<RuleFill> = kinds
                .iter()
                .zip(1..)
                .map(|(kind, minute)| fill(Reason::VARIANTS[*kind], minute, minute))
                .collect();
            let reversed = which % fills.len();
            let mut standing = fills.clone();
            standing.remove(reversed);
            proptest::prop_assert_eq!(after(&fills).reversed(&standing), after(&standing));
            // Of each rule its last fill is enough, in any order.
            let last_of = |reason: &Reason| standing.iter().rfind(|fill| fill.reason == *reason).copied();
            let last: Vec<RuleFill> = Reason::VARIANTS.iter().rev().filter_map(last_of).collect();
            proptest::prop_assert_eq!(after(&fills).reversed(&last), after(&standing));
        }

        #[test]
        fn applying_a_fill_and_reversing_it_is_nothing(
            kinds in proptest::collection::vec(0..Reason::VARIANTS.len(), 0..12),
            newest in 0..Reason::VARIANTS.len(),
        ) {
            let fills: Vec<RuleFill> = kinds
                .iter()
                .zip(1..)
                .map(|(kind, minute)| fill(Reason::VARIANTS[*kind], minute, minute))
                .collect();
            let before = after(&fills);
            let applied = before.filled(fill(Reason::VARIANTS[newest], 99, 1));
            proptest::prop_assert_eq!(applied.reversed(&fills), before);
        }
    }

    #[test]
    fn a_reversal_keeps_the_pause_after_failures() {
        let until = Some(DateTime::UNIX_EPOCH);
        let last = LastFills {
            backoff_until: until,
            ..after(&[fill(Reason::Dca, 1, 1)])
        };
        assert_eq!(last.reversed(&[]).backoff_until, until);
    }

    #[test]
    fn what_is_stored_is_one_object_that_keeps_its_form() {
        let last = after(&[fill(Reason::SpreadSell, 1, 2), fill(Reason::TakeProfit, 2, 3)]);
        let text = serde_json::to_string(&last).expect("json");
        assert_eq!(
            text,
            r#"{"take_profit":{"at":"1970-01-01T00:02:00Z","price":"3","average_cost":"3"},"spread":"1970-01-01T00:01:00Z"}"#
        );
        let emptied = serde_json::to_string(&last.emptied()).expect("json");
        assert_eq!(
            emptied,
            r#"{"take_profit":{"at":"1970-01-01T00:02:00Z","price":"3"},"spread":"1970-01-01T00:01:00Z"}"#
        );
        assert_eq!(
            serde_json::from_str::<LastFills>(&emptied).expect("the same"),
            last.emptied()
        );
        assert_eq!(serde_json::from_str::<LastFills>(&text).expect("the same"), last);
        assert_eq!(
            serde_json::from_str::<LastFills>("{}").expect("none"),
            LastFills::default()
        );
        assert!(serde_json::from_str::<LastFills>(r#"{"trailing_stop":"1970-01-01T00:02:00Z"}"#).is_err());
    }
}
