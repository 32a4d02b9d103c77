//! A job's configuration: every key, its default and its range. Units stand in every key.
//!
//! What is stored with a job is complete: a later change of a default changes no running job.

mod accumulate;
mod basket;
mod defaults;
mod extent;
mod invalid;
mod job;
mod keys;
mod liquidity;
mod order;
mod realm;
mod rules;
mod sections;
mod validate;

pub use accumulate::{AccumulateConfig, AfterStop};
pub use basket::BasketConfig;
pub use extent::{LookBack, MostBought};
pub use invalid::{InvalidConfig, Validator};
pub use job::{JobConfig, JobConfigFile, OneModeOnly};
pub use keys::{ALTERNATIVES, KEYS, Key};
pub use liquidity::LiquidityConfig;
pub use order::{OrderConfig, OrderSide, Trigger};
pub use realm::LIVE_JITTER_MIN;
pub use rules::Rules;
pub use sections::{
    GeneratedConfig, LimitsConfig, NotifyConfig, PriceConfig, RecordedConfig, ScheduleConfig, SourceName,
    VenueConfig,
};
