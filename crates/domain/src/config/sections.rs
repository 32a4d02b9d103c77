//! The sections that every job has: schedule, price, venue, limits, notify.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use strum::VariantArray as _;

use crate::{
    Timestamp,
    notice::{EventChoice, ReceiverChoice},
    pool::Pool,
    referees::{RefereeAction, RefereeName},
    schedule::{CronExpr, interval_end, is_by_clock},
    span::Span,
    units::{Usd, exact_decimal},
    zone::Zone,
};

/// `[schedule]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleConfig {
    /// Cron line of 5 or 6 fields (seconds first if 6): the slots of this job.
    pub cron: CronExpr,
    /// IANA time zone that the cron line is read in.
    pub timezone: Zone,
    /// Each slot starts up to this much later, by an amount fixed per slot; 0s to 1h, below `max_lateness`.
    pub jitter: Span,
    /// A tick that starts later than this after its slot holds instead of trading; 1s to 24h.
    pub max_lateness: Span,
}

impl ScheduleConfig {
    /// When `interval` has passed since the slot `last`: [whole days by the calendar](interval_end) of this zone.
    #[must_use]
    pub fn interval_end(&self, interval: Span, last: Timestamp) -> Timestamp {
        interval_end(&self.cron, self.timezone, interval, last)
    }

    /// Whether [`Self::interval_end`] has come at `now`.
    #[must_use]
    pub fn interval_is_over(&self, interval: Span, last: Timestamp, now: Timestamp) -> bool {
        match is_by_clock(self.timezone, interval) {
            true => interval.has_passed(last, now),
            false => self.interval_end(interval, last) <= now,
        }
    }
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
    /// time between them, see [`crate::price::accept`].
    #[serde(deserialize_with = "exact_decimal")]
    pub max_price_move_pct: Decimal,
    /// Live: whether the first price, and the price of a liquidation, may come from a single source on a single node.
    /// Otherwise such a job does not start, and holds.
    pub single_source: bool,
    /// Parameters of the source `generated`.
    pub generated: GeneratedConfig,
    /// Parameters of the source `recorded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<RecordedConfig>,
}

impl PriceConfig {
    /// Whether a chain's own nodes are the only source of prices: a dishonest node then controls all of them, and the
    /// quotes too.
    #[must_use]
    pub fn on_chain_only(&self) -> bool {
        let on_chain = |source: &SourceName| matches!(source, SourceName::Onchain | SourceName::Twap);
        self.sources.iter().all(on_chain)
    }
}

/// `[venue]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VenueConfig {
    /// The pool to trade in; `None`: the best one is found. The paper venue has no pools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<Pool>,
    /// Live: a pool that is younger is not bought in, 0s (any) to 7d. Positions in it are sold at any age. The creation
    /// of Uniswap V4 pools is known; any other pool counts as old.
    #[serde(skip_serializing_if = "is_any_age")]
    pub min_pool_age: Span,
    /// Live: aggregators that are asked, before each trade, what it would pay elsewhere; none by default. Nothing of
    /// theirs is executed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub referees: Vec<RefereeName>,
    /// How far below a referee's quote a trade may be, 0 to 5000 bps of that quote.
    #[serde(skip_serializing_if = "is_usual_bps")]
    pub referee_bps: u32,
    /// What follows if a referee knows more than that, or is silent.
    #[serde(skip_serializing_if = "is_usual_action")]
    pub referee_action: RefereeAction,
}

impl Default for VenueConfig {
    fn default() -> Self {
        Self {
            pool: None,
            min_pool_age: Span::ZERO,
            referees: vec![],
            referee_bps: REFEREE_BPS,
            referee_action: RefereeAction::default(),
        }
    }
}

/// Aggregators split over many pools; a percent is more than that usually brings at the size of a DCA buy.
const REFEREE_BPS: u32 = 100;

fn is_any_age(age: &Span) -> bool {
    age.is_zero()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_usual_bps(bps: &u32) -> bool {
    *bps == REFEREE_BPS
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_usual_action(action: &RefereeAction) -> bool {
    *action == RefereeAction::default()
}

impl VenueConfig {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `[notify]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotifyConfig {
    /// Events of this job to notify about. A halted signer is always notified about.
    pub events: EventChoice,
    /// Receivers to notify, by their names in the settings.
    pub receivers: ReceiverChoice,
}

impl NotifyConfig {
    pub(super) fn is_default(&self) -> bool {
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
    /// A seeded series, the same at every run. Not real prices.
    Generated,
    /// A CSV file of time and price.
    Recorded,
    /// The DexScreener API.
    Dexscreener,
    /// The current price in the pool that a live job trades in.
    Onchain,
    /// The time-weighted mean of a Uniswap V3 pool's own history.
    Twap,
}

impl SourceName {
    /// All sources in words, for errors: `a, b and c`.
    #[must_use]
    pub fn list() -> String {
        let mut names: Vec<String> = Self::VARIANTS.iter().map(ToString::to_string).collect();
        let last = names.pop().unwrap_or_default();
        format!("{} and {last}", names.join(", "))
    }
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
    /// Approximate period of a large swing; 2s to 365d.
    pub period: Span,
}

/// `[price.recorded]`: a recorded series.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedConfig {
    /// CSV file of times and prices, or of candles, as a backtest reads it.
    pub file: String,
    /// How many recorded seconds pass in one real second; 0.001 to 1000000.
    #[serde(default = "one", deserialize_with = "exact_decimal")]
    pub speed: Decimal,
    /// The real instant at which the first row is current; set when the job starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<crate::Timestamp>,
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
    /// How far below what the accepted price implies a fill may end, after what pool, hook and token keep, 1 to
    /// 5000 bps: freezes the plan's floor.
    pub max_slippage_bps: u32,
    /// What pool, hook and token may keep of one trade together, 1 to 5000 bps.
    pub max_pool_fee_bps: u32,
    /// How far below what was simulated a fill may end, 1 to 5000 bps: the calldata's own minimum, never below the
    /// plan's floor.
    pub max_slip_from_quote_bps: u32,
    /// How far the trade itself may move the price, 1 to 5000 bps.
    pub max_price_impact_bps: u32,
    /// What a buy and a sell right after it may lose together, up to 5000 bps; 0 = what is kept of both, and 300. A buy
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

fn one() -> Decimal {
    Decimal::ONE
}
