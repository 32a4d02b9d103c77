//! The HTTP API as a client meets it, and the tools as an agent meets them: the real program on a real database.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "an error in a test's set-up fails the test"
)]

mod agents;
mod baskets;
mod browser;
mod chat;
mod clients;
mod daemon;
mod first;
mod gate;
mod installation;
mod live;
mod malformed;
mod page;
mod reading;
mod real;
mod refused;
mod server;
mod session;
mod signals;
mod telegram;
mod tls;
mod trial;
mod writing;
