//! The pure core: no async, no SQL, no clock, no randomness, no floats.
//!
//! Everything here is a total function of its arguments. The instant of the slot and the price are
//! arguments like any other, so the same facts give the same decision in a worker, a test or a backtest.
#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]

pub mod accounting;
pub mod accumulate;
pub mod backoff;
pub mod basket;
pub mod bounds;
pub mod brief;
pub mod calendar;
pub mod chains;
pub mod config;
pub mod contracts;
pub mod costs;
pub mod decision;
pub mod event;
pub mod figures;
pub mod foreign;
pub mod fork;
pub mod ids;
pub mod job;
pub mod kept;
pub mod limits;
pub mod liquidate;
pub mod liquidity;
pub mod lots;
pub mod mixed;
pub mod moment;
pub mod name;
pub mod notice;
pub mod onchain;
pub mod order;
pub mod outlook;
pub mod plain;
pub mod pool;
pub mod pool_key;
pub mod price;
pub mod purpose;
pub mod referees;
pub mod role;
pub mod router;
pub mod samples;
pub mod schedule;
pub mod secret;
pub mod signal;
pub mod span;
pub mod stops;
pub mod summary;
pub mod trade;
pub mod trouble;
pub mod turnover;
pub mod units;
pub mod zone;

/// An instant. The engine's clock is the database's; the rules' clock is the slot.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
