//! The engine on a real database and the paper venue: what is decided once happens once.

#[path = "../support/mod.rs"]
mod support;

mod exactly_once;
mod faults;
mod lifecycle;
mod world;
