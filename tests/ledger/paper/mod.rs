//! The paper venue on a real Postgres: it must be as strict, as forgetful and as unforgiving as a chain.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot continue fails"
)]

mod fault;
mod fixture;
mod money;
mod pool;
mod race;
mod revert;
mod together;
