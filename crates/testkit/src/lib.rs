//! What tests and benches share. Nothing here decides a verdict; a helper that fails, fails the test that called it.

pub mod clawd;
pub mod cluster;
mod contracts;
mod copies;
mod database;
pub mod devnet;
pub mod liar;
pub mod live;
pub mod meter;
pub mod panels;
mod paper;
pub mod pooler;
mod process;
pub mod programs;
mod server;
pub mod statements;
pub mod unsteady;

pub use contracts::contracts;
pub use copies::copy_job;
pub use database::{TestDb, db, empty_db};
pub use paper::paper_job;
pub use process::quick_daemon;
pub use programs::{lgi_mm, root};
pub use server::serve;
