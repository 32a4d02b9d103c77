//! Runs a job's rules over past prices: the same functions that a worker calls, with a series instead of a market.
//!
//! Everything here is a pure function of its arguments. Nothing is decided here: rules, limits, schedule, samples
//! and accounting are the domain's, quotes and gas are the paper venue's. Assumptions about what a series does not
//! contain are listed in [`result::SetupSummary::assumptions`].

pub mod again;
mod armed;
pub mod basket;
mod current;
mod drawdown;
mod glance;
pub mod grid;
mod job;
mod keep;
mod money;
mod quiet;
pub mod result;
mod returns;
mod runner;
pub mod series;
mod setup;
mod slots;
mod still;
pub mod sweep;
mod tally;
pub mod thin;
mod trails;
mod wallet;
mod whole;

pub use result::RunResult;
pub use runner::{Runner, run};
pub use setup::{Detail, Held, PricePoint, Setup};
pub use whole::{assumptions, backtest, compare};
