//! `[accumulate]`: the keys, their defaults and ranges, and what follows from them.

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    defaults::usd,
    extent::{LookBack, MostBought},
    invalid::{DAY, USD_MAX, Validator, ZeroIs},
    sections::LimitsConfig,
};
use crate::{
    schedule::CronExpr,
    span::Span,
    units::{Rounding, Usd, exact_decimal},
};

/// `[accumulate]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, remote = "Self")]
pub struct AccumulateConfig {
    /// Money for one DCA buy, USD.
    pub dca_amount_usd: Usd,
    /// Time between DCA slots that filled, 1s to 365d; the first is bought at once. Exactly one of this and
    /// `dca_schedule`; if neither is written, the default of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dca_interval: Option<Span>,
    /// Cron line of DCA instants, instead of `dca_interval`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dca_schedule: Option<CronExpr>,
    /// Nothing is bought below this price, USD for one token; 0 = no such bound, up to 10^9.
    #[serde(deserialize_with = "exact_decimal")]
    pub buy_above_usd: Decimal,
    /// Nothing is bought above this price, USD for one token; 0 = no such bound, up to 10^9, at least `buy_above_usd`.
    #[serde(deserialize_with = "exact_decimal")]
    pub buy_below_usd: Decimal,
    /// Most money the position may cost, and be worth, in one cycle, USD.
    pub max_accumulation_usd: Usd,
    /// Fall from the recent high that makes a dip, per cent; 0 = off, up to 99.
    #[serde(deserialize_with = "exact_decimal")]
    pub dip_buy_threshold_pct: Decimal,
    /// A dip buy is this many times `dca_amount_usd`; 0.1 to 100.
    #[serde(deserialize_with = "exact_decimal")]
    pub dip_buy_multiplier: Decimal,
    /// How far back the recent high is looked for; 1s to 90d.
    pub dip_window: Span,
    /// Shortest time between two dip buys; 0s to 365d.
    pub dip_cooldown: Span,
    /// Gain over average cost that takes profit, per cent; 0 = off, up to 100000.
    #[serde(deserialize_with = "exact_decimal")]
    pub take_profit_pct: Decimal,
    /// Share of the holding that is sold, per cent; above 0, up to 100.
    #[serde(deserialize_with = "exact_decimal")]
    pub take_profit_sell_pct: Decimal,
    /// Fall from the highest price since the goal of take-profit was reached that sells, per cent; 0 = it sells as
    /// soon as the goal is reached, up to 99.
    #[serde(deserialize_with = "exact_decimal")]
    pub trailing_take_profit_pct: Decimal,
    /// Shortest time between two take-profits; 0s to 365d.
    pub take_profit_cooldown: Span,
    /// Fall below the average cost that sells, per cent; 0 = off, up to 99.
    #[serde(deserialize_with = "exact_decimal")]
    pub stop_loss_pct: Decimal,
    /// It sells at or below this price, USD for one token; 0 = off, up to 10^9, below `buy_below_usd`.
    #[serde(deserialize_with = "exact_decimal")]
    pub stop_price_usd: Decimal,
    /// Fall from the highest price since the position was opened that sells, per cent; 0 = off, up to 99.
    #[serde(deserialize_with = "exact_decimal")]
    pub trailing_stop_pct: Decimal,
    /// Gain over average cost that arms the trailing stop, per cent: the high counts from then on. 0 = with the first
    /// buy, up to 100000.
    #[serde(deserialize_with = "exact_decimal")]
    pub trailing_arm_pct: Decimal,
    /// Share of the holding that a stop sells, per cent; above 0, up to 100.
    #[serde(deserialize_with = "exact_decimal")]
    pub stop_sells_pct: Decimal,
    /// What the job does once a stop has sold.
    pub after_stop: AfterStop,
    /// Nothing is bought for this long after a stop, if `after_stop` is `continue`; 0s to 365d.
    pub stop_cooldown: Span,
}

/// What a job does once a stop has sold.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::VariantArray, Serialize, Deserialize,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum AfterStop {
    /// It is paused; `resume` arms its stops again.
    Pause,
    /// It buys again by its rules, after `stop_cooldown`.
    Continue,
    /// Its cycle is over, as after a liquidation. Only a stop that sells all can do that.
    Idle,
}

