//! State shared by the parts of one worker.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
};

use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::QueueConfig,
    disposition::{Ack, Disposition},
    group::Group,
};

/// State shared by the tokio tasks of one worker.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) pool: PgPool,
    /// Connections for the lease and the listener alone: no handler can exhaust them.
    pub(crate) lifeline: PgPool,
    pub(crate) config: Arc<QueueConfig>,
    pub(crate) worker: String,
    /// A row may be due.
    pub(crate) wake: Notify,
    /// Whether announcements of such rows arrive.
    pub(crate) listening: AtomicBool,
    /// One permit for each group in flight.
    pub(crate) permits: Arc<Semaphore>,
    /// Running handlers.
    pub(crate) handlers: TaskTracker,
    /// Cancelled: nothing more is fetched.
    pub(crate) stopping: CancellationToken,
    /// Cancelled: no handler starts any more, and running ones have ended or were aborted.
    pub(crate) finished: CancellationToken,
    /// Cancelled: no acknowledgement follows.
    pub(crate) flush: CancellationToken,
    /// Cancelled: everything is acknowledged, so the lease need not be renewed.
    pub(crate) settled: CancellationToken,
    /// Cancelled: this worker's rows are deleted, or the time for that is over.
    pub(crate) gone: CancellationToken,
    acks: mpsc::UnboundedSender<Vec<Ack>>,
    held: Mutex<HashSet<String>>,
}

impl Core {
    pub(crate) fn new(
        pool: PgPool,
        config: Arc<QueueConfig>,
        worker: String,
        stopping: CancellationToken,
        acks: mpsc::UnboundedSender<Vec<Ack>>,
    ) -> Self {
        let lifeline = config.lifeline.clone().unwrap_or_else(|| {
            PgPoolOptions::new()
                .max_connections(2)
                .acquire_timeout(config.lease)
                .connect_lazy_with(pool.connect_options().as_ref().clone())
        });
        Self {
            pool,
            lifeline,
            permits: Arc::new(Semaphore::new(config.concurrency)),
            config,
            worker,
            wake: Notify::new(),
            listening: AtomicBool::new(false),
            handlers: TaskTracker::new(),
            stopping,
            finished: CancellationToken::new(),
            flush: CancellationToken::new(),
            settled: CancellationToken::new(),
            gone: CancellationToken::new(),
            acks,
            held: Mutex::default(),
        }
    }

    pub(crate) fn acknowledge(&self, acks: Vec<Ack>) {
        // The receiver outlives every handler. A later row is handed over when the lease expires.
        if self.acks.send(acks).is_err() {
            tracing::debug!(queue = %self.config.name, "an acknowledgement came after the worker had stopped");
        }
    }

    pub(crate) fn hand_back<T>(&self, group: &Group<T>) {
        let acks = group.members.iter().map(|member| Ack {
            row: member.row.clone(),
            attempt: member.attempt,
            disposition: Disposition::Release,
        });
        self.acknowledge(acks.collect());
    }

    pub(crate) fn hold(&self, rows: impl Iterator<Item = String>) {
        self.locked_held().extend(rows);
    }

    pub(crate) fn forget<'a>(&self, rows: impl Iterator<Item = &'a str>) {
        let mut held = self.locked_held();
        for row in rows {
            held.remove(row);
        }
    }

    /// Rows claimed and not yet acknowledged.
    pub(crate) fn held(&self) -> Vec<String> {
        self.locked_held().iter().cloned().collect()
    }

    fn locked_held(&self) -> MutexGuard<'_, HashSet<String>> {
        // A panic cannot leave a set of names half updated.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one group in flight; released when its handler has ended.
#[derive(Clone)]
pub(crate) struct Permit(#[expect(dead_code, reason = "held, not read")] Arc<OwnedSemaphorePermit>);

impl Permit {
    pub(crate) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(permit))
    }
}
