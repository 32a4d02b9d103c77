//! What is old goes, what is needed stays, and nobody waits for it.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what cannot go on in a test fails it"
)]

mod growth;
mod pruning;
