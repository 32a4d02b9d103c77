//! When to ask the ledger whether a dry sale is due.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::domain::job::JobId;

/// Interval between checks whether a dry sale of a job is due; it is due once a day.
const ASK_INTERVAL: Duration = Duration::from_secs(3_600);

/// When this process last asked the ledger, by job.
#[derive(Debug, Default)]
pub(super) struct DrySales(Mutex<HashMap<JobId, Instant>>);

impl DrySales {
    /// Whether to ask the ledger if a dry sale of the job is due.
    pub(super) fn may_be_due(&self, job: JobId) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = asked.get(&job).is_some_and(|at| at.elapsed() < ASK_INTERVAL);
        if !fresh {
            asked.insert(job, Instant::now());
        }
        !fresh
    }
}
