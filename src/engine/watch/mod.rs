//! What is booked, until no reorg can undo it.

pub(in crate::engine) mod watch_failures;
pub(in crate::engine) mod watch_fills;
