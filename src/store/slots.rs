//! Slots: claimed by the schedulers, in one transaction with the tasks they push.

use super::jobs::Job;
use crate::domain::{Timestamp, job::JobStatus, schedule::jitter};

/// When a slot is claimed: jitter applies to the schedule, not to a liquidation somebody waits for.
pub(super) fn due_at(salt: &[u8], job: &Job, slot: Timestamp) -> Timestamp {
    match job.status {
        JobStatus::Liquidating => slot,
        _ => jitter(salt, job.id, slot, job.config.schedule.jitter).after(slot),
    }
}
