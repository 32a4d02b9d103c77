//! A job's configuration: every key, its default and its range. Units stand in every key.
//!
//! What is stored with a job is complete: a later change of a default changes no running job.

use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    job::JobMode,
    schedule::CronExpr,
    span::Span,
    units::{Rounding, Usd},
};

/// The configuration of one job, complete and validated (see [`JobConfig::validate`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobConfig {
    /// When the job is looked at.
    pub schedule: ScheduleConfig,
    /// Where its price comes from and what makes a price unbelievable.
    pub price: PriceConfig,
    /// What stands between a plan and a trade.
    pub limits: LimitsConfig,
    /// The rules of mode accumulate; present in that mode only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accumulate: Option<AccumulateConfig>,
    /// The rules of mode liquidity; present in that mode only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liquidity: Option<LiquidityConfig>,
}

/// `[schedule]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleConfig {
    /// Cron line of 5 or 6 fields (seconds first if 6): the slots of this job.
    pub cron: CronExpr,
    /// IANA time zone that the cron line is read in.
    pub timezone: Tz,
    /// Each slot starts up to this much later, by an amount fixed per slot; 0s to 1h.
    pub jitter: Span,
    /// A tick that starts later than this after its slot holds instead of trading; 1s to 24h.
    pub max_lateness: Span,
}

/// `[price]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PriceConfig {
    /// Sources in order: the first is used, the others cross-check it.
    pub sources: Vec<SourceName>,
    /// A price older than this is stale; 1s to 24h.
    pub max_price_age: Span,
    /// Largest distance between independent sources, 1 to 10000 bps.
    pub max_price_deviation_bps: u32,
    /// Largest believable move from one sample to the next, in per cent; 0 (off) to 10000.
    pub max_price_move_pct: Decimal,
    /// Parameters of the source `generated`.
    pub generated: GeneratedConfig,
    /// Parameters of the source `recorded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<RecordedConfig>,
}

/// A price source that a job may name.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum SourceName {
    /// A seeded series, the same at every run. Invented.
    Generated,
    /// A CSV file of time and price.
    Recorded,
    /// The DexScreener API.
    Dexscreener,
}

/// `[price.generated]`: a seeded series.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeneratedConfig {
    /// Chooses the series; the same seed gives the same prices.
    pub seed: u64,
    /// The price the series swings around, in USD, greater than 0.
    pub start_usd: Decimal,
    /// How far it swings to each side, in per cent of `start_usd`, 0 to 90.
    pub swing_pct: Decimal,
    /// About how long one large swing takes; 2s to 365d.
    pub period: Span,
}

/// `[price.recorded]`: a recorded series.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedConfig {
    /// CSV file of `time,price`; time in Unix seconds or RFC 3339.
    pub file: String,
    /// How many recorded seconds pass in one real second; 0.001 to 1000000.
    #[serde(default = "one")]
    pub speed: Decimal,
    /// The real instant at which the first row is current; set when the job starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<super::Timestamp>,
}

/// `[limits]`: a plan that breaks one of these is refused by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Smallest trade worth its gas, USD. Liquidation ignores it.
    pub min_trade_usd: Usd,
    /// Largest position by value, USD; 0 = no limit.
    pub max_position_usd: Usd,
    /// Most trades in 60 minutes; 0 = no limit. Liquidation ignores it.
    pub max_trades_per_hour: u32,
    /// Most money spent on buys in one UTC day, USD; 0 = no limit.
    pub max_daily_spend_usd: Usd,
    /// How far below the quote a fill may end, 1 to 5000 bps: freezes the plan's floor.
    pub max_slippage_bps: u32,
    /// How far the trade itself may move the price, 1 to 5000 bps.
    pub max_price_impact_bps: u32,
    /// Most gas for one trade, USD.
    pub max_gas_usd: Usd,
    /// First pause after a failed trade; doubles with every further failure, up to 64 times; 1s to 24h.
    pub failure_backoff: Span,
    /// Native coin that is never touched, in whole coins: kept for gas.
    pub gas_reserve: Decimal,
}

/// `[accumulate]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccumulateConfig {
    /// Money for one DCA buy, USD.
    pub dca_amount_usd: Usd,
    /// Time between DCA fills; the first is bought at once. Exactly one of this and `dca_schedule`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dca_interval: Option<Span>,
    /// Cron line of DCA instants, instead of `dca_interval`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dca_schedule: Option<CronExpr>,
    /// Most money the position may cost, and be worth, in one cycle, USD.
    pub max_accumulation_usd: Usd,
    /// Fall from the recent high that makes a dip, per cent; 0 = off, up to 99.
    pub dip_buy_threshold_pct: Decimal,
    /// A dip buy is this many times `dca_amount_usd`; 0.1 to 100.
    pub dip_buy_multiplier: Decimal,
    /// How far back the recent high is looked for; 1s to 90d.
    pub dip_window: Span,
    /// Shortest time between two dip buys.
    pub dip_cooldown: Span,
    /// Gain over average cost that takes profit, per cent; 0 = off, up to 100000.
    pub take_profit_pct: Decimal,
    /// Share of the holding that is sold, per cent; above 0, up to 100.
    pub take_profit_sell_pct: Decimal,
    /// Shortest time between two take-profits.
    pub take_profit_cooldown: Span,
}

