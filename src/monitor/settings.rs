//! Settings of the census.

use std::time::Duration;

/// How the census is taken.
#[derive(Debug, Clone, Copy)]
pub struct CensusSettings {
    /// Time between two.
    pub every: Duration,
    /// Most jobs that get series of their own.
    pub max_jobs: u32,
    /// Queues whose tasks are counted, as `prefix:name`; the name is their label.
    pub queues: &'static [&'static str],
}
