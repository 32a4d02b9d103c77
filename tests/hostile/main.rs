//! Attacks on the key, one test for each finding of the security review. docs/security.md names each of them.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot continue fails"
)]

mod database;
mod exits;
mod machine;
mod nodes;
mod policy;
mod prices;
mod realm;
mod restored;
mod roles;
mod slots;
mod tokens;
#[expect(clippy::print_stderr, reason = "a test that cannot run here says so")]
mod vanished;
mod words;
