//! apalis only: tasks (ids only), scheduler, worker.
//!
//! The queue only wakes us. Delivery is at least once; what makes everything happen once is in the ledger.

pub mod backend;
pub mod handlers;
mod lease;
pub mod push;
pub mod scheduler;
pub mod tasks;
pub mod worker;
