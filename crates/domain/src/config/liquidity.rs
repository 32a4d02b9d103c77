//! `[liquidity]`: the keys, their defaults and ranges, and what follows from them.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    defaults::usd,
    extent::{LookBack, MostBought},
    invalid::{DAY, Validator, ZeroIs},
    sections::LimitsConfig,
};
use crate::{
    span::Span,
    units::{Usd, exact_decimal},
};

/// `[liquidity]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiquidityConfig {
    /// Initial money, USD; the quote balance starts here and afterwards changes only by the job's trades.
    pub budget_usd: Usd,
    /// Distance from the moving average that trades, per cent; above 0, up to 50.
    #[serde(deserialize_with = "exact_decimal")]
    pub spread_pct: Decimal,
    /// Money for one spread trade, USD.
    pub spread_trade_usd: Usd,
    /// Shortest time between two spread trades; 0s to 365d.
    pub spread_cooldown: Span,
    /// A spread buy in a dip is this many times larger; 1 to 100.
    #[serde(deserialize_with = "exact_decimal")]
    pub support_buy_multiplier: Decimal,
    /// Distance below the moving average that counts as a dip, per cent; at least `spread_pct`, up to 99.
    #[serde(deserialize_with = "exact_decimal")]
    pub support_dip_pct: Decimal,
    /// Share of the inventory's value that the token should be, per cent; 1 to 99.
    #[serde(deserialize_with = "exact_decimal")]
    pub target_ratio_pct: Decimal,
    /// Distance from the target that rebalances, percentage points; above 0, up to 50.
    #[serde(deserialize_with = "exact_decimal")]
    pub rebalance_threshold_pct: Decimal,
    /// Window of the time-weighted moving average; 2s to 30d.
    pub ma_window: Span,
    /// Most traded (bought plus sold) in one UTC day, USD; 0 = no limit.
    pub max_daily_volume_usd: Usd,
}

impl Default for LiquidityConfig {
    fn default() -> Self {
        Self {
            budget_usd: usd(500),
            spread_pct: Decimal::from(2),
            spread_trade_usd: usd(25),
            spread_cooldown: Span::from_secs(10 * 60),
            support_buy_multiplier: Decimal::from(2),
            support_dip_pct: Decimal::from(10),
            target_ratio_pct: Decimal::from(50),
            rebalance_threshold_pct: Decimal::from(10),
            ma_window: Span::from_secs(4 * 3_600),
            max_daily_volume_usd: usd(1_000),
        }
    }
}

impl LiquidityConfig {
    /// The windows of past prices that these rules use.
    pub(super) const fn look_back(&self) -> LookBack {
        LookBack {
            high: self.ma_window,
            average: self.ma_window,
        }
    }

    /// The most that these rules buy.
    pub(super) fn most_bought(&self) -> MostBought {
        // Every key by name, so that a new key does not compile until it is decided here whether it buys more.
        let Self {
            budget_usd,
            spread_pct: _,
            spread_trade_usd,
            spread_cooldown: _,
            support_buy_multiplier,
            support_dip_pct: _,
            target_ratio_pct: _,
            rebalance_threshold_pct: _,
            ma_window: _,
            max_daily_volume_usd,
        } = self;
        let spread = spread_trade_usd.decimal().saturating_mul(*support_buy_multiplier);
        // A rebalance may spend the whole quote balance.
        let at_once = spread.max(budget_usd.decimal());
        let volume = max_daily_volume_usd.decimal();
        MostBought {
            at_once,
            in_a_day: if volume.is_zero() { at_once } else { volume },
        }
    }

    /// Checks every range, and contradictions with the limits.
    pub(super) fn check(&self, limits: &LimitsConfig, found: &mut Validator) {
        let trade = ("liquidity.spread_trade_usd", self.spread_trade_usd);
        found.money("liquidity.budget_usd", self.budget_usd);
        found.money(trade.0, trade.1);
        found.buy_fits(trade, limits);
        found.at_most(
            trade.0,
            trade.1,
            "liquidity.budget_usd",
            self.budget_usd,
            ZeroIs::Zero,
        );
        found.money_or_off("liquidity.max_daily_volume_usd", self.max_daily_volume_usd);
        found.at_most(
            trade.0,
            trade.1,
            "liquidity.max_daily_volume_usd",
            self.max_daily_volume_usd,
            ZeroIs::NoLimit,
        );
        found.above_zero("liquidity.spread_pct", self.spread_pct, 50.into());
        found.span("liquidity.spread_cooldown", self.spread_cooldown, 0, 365 * DAY);
        found.range(
            "liquidity.support_buy_multiplier",
            self.support_buy_multiplier,
            1.into(),
            100.into(),
        );
        found.require(
            self.support_dip_pct >= self.spread_pct && self.support_dip_pct <= Decimal::from(99),
            "liquidity.support_dip_pct",
            self.support_dip_pct,
            format_args!("liquidity.spread_pct ({}) to 99", self.spread_pct),
        );
        let (target, threshold) = (self.target_ratio_pct, self.rebalance_threshold_pct);
        found.range("liquidity.target_ratio_pct", target, 1.into(), 99.into());
        found.above_zero("liquidity.rebalance_threshold_pct", threshold, 50.into());
        let upper = target.checked_add(threshold);
        found.require(
            threshold <= target && upper.is_some_and(|upper| upper <= Decimal::ONE_HUNDRED),
            "liquidity.rebalance_threshold_pct",
            threshold,
            format_args!("a band around liquidity.target_ratio_pct ({target}) that stays within 0 to 100"),
        );
        found.span("liquidity.ma_window", self.ma_window, 2, 30 * DAY);
    }
}
