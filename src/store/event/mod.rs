//! Events: what is sent to people, and to whom.

pub mod announced;
pub mod deliveries;
pub(in crate::store) mod outbox;
