//! The report: what is in the page, and what a browser makes of it.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

mod browser;
mod fixture;
mod seen;
