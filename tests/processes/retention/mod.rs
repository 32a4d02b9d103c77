//! Expired rows are deleted, needed ones stay, and no service waits for it.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot continue fails"
)]

mod growth;
mod pruning;
