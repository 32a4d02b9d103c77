//! `[order]`: the keys, their defaults and ranges, and what follows from them.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    defaults::usd,
    extent::{LookBack, MostBought},
    invalid::{DAY, USD_MAX, Validator},
    sections::LimitsConfig,
};
use crate::{
    Timestamp,
    decision::Side,
    name::read_in_any_case,
    span::Span,
    units::{Price, Rounding, Usd, exact_decimal},
};

/// Most parts of one order.
const SLICES_MAX: u32 = 10_000;

/// `[order]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OrderConfig {
    /// Whether it buys or sells.
    pub side: OrderSide,
    /// A buy: what it spends in all, USD; above 0, up to 10^9. A sale sells all tokens that its job holds.
    pub amount_usd: Usd,
    /// A buy trades at or below this price, a sale at or above it, USD for one token; 0 = at any price, up to 10^9.
    #[serde(deserialize_with = "exact_decimal")]
    pub limit_usd: Decimal,
    /// A sale trades once the price is at or below this, a buy once it is at or above it, USD for one token; 0 = off,
    /// up to 10^9.
    #[serde(deserialize_with = "exact_decimal")]
    pub stop_usd: Decimal,
    /// A sale trades once the price has fallen so far from its highest since the order, a buy once it has risen so far
    /// from its lowest, per cent; 0 = off, up to 99.
    #[serde(deserialize_with = "exact_decimal")]
    pub trail_pct: Decimal,
    /// Nothing is traded from this instant on; none: until it is filled or removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Number of equal parts; 1 to 10000.
    pub slices: u32,
    /// Time from the first part to the last; 0s to 365d.
    pub over: Span,
}

/// What an order does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::VariantArray, Serialize)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum OrderSide {
    /// Quote goes out, token comes in.
    Buy,
    /// Token goes out, quote comes in.
    Sell,
}

read_in_any_case!(OrderSide);

impl OrderSide {
    /// The side of its trades.
    #[must_use]
    pub const fn side(self) -> Side {
        match self {
            Self::Buy => Side::Buy,
            Self::Sell => Side::Sell,
        }
    }
}

/// What an order waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Nothing.
    Market,
    /// A price that is as good as this, or better.
    Limit(Price),
    /// A price that is as bad as this, or worse.
    Stop(Price),
    /// A price that is this many per cent worse than the best since the order.
    Trail(Decimal),
}

impl Default for OrderConfig {
    fn default() -> Self {
        Self {
            side: OrderSide::Buy,
            amount_usd: usd(10),
            limit_usd: Decimal::ZERO,
            stop_usd: Decimal::ZERO,
            trail_pct: Decimal::ZERO,
            until: None,
            slices: 1,
            over: Span::ZERO,
        }
    }
}

impl OrderConfig {
    /// What it waits for. A price of zero is none.
    #[must_use]
    pub fn trigger(&self) -> Trigger {
        if let Ok(limit) = Price::new(self.limit_usd) {
            Trigger::Limit(limit)
        } else if let Ok(stop) = Price::new(self.stop_usd) {
            Trigger::Stop(stop)
        } else if self.trail_pct.is_zero() {
            Trigger::Market
        } else {
            Trigger::Trail(self.trail_pct)
        }
    }

    /// One part of a buy, USD, rounded down; the last part takes the rest.
    #[must_use]
    pub fn part_usd(&self) -> Usd {
        let part = self.amount_usd.decimal().checked_div(self.slices.max(1).into());
        Usd::rounded(part.unwrap_or_default(), Rounding::Down)
    }

    /// No rule of an order looks at past prices other than its own best one, which is kept with the job.
    pub(super) const fn look_back() -> LookBack {
        LookBack {
            high: Span::ZERO,
            average: Span::ZERO,
        }
    }

    /// The most that this order buys.
    pub(super) const fn most_bought(&self) -> MostBought {
        // Every key by name, so that a new key does not compile until it is decided here whether it buys more.
        let Self {
            side: _,
            amount_usd,
            limit_usd: _,
            stop_usd: _,
            trail_pct: _,
            until: _,
            slices: _,
            over: _,
        } = self;
        // Of several parts too: what was missed is made up for, in one part at the end if it comes to that.
        MostBought {
            at_once: amount_usd.decimal(),
            in_a_day: amount_usd.decimal(),
        }
    }

    /// Checks every range, and contradictions with the limits.
    pub(super) fn check(&self, limits: &LimitsConfig, found: &mut Validator) {
        found.money("order.amount_usd", self.amount_usd);
        let most = Decimal::from(USD_MAX);
        found.range("order.limit_usd", self.limit_usd, Decimal::ZERO, most);
        found.range("order.stop_usd", self.stop_usd, Decimal::ZERO, most);
        found.range("order.trail_pct", self.trail_pct, 0.into(), 99.into());
        found.range("order.slices", self.slices, 1, SLICES_MAX);
        found.span("order.over", self.over, 0, 365 * DAY);
        found.require(
            self.slices != 1 || self.over.is_zero(),
            "order.over",
            self.over,
            "0s with one slice; set order.slices to 2 or more to trade in parts",
        );
        found.require(
            self.slices <= 1 || !self.over.is_zero(),
            "order.slices",
            self.slices,
            "1, unless order.over says how much time there is from the first part to the last",
        );
        self.check_trigger(found);
        if self.side == OrderSide::Buy {
            self.check_buy(limits, found);
        }
    }

    fn check_trigger(&self, found: &mut Validator) {
        let prices = [
            ("order.limit_usd", self.limit_usd),
            ("order.stop_usd", self.stop_usd),
            ("order.trail_pct", self.trail_pct),
        ];
        let set: Vec<_> = prices.iter().filter(|(_, value)| !value.is_zero()).collect();
        for (key, value) in set.iter().skip(1) {
            let allowed =
                "0: an order has one of order.limit_usd, order.stop_usd and order.trail_pct, or none";
            found.refuse(key, value, allowed);
        }
        let stops = !self.stop_usd.is_zero() || !self.trail_pct.is_zero();
        found.require(
            self.slices <= 1 || !stops,
            "order.slices",
            self.slices,
            "1 with order.stop_usd or order.trail_pct: such an order trades at once when its price is reached",
        );
    }

    fn check_buy(&self, limits: &LimitsConfig, found: &mut Validator) {
        let part = self.part_usd();
        let parts = match self.slices {
            1 => String::new(),
            slices => format!(" in each of {slices} parts of {part} USD"),
        };
        found.require(
            part >= limits.min_trade_usd,
            "order.amount_usd",
            self.amount_usd,
            format_args!("at least limits.min_trade_usd ({}){parts}", limits.min_trade_usd),
        );
        for (key, limit) in [
            ("limits.max_daily_spend_usd", limits.max_daily_spend_usd),
            ("limits.max_position_usd", limits.max_position_usd),
        ] {
            found.require(
                limit.decimal().is_zero() || part <= limit,
                "order.amount_usd",
                self.amount_usd,
                format_args!("at most {key} ({limit}){parts}; raise that limit to order more"),
            );
        }
    }
}
