//! The rules of a job: one section, that of its mode.

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    job::JobMode,
    schedule::CronExpr,
    span::Span,
    units::{Usd, exact_decimal},
};

/// The rules that a job trades by. A mode is a variant here and in [`JobMode`]; the compiler then points to everything
/// a mode needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rules {
    /// `[accumulate]`
    Accumulate(AccumulateConfig),
    /// `[liquidity]`
    Liquidity(LiquidityConfig),
}

/// The windows of past prices that rules use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookBack {
    /// How far back the recent high is looked for.
    pub high: Span,
    /// Window of the moving average; zero: no rule uses one.
    pub average: Span,
}

impl LookBack {
    /// The longest window: older prices are used by no rule.
    #[must_use]
    pub fn longest(self) -> Span {
        self.high.max(self.average)
    }
}

impl Rules {
    /// The rules of a new job of `mode`.
    #[must_use]
    pub fn for_mode(mode: JobMode) -> Self {
        match mode {
            JobMode::Accumulate => Self::Accumulate(AccumulateConfig::default()),
            JobMode::Liquidity => Self::Liquidity(LiquidityConfig::default()),
        }
    }

    /// The mode that these rules are of.
    #[must_use]
    pub const fn mode(&self) -> JobMode {
        match self {
            Self::Accumulate(_) => JobMode::Accumulate,
            Self::Liquidity(_) => JobMode::Liquidity,
        }
    }

    /// The windows of past prices that these rules use: samples outside all of them may be deleted.
    #[must_use]
    pub const fn look_back(&self) -> LookBack {
        match self {
            Self::Accumulate(rules) => LookBack {
                high: rules.dip_window,
                average: Span::ZERO,
            },
            Self::Liquidity(rules) => LookBack {
                high: rules.ma_window,
                average: rules.ma_window,
            },
        }
    }

    /// Money that a job reserves when it starts, if it keeps a quote balance of its own. Without one it buys from,
    /// and sells into, the wallet.
    #[must_use]
    pub const fn budget(&self) -> Option<Usd> {
        match self {
            Self::Accumulate(_) => None,
            Self::Liquidity(rules) => Some(rules.budget_usd),
        }
    }

    /// Maximum bought plus sold in one UTC day; `None`: no limit.
    #[must_use]
    pub fn max_daily_volume(&self) -> Option<Usd> {
        match self {
            Self::Accumulate(_) => None,
            Self::Liquidity(rules) => Some(rules.max_daily_volume_usd).filter(|most| *most != Usd::ZERO),
        }
    }

    /// The rules of mode accumulate.
    #[must_use]
    pub const fn accumulate(&self) -> Option<&AccumulateConfig> {
        match self {
            Self::Accumulate(rules) => Some(rules),
            Self::Liquidity(_) => None,
        }
    }

    /// The rules of mode accumulate, to change them.
    pub const fn accumulate_mut(&mut self) -> Option<&mut AccumulateConfig> {
        match self {
            Self::Accumulate(rules) => Some(rules),
            Self::Liquidity(_) => None,
        }
    }

    /// The rules of mode liquidity.
    #[must_use]
    pub const fn liquidity(&self) -> Option<&LiquidityConfig> {
        match self {
            Self::Accumulate(_) => None,
            Self::Liquidity(rules) => Some(rules),
        }
    }

    /// The rules of mode liquidity, to change them.
    pub const fn liquidity_mut(&mut self) -> Option<&mut LiquidityConfig> {
        match self {
            Self::Accumulate(_) => None,
            Self::Liquidity(rules) => Some(rules),
        }
    }
}

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
    /// Shortest time between two take-profits; 0s to 365d.
    pub take_profit_cooldown: Span,
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
