//! A job's configuration: every key, its default and its range. Units stand in every key.
//!
//! What is stored with a job is complete: a later change of a default changes no running job.

mod defaults;
mod invalid;
mod job;
mod keys;
mod realm;
mod rules;
mod sections;
mod validate;

pub use invalid::{InvalidConfig, Validator};
pub use job::{JobConfig, JobConfigFile, OneModeOnly};
pub use keys::{ALTERNATIVES, KEYS, Key};
pub use realm::LIVE_JITTER_MIN;
pub use rules::{AccumulateConfig, LiquidityConfig, LookBack, Rules};
pub use sections::{
    GeneratedConfig, LimitsConfig, NotifyConfig, PriceConfig, RecordedConfig, ScheduleConfig, SourceName,
    VenueConfig,
};
