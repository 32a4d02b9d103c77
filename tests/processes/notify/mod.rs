//! Messages reach real HTTP servers: at least once, with one id, in spite of crashes and of each other.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot continue fails"
)]

mod choices;
mod for_good;
mod inbox;
mod kinds;
mod leases;
mod messages;
mod outages;
mod processes;
mod refusals;
mod secrets;
mod world;