/// Each of the two keys sets the timing of DCA, so the default interval applies only if neither is written.
impl<'de> Deserialize<'de> for AccumulateConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut config = Self::deserialize(deserializer)?;
        if config.dca_interval.is_none() && config.dca_schedule.is_none() {
            config.dca_interval = Self::default().dca_interval;
        }
        Ok(config)
    }
}

impl Serialize for AccumulateConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl Default for AccumulateConfig {
    fn default() -> Self {
        Self {
            dca_amount_usd: usd(10),
            dca_interval: Some(Span::from_secs(4 * 3_600)),
            dca_schedule: None,
            buy_above_usd: Decimal::ZERO,
            buy_below_usd: Decimal::ZERO,
            max_accumulation_usd: usd(1_000),
            dip_buy_threshold_pct: Decimal::from(10),
            dip_buy_multiplier: Decimal::from(2),
            dip_window: Span::from_secs(24 * 3_600),
            dip_cooldown: Span::from_secs(4 * 3_600),
            take_profit_pct: Decimal::ZERO,
            take_profit_sell_pct: Decimal::from(25),
            trailing_take_profit_pct: Decimal::ZERO,
            take_profit_cooldown: Span::from_secs(24 * 3_600),
            stop_loss_pct: Decimal::ZERO,
            stop_price_usd: Decimal::ZERO,
            trailing_stop_pct: Decimal::ZERO,
            trailing_arm_pct: Decimal::ZERO,
            stop_sells_pct: Decimal::ONE_HUNDRED,
            after_stop: AfterStop::Pause,
            stop_cooldown: Span::from_secs(24 * 3_600),
        }
    }
}

impl AccumulateConfig {
    /// The windows of past prices that these rules use.
    pub(super) const fn look_back(&self) -> LookBack {
        LookBack {
            high: self.dip_window,
            average: Span::ZERO,
        }
    }

    /// The most that these rules buy.
    pub(super) fn most_bought(&self) -> MostBought {
        // Every key by name, so that a new key does not compile until it is decided here whether it buys more.
        let Self {
            dca_amount_usd,
            dca_interval: _,
            dca_schedule: _,
            buy_above_usd: _,
            buy_below_usd: _,
            max_accumulation_usd,
            dip_buy_threshold_pct,
            dip_buy_multiplier,
            dip_window: _,
            dip_cooldown: _,
            take_profit_pct: _,
            take_profit_sell_pct: _,
            trailing_take_profit_pct: _,
            take_profit_cooldown: _,
            stop_loss_pct: _,
            stop_price_usd: _,
            trailing_stop_pct: _,
            trailing_arm_pct: _,
            stop_sells_pct: _,
            after_stop: _,
            stop_cooldown: _,
        } = self;
        let dip = !dip_buy_threshold_pct.is_zero();
        let times = Decimal::ONE.max(if dip { *dip_buy_multiplier } else { Decimal::ONE });
        let once = dca_amount_usd.decimal().saturating_mul(times);
        let all = max_accumulation_usd.decimal();
        MostBought {
            at_once: if all.is_zero() { once } else { once.min(all) },
            in_a_day: all,
        }
    }

    /// Checks every range, and contradictions with the limits.
    pub(super) fn check(&self, limits: &LimitsConfig, found: &mut Validator) {
        let amount = ("accumulate.dca_amount_usd", self.dca_amount_usd);
        found.money(amount.0, amount.1);
        found.money("accumulate.max_accumulation_usd", self.max_accumulation_usd);
        found.buy_fits(amount, limits);
        found.at_most(
            amount.0,
            amount.1,
            "accumulate.max_accumulation_usd",
            self.max_accumulation_usd,
            ZeroIs::Zero,
        );
        match (self.dca_interval, &self.dca_schedule) {
            (Some(interval), None) => found.span("accumulate.dca_interval", interval, 1, 365 * DAY),
            (None, Some(_)) => {}
            (Some(interval), Some(_)) => found.refuse(
                "accumulate.dca_interval",
                interval,
                "one of accumulate.dca_interval and accumulate.dca_schedule, not both",
            ),
            (None, None) => found.refuse_key(
                "accumulate.dca_interval",
                "it is missing; give accumulate.dca_interval or accumulate.dca_schedule",
            ),
        }
        self.check_band(found);
        self.check_dip(limits, found);
        self.check_profit(found);
        self.check_stops(found);
    }

