//! What is written down is what runs: example settings, layers of the code, exit codes, invariants, and the pages that
//! a reader follows word for word.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot continue fails"
)]

mod advice;
mod architecture;
mod claims;
mod commands;
mod database;
mod example;
mod extending;
mod figures;
mod house;
mod image;
mod kubernetes;
mod metrics;
mod openapi;
mod packaging;
mod pages;
mod pictures;
mod practice;
mod quotes;
mod retention;
mod rules;
mod runbook;
mod schema;
mod sets;
mod stops;
mod structure;
mod words;
