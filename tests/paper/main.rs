//! The paper venue on a real Postgres: it must be as strict, as forgetful and as unforgiving as a chain.

mod fault;
mod fixture;
mod money;
mod pool;
mod race;
mod revert;
#[path = "../support/mod.rs"]
mod support;