    fn check_profit(&self, found: &mut Validator) {
        found.range(
            "accumulate.take_profit_pct",
            self.take_profit_pct,
            0.into(),
            100_000.into(),
        );
        found.above_zero(
            "accumulate.take_profit_sell_pct",
            self.take_profit_sell_pct,
            100.into(),
        );
        found.range(
            "accumulate.trailing_take_profit_pct",
            self.trailing_take_profit_pct,
            0.into(),
            99.into(),
        );
        found.span(
            "accumulate.take_profit_cooldown",
            self.take_profit_cooldown,
            0,
            365 * DAY,
        );
    }

    fn check_band(&self, found: &mut Validator) {
        let (above, below) = (self.buy_above_usd, self.buy_below_usd);
        let most = Decimal::from(USD_MAX);
        found.range("accumulate.buy_above_usd", above, Decimal::ZERO, most);
        found.range("accumulate.buy_below_usd", below, Decimal::ZERO, most);
        found.require(
            below.is_zero() || below >= above,
            "accumulate.buy_below_usd",
            below,
            format_args!(
                "0 (no bound), or at least accumulate.buy_above_usd ({above}): no price is between the two"
            ),
        );
    }

    fn check_stops(&self, found: &mut Validator) {
        let (stop, below) = (self.stop_price_usd, self.buy_below_usd);
        found.range(
            "accumulate.stop_loss_pct",
            self.stop_loss_pct,
            0.into(),
            99.into(),
        );
        found.range(
            "accumulate.stop_price_usd",
            stop,
            Decimal::ZERO,
            Decimal::from(USD_MAX),
        );
        found.require(
            below.is_zero() || stop < below,
            "accumulate.stop_price_usd",
            stop,
            format_args!("0 (off), or below accumulate.buy_below_usd ({below}): no price is left to buy at"),
        );
        found.range(
            "accumulate.trailing_stop_pct",
            self.trailing_stop_pct,
            0.into(),
            99.into(),
        );
        found.range(
            "accumulate.trailing_arm_pct",
            self.trailing_arm_pct,
            0.into(),
            100_000.into(),
        );
        found.above_zero("accumulate.stop_sells_pct", self.stop_sells_pct, 100.into());
        found.require(
            self.after_stop != AfterStop::Idle || self.stop_sells_pct == Decimal::ONE_HUNDRED,
            "accumulate.after_stop",
            self.after_stop,
            format_args!(
                "pause or continue, unless accumulate.stop_sells_pct ({}) is 100: an idle job holds nothing",
                self.stop_sells_pct
            ),
        );
        found.span("accumulate.stop_cooldown", self.stop_cooldown, 0, 365 * DAY);
    }

    fn check_dip(&self, limits: &LimitsConfig, found: &mut Validator) {
        let multiplier = self.dip_buy_multiplier;
        found.range(
            "accumulate.dip_buy_threshold_pct",
            self.dip_buy_threshold_pct,
            0.into(),
            99.into(),
        );
        found.range(
            "accumulate.dip_buy_multiplier",
            multiplier,
            Decimal::new(1, 1),
            100.into(),
        );
        found.span("accumulate.dip_window", self.dip_window, 1, 90 * DAY);
        found.span("accumulate.dip_cooldown", self.dip_cooldown, 0, 365 * DAY);
        let on = self.dip_buy_threshold_pct > Decimal::ZERO;
        let money = self.dca_amount_usd.times(multiplier, Rounding::Down);
        found.require(
            !on || money.is_ok_and(|money| money >= limits.min_trade_usd),
            "accumulate.dip_buy_multiplier",
            multiplier,
            format_args!(
                "large enough that accumulate.dca_amount_usd ({}) times it reaches limits.min_trade_usd ({})",
                self.dca_amount_usd, limits.min_trade_usd
            ),
        );
    }
}
