//! Attacks on the key, one test for each finding of the security review. docs/security.md names each of them.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what cannot go on in a test fails it"
)]
#[path = "../support/cluster.rs"]
mod cluster;
#[path = "../support/devnet.rs"]
mod devnet;
#[path = "../support/live.rs"]
mod live;
#[path = "../support/panels.rs"]
mod panels;
#[path = "../support/paper_jobs.rs"]
mod paper_jobs;
#[path = "../support/programs.rs"]
mod programs;
#[path = "../support/mod.rs"]
mod support;

mod database;
mod liar;
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
