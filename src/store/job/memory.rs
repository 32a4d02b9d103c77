//! Jobs as they were read last, so that a row that has not changed is neither sent nor parsed again.
//!
//! Every read still goes to the database; it omits rows that the caller has in the same version. Losing this memory
//! only makes a tick slower.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::domain::ids::JobId;
use crate::store::{jobs::Job, version::RowVersion};

/// Jobs remembered at most, some kilobytes each. Beyond them any other is forgotten.
const JOBS_MAX: usize = 20_000;

#[derive(Debug, Clone)]
pub(in crate::store) struct Known {
    pub(in crate::store) version: RowVersion,
    pub(in crate::store) job: Arc<Job>,
}

/// What one process remembers.
#[derive(Debug, Default)]
pub struct JobMemory {
    jobs: Mutex<HashMap<JobId, Known>>,
}

impl JobMemory {
    /// What is known of these jobs, in their order.
    pub(in crate::store) fn recall(&self, ids: &[JobId]) -> Vec<Option<Known>> {
        let jobs = self.jobs();
        ids.iter().map(|id| jobs.get(id).cloned()).collect()
    }

    pub(in crate::store) fn keep(&self, version: RowVersion, job: Arc<Job>) {
        let mut jobs = self.jobs();
        let id = job.id;
        if jobs.len() >= JOBS_MAX && !jobs.contains_key(&id) {
            let any = jobs.keys().next().copied();
            any.and_then(|any| jobs.remove(&any));
        }
        jobs.insert(id, Known { version, job });
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, Known>> {
        // Each entry is whole after any panic.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
