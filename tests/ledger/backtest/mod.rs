//! Backtests: the same answer as live, the same memory as the ledger, and files as they come.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

mod armed;
mod clock;
mod figures;
mod memory;
mod same_as_live;
mod shortcuts;
mod walk;
