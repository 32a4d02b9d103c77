//! load -> decide -> record -> act.
//!
//! The engine evaluates *slices* of (job, slot) and settles open trades, one step at a time. Any process may repeat any
//! call at any moment: what was recorded is continued, never done again.

pub mod adopt;
mod checks;
mod core;
mod dry_sales;
mod error;
mod logged;
pub mod reconcile;
mod settings;
mod sights;
mod slice;
mod trade;
mod wallets;
mod watch;
mod withdrawal;

pub(in crate::engine) use slice::{approve, facts, tick};
pub(in crate::engine) use trade::{finish, foreign, news, observe, progress, settle, submit};
pub(in crate::engine) use watch::watch_fills;
pub use withdrawal::withdraw;

pub use self::core::Engine;
pub use error::EngineError;
pub use progress::{Progress, SWALLOWED_SENDS};
pub use settings::EngineSettings;
pub use tick::{Tick, TickOutcome, TickResult};
