//! Limits of the keys: a file of the worker's owner, checked against the decoded transaction before it is signed.
//!
//! A user with write access to the database can make this program request any signature. Only those that the policy
//! allows are made, up to the policy's own limits, counted in a file of the worker.

mod aerodrome;
pub(super) mod appraiser;
mod book;
mod check;
mod direct;
pub mod edit;
mod file;
mod flow;
mod intent;
mod journal;
mod model;
mod periphery;
mod refusal;
mod signer;
mod swap02;
mod universal;
mod usage;
mod v2_fork;

pub use book::{MACHINE_POLICY, Place, PolicyBook};
pub use file::{Entry, MAX_DEADLINE, MAX_LOSS_BPS, NamedContracts, Policy, Quote};
pub use journal::{Journal, Spent};
pub use model::PolicyContracts;
pub use refusal::{Reason, Refusal};
pub(super) use signer::PolicySigner;

#[cfg(test)]
mod tests;
