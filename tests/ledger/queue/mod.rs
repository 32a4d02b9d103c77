//! The queue on a real Postgres: groups, retries, leases, outages, shutdown.
#![expect(clippy::expect_used, reason = "the helpers of a test fail it by panicking")]

mod claims;
mod endings;
mod outages;
mod support;
