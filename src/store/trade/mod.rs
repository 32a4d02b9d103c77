//! Trades, from the frozen plan until no reorg can undo them, and withdrawals.

pub mod dropped;
pub mod dust;
pub mod endings;
pub mod evidence;
pub mod failure_watches;
pub mod fill_watches;
pub mod gas;
pub(in crate::store) mod liquidated;
pub mod ordered;
pub mod sales;
pub(in crate::store) mod stopped;
pub mod stuck;
pub mod submission;
pub mod trades;
pub mod withdrawals;
