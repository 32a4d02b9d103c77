//! What is old goes, what is needed stays, and nobody waits for it.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what cannot go on in a test fails it"
)]

#[path = "../support/clawd.rs"]
mod clawd;
mod growth;
mod pruning;
#[path = "../support/mod.rs"]
mod support;
