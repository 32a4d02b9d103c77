//! What happens to a claimed row.

use std::time::Duration;

/// Ends one claim.
#[derive(Debug)]
pub(crate) struct Ack {
    pub(crate) row: String,
    pub(crate) attempt: u32,
    pub(crate) disposition: Disposition,
}

#[derive(Debug)]
pub(crate) enum Disposition {
    Done,
    Retry {
        after: Duration,
        reason: String,
        /// From now on this task is a group of its own.
        alone: bool,
    },
    Kill(String),
    /// Never started: pending again, and the attempt does not count.
    Release,
}
