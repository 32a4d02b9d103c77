//! What bounds the key: a file of the worker's owner, checked on the decoded transaction before it is signed.
//!
//! A user who may write the database can make this program ask for any signature. It gets those that the policy
//! allows, up to the policy's own limits, counted in a file of the worker's own.

pub(super) mod appraiser;
mod book;
mod check;
pub mod edit;
mod file;
mod flow;
mod intent;
mod journal;
mod model;
mod refusal;
mod signer;
mod swap02;
mod universal;

pub use book::{MACHINE_POLICY, Place, PolicyBook};
pub use file::{Entry, NamedContracts, Policy, Quote};
pub use journal::{Journal, Spent};
pub use model::PolicyContracts;
pub use refusal::{Reason, Refusal};
pub(super) use signer::PolicySigner;

#[cfg(test)]
mod tests;
