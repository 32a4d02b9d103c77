//! The report: what is in the page, and what a browser makes of it.
#![expect(clippy::expect_used, reason = "what cannot go on in a test fails it")]

mod browser;
mod fixture;
mod seen;
