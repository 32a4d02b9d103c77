//! Balances of wallets that were seen to be smaller than their jobs', until they are seen again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::domain::{job::JobId, units::Amount};

/// A smaller balance, and the block at which it was seen first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    pub(super) tracked: Amount,
    pub(super) held: Amount,
    pub(super) block: u64,
}

/// What was seen once, by job. Forgotten by a restart, which only delays.
#[derive(Debug, Default)]
pub(super) struct Sights(Mutex<HashMap<JobId, Sight>>);

impl Sights {
    /// The first sight of the same, if it was of an earlier block; else this one is kept as the first.
    pub(super) fn again(&self, job: JobId, seen: Sight) -> Option<Sight> {
        let mut sights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sights.get(&job).copied();
        let same = known.filter(|known| (known.tracked, known.held) == (seen.tracked, seen.held));
        match same {
            Some(first) if first.block < seen.block => Some(first),
            Some(_) => None,
            None => {
                sights.insert(job, seen);
                None
            }
        }
    }

    pub(super) fn forget(&self, job: JobId) {
        let mut sights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sights.remove(&job);
    }
}
