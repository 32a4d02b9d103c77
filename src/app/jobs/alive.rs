//! Whether anybody works on the jobs.

use serde::Serialize;

use crate::{
    app::{App, AppError},
    domain::{Timestamp, span::Span},
    store::alive::{self, Workers},
};

/// A worker whose last heartbeat is older is gone.
const SILENCE_MIN: Span = Span::from_secs(15);

/// A slot that is due for longer is late: no scheduler takes this long.
pub const LATE_AFTER: Span = Span::from_secs(60);

/// Whether anybody works on the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alive {
    /// The database's clock.
    pub now: Timestamp,
    workers: Workers,
}

/// Nobody works on the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "missing", rename_all = "snake_case")]
pub enum Dead {
    /// No worker runs.
    Worker {
        /// The last heartbeat, if one is on record.
        last_seen: Option<Timestamp>,
        /// The earliest slot that should have been evaluated by now.
        late_since: Option<Timestamp>,
    },
    /// Workers run, but no scheduler.
    Scheduler {
        /// The earliest slot that should have been evaluated by now.
        late_since: Timestamp,
    },
}

pub(super) async fn alive(app: &App) -> Result<Alive, AppError> {
    let silence = SILENCE_MIN.max(app.settings.worker.lease);
    let workers = alive::workers(&app.pool, silence).await?;
    Ok(Alive {
        now: workers.now,
        workers,
    })
}

/// What a job waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) next_slot: Option<Timestamp>,
    /// The slot that nobody took in time.
    pub(super) late_since: Option<Timestamp>,
}

impl Alive {
    /// What is missing for these jobs; nothing if none of them waits for a slot.
    pub(super) fn missing(&self, jobs: impl Iterator<Item = Waiting> + Clone) -> Option<Dead> {
        let late_since = jobs.clone().filter_map(|job| job.late_since).min();
        let wanted = jobs.clone().any(|job| job.next_slot.is_some());
        match late_since {
            _ if wanted && self.workers.alive == 0 => Some(Dead::Worker {
                last_seen: self.workers.last_seen,
                late_since,
            }),
            Some(late_since) => Some(Dead::Scheduler { late_since }),
            None => None,
        }
    }
}
