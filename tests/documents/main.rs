//! What is written down is what runs: example settings, layers of the code, exit codes, invariants.
#![expect(clippy::expect_used, reason = "what cannot go on in a test fails it")]

mod architecture;
mod example;
mod image;
mod metrics;
mod retention;
mod runbook;
mod schema;
mod sets;
mod structure;
#[path = "../support/mod.rs"]
mod support;