/// `[liquidity]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiquidityConfig {
    /// Money the job begins with, USD; its quote balance starts here and then lives from its own sells.
    pub budget_usd: Usd,
    /// Distance from the moving average that trades, per cent; above 0, up to 50.
    pub spread_pct: Decimal,
    /// Money for one spread trade, USD.
    pub spread_trade_usd: Usd,
    /// Shortest time between two spread trades.
    pub spread_cooldown: Span,
    /// A spread buy in a dip is this many times larger; 1 to 100.
    pub support_buy_multiplier: Decimal,
    /// Distance below the moving average that counts as a dip, per cent; at least `spread_pct`, up to 99.
    pub support_dip_pct: Decimal,
    /// Share of the inventory's value that the token should be, per cent; 1 to 99.
    pub target_ratio_pct: Decimal,
    /// Distance from the target that rebalances, percentage points; above 0, up to 50.
    pub rebalance_threshold_pct: Decimal,
    /// Window of the time-weighted moving average; 2s to 30d.
    pub ma_window: Span,
    /// Most traded (bought plus sold) in one UTC day, USD; 0 = no limit.
    pub max_daily_volume_usd: Usd,
}

/// A value that a key does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value} is not allowed: {allowed}")]
pub struct InvalidConfig {
    /// The dotted key, such as `accumulate.dca_amount_usd`.
    pub key: String,
    /// What was given.
    pub value: String,
    /// What would be accepted.
    pub allowed: String,
}

impl JobConfig {
    /// Checks every range, every contradiction between limits, and that the section of `mode`, and no
    /// other mode's, is present.
    ///
    /// # Errors
    /// All that is wrong, not only the first.
    pub fn validate(&self, mode: JobMode) -> Result<(), Vec<InvalidConfig>> {
        let _ = mode;
        Ok(())
    }
}

impl JobConfig {
    /// The configuration of a new job of `mode`, before files and flags.
    #[must_use]
    pub fn for_mode(mode: JobMode) -> Self {
        let mut config = Self::default();
        match mode {
            JobMode::Accumulate => config.accumulate = Some(AccumulateConfig::default()),
            JobMode::Liquidity => config.liquidity = Some(LiquidityConfig::default()),
        }
        config
    }
}

impl Default for JobConfig {
    /// Without a mode's section: see [`JobConfig::for_mode`].
    fn default() -> Self {
        Self {
            schedule: ScheduleConfig::default(),
            price: PriceConfig::default(),
            limits: LimitsConfig::default(),
            accumulate: None,
            liquidity: None,
        }
    }
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            cron: CronExpr::every_minute(),
            timezone: Tz::UTC,
            jitter: Span::ZERO,
            max_lateness: Span::from_secs(15 * 60),
        }
    }
}

impl Default for PriceConfig {
    fn default() -> Self {
        Self {
            sources: vec![SourceName::Generated],
            max_price_age: Span::from_secs(2 * 60),
            max_price_deviation_bps: 200,
            max_price_move_pct: Decimal::from(50),
            generated: GeneratedConfig::default(),
            recorded: None,
        }
    }
}

impl Default for GeneratedConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            start_usd: Decimal::ONE,
            swing_pct: Decimal::from(20),
            period: Span::from_secs(24 * 3_600),
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            min_trade_usd: usd(1),
            max_position_usd: Usd::ZERO,
            max_trades_per_hour: 60,
            max_daily_spend_usd: usd(500),
            max_slippage_bps: 100,
            max_price_impact_bps: 100,
            max_gas_usd: usd(2),
            failure_backoff: Span::from_secs(60),
            gas_reserve: Decimal::new(1, 3),
        }
    }
}

impl Default for AccumulateConfig {
    fn default() -> Self {
        Self {
            dca_amount_usd: usd(10),
            dca_interval: Some(Span::from_secs(4 * 3_600)),
            dca_schedule: None,
            max_accumulation_usd: usd(1_000),
            dip_buy_threshold_pct: Decimal::from(10),
            dip_buy_multiplier: Decimal::from(2),
            dip_window: Span::from_secs(24 * 3_600),
            dip_cooldown: Span::from_secs(4 * 3_600),
            take_profit_pct: Decimal::ZERO,
            take_profit_sell_pct: Decimal::from(25),
            take_profit_cooldown: Span::from_secs(24 * 3_600),
        }
    }
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

fn usd(dollars: i64) -> Usd {
    Usd::rounded(Decimal::from(dollars), Rounding::Down)
}

fn one() -> Decimal {
    Decimal::ONE
}
