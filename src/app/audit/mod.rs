//! Compares the ledger with what a venue has on record.

mod findings;
pub mod live;
pub mod paper;

pub use findings::Findings;
