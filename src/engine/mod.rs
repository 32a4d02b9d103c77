//! load -> decide -> record -> act.
//!
//! The engine evaluates *slices* of (job, slot) and settles open trades, one step at a time. Any process may repeat any
//! call at any moment: what was recorded is continued, never done again.

pub mod adopt;
mod approve;
mod believe;
mod checks;
mod core;
mod dry_sales;
mod error;
mod evaluate;
mod facts;
mod finish;
mod foreign;
mod keys;
mod observe;
mod progress;
mod proof;
pub mod reconcile;
mod recover;
mod refereed;
mod sale;
mod settings;
mod settle;
mod submit;
mod tick;
mod turn;
mod watch_failures;
mod watch_fills;
pub mod withdraw;
mod withdrawn;

pub use self::core::Engine;
pub use error::EngineError;
pub use progress::{Progress, SWALLOWED_SENDS};
pub use settings::EngineSettings;
pub use tick::{Tick, TickOutcome, TickResult};
