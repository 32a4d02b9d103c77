//! A job's configuration: every key, its default and its range. Units stand in every key.
//!
//! What is stored with a job is complete: a later change of a default changes no running job.

use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    foreign::Foreign,
    job::JobMode,
    notice::{EventChoice, ReceiverChoice},
    pool::Pool,
    schedule::CronExpr,
    span::Span,
    units::{Usd, exact_decimal},
};

mod defaults;
mod keys;
mod realm;
mod validate;

pub use keys::{ALTERNATIVES, KEYS, Key};
pub use realm::LIVE_JITTER_MIN;

/// The configuration of one job, complete and validated (see [`JobConfig::validate_for`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobConfig {
    /// When the job is looked at.
    pub schedule: ScheduleConfig,
    /// Where its price comes from and what makes a price unbelievable.
    pub price: PriceConfig,
    /// Where a live job trades.
    #[serde(skip_serializing_if = "VenueConfig::is_default")]
    pub venue: VenueConfig,
    /// What stands between a plan and a trade.
    pub limits: LimitsConfig,
    /// Who is told of it.
    #[serde(skip_serializing_if = "NotifyConfig::is_default")]
    pub notify: NotifyConfig,
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
    /// Each slot starts up to this much later, by an amount fixed per slot; 0s to 1h, below `max_lateness`.
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
    /// Largest believable move from one sample to the next, in per cent; 0 (off) to 10000. It grows with the
    /// time between them, see [`super::price::accept`].
    #[serde(deserialize_with = "exact_decimal")]
    pub max_price_move_pct: Decimal,
    /// Live: whether the first price, and the price of a liquidation, may be one that only one source on one node
    /// says. Without it such a job does not start, and holds.
    pub single_source: bool,
    /// Parameters of the source `generated`.
    pub generated: GeneratedConfig,
    /// Parameters of the source `recorded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<RecordedConfig>,
}

impl PriceConfig {
    /// Whether all that is asked for prices is a chain's own nodes: whoever answers there says them all, and the quotes
    /// too.
    #[must_use]
    pub fn on_chain_only(&self) -> bool {
        let on_chain = |source: &SourceName| matches!(source, SourceName::Onchain | SourceName::Twap);
        self.sources.iter().all(on_chain)
    }
}

/// `[venue]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VenueConfig {
    /// The pool to trade in; `None`: the best one is found. The paper venue has no pools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<Pool>,
}

impl VenueConfig {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `[notify]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotifyConfig {
    /// Events of this job that are told. A halted signer is told whatever this says.
    pub events: EventChoice,
    /// Receivers that are told, by their names in the settings.
    pub receivers: ReceiverChoice,
}

impl NotifyConfig {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
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
    /// The pool that a live job trades in, now.
    Onchain,
    /// The time-weighted mean of a Uniswap V3 pool's own history.
    Twap,
}

/// `[price.generated]`: a seeded series.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeneratedConfig {
    /// Chooses the series; the same seed gives the same prices.
    pub seed: u64,
    /// The price the series swings around, in USD, greater than 0.
    #[serde(deserialize_with = "exact_decimal")]
    pub start_usd: Decimal,
    /// How far it swings to each side, in per cent of `start_usd`, 0 to 90.
    #[serde(deserialize_with = "exact_decimal")]
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
    #[serde(default = "one", deserialize_with = "exact_decimal")]
    pub speed: Decimal,
    /// The real instant at which the first row is current; set when the job starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<super::Timestamp>,
}

/// `[limits]`: a plan that breaks one of these is refused by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Smallest trade worth its gas, USD, greater than 0. Liquidation ignores it.
    pub min_trade_usd: Usd,
    /// Largest position by value, USD; 0 = no limit.
    pub max_position_usd: Usd,
    /// Most trades in 60 minutes, up to 3600; 0 = no limit. Liquidation ignores it.
    pub max_trades_per_hour: u32,
    /// Most money spent on buys in one UTC day, USD; 0 = no limit.
    pub max_daily_spend_usd: Usd,
    /// How far below what the accepted price implies a fill may end, the pool's fee included, 1 to 5000 bps:
    /// freezes the plan's floor.
    pub max_slippage_bps: u32,
    /// How far below what was simulated a fill may end, 1 to 5000 bps: the calldata's own minimum, never below the
    /// plan's floor.
    pub max_slip_from_quote_bps: u32,
    /// How far the trade itself may move the price, 1 to 5000 bps.
    pub max_price_impact_bps: u32,
    /// What a buy and a sell right after it may lose together, up to 5000 bps; 0 = twice the pool's fee and 300. A buy
    /// is refused if all that is held after it could not be sold within that.
    pub max_round_trip_loss_bps: u32,
    /// Most gas for one trade, USD, greater than 0.
    pub max_gas_usd: Usd,
    /// First pause after a failed trade; doubles with every further failure, up to 64 times; 1s to 24h.
    pub failure_backoff: Span,
    /// Native coin that is never touched, in whole coins: kept for gas; 0 to 1000000.
    #[serde(deserialize_with = "exact_decimal")]
    pub gas_reserve: Decimal,
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

/// Either key alone says how DCA is timed, so the default interval stands only where neither is written.
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
    /// Money the job begins with, USD; its quote balance starts here and then lives from its own sells.
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

/// A value that a key does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {} is not allowed: {allowed}", Foreign::new(value))]
pub struct InvalidConfig {
    /// The dotted key, such as `accumulate.dca_amount_usd`.
    pub key: String,
    /// What was given.
    pub value: String,
    /// What would be accepted.
    pub allowed: String,
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

fn one() -> Decimal {
    Decimal::ONE
}
