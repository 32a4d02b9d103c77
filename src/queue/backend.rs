//! apalis' backend over the tables of apalis-postgres. One value serves one worker name.
//!
//! Fetching, acknowledging, renewing the lease and listening are tasks of their own, so that none waits
//! for the worker's loop or for each other.

use std::{
    collections::HashSet,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::{Task, builder::TaskBuilder, task_id::TaskId},
    worker::context::WorkerContext,
};
use futures::{FutureExt, future::BoxFuture};
use serde::de::DeserializeOwned;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinError,
};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};
use ulid::Ulid;

use super::{
    ack::{self, Ack, Verdict},
    config::QueueConfig,
    fetch::{self, Ready},
    group::Group,
    guard::GuardLayer,
    heartbeat, listen,
};

/// What the tasks of one worker share.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) pool: PgPool,
    /// Connections for the lease and the listener alone: no handler can exhaust them.
    pub(super) lifeline: PgPool,
    pub(super) config: Arc<QueueConfig>,
    pub(super) worker: String,
    /// Something may be due.
    pub(super) wake: Notify,
    /// Places for groups in flight.
    pub(super) slots: Arc<Semaphore>,
    /// Handlers that run.
    pub(super) handlers: TaskTracker,
    /// Nothing more is fetched.
    pub(super) stopping: CancellationToken,
    /// No handler is started any more, and those that run are finished or cut off.
    pub(super) finished: CancellationToken,
    /// No acknowledgement follows.
    pub(super) flush: CancellationToken,
    /// Everything is acknowledged: the lease need not be renewed any more.
    pub(super) settled: CancellationToken,
    /// Nothing of this worker is left in the database, or the time to tidy up is over.
    pub(super) gone: CancellationToken,
    acks: mpsc::UnboundedSender<Vec<Ack>>,
    held: Mutex<HashSet<String>>,
}

impl Core {
    pub(super) fn acknowledge(&self, acks: Vec<Ack>) {
        // The receiver outlives every handler; what comes after it is handed over by the lease.
        if self.acks.send(acks).is_err() {
            tracing::debug!(queue = %self.config.name, "an acknowledgement came after the worker had gone");
        }
    }

    pub(super) fn hand_back<T>(&self, group: &Group<T>) {
        let untouched = group.members.iter().map(|member| Ack {
            row: member.row.clone(),
            attempt: member.attempt,
            verdict: Verdict::Untouched,
        });
        self.acknowledge(untouched.collect());
    }

    pub(super) fn hold(&self, rows: impl Iterator<Item = String>) {
        self.locked_held().extend(rows);
    }

    pub(super) fn forget<'a>(&self, rows: impl Iterator<Item = &'a str>) {
        let mut held = self.locked_held();
        for row in rows {
            held.remove(row);
        }
    }

    /// Rows claimed and not yet acknowledged.
    pub(super) fn held(&self) -> Vec<String> {
        self.locked_held().iter().cloned().collect()
    }

    fn locked_held(&self) -> MutexGuard<'_, HashSet<String>> {
        // A set of names is whole after any panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Yields [`Group`]s as tasks of apalis and acknowledges their members.
#[derive(Debug)]
pub(super) struct GroupBackend<T> {
    core: Arc<Core>,
    lives: TaskTracker,
    ready: Arc<Mutex<mpsc::UnboundedReceiver<Ready<T>>>>,
    /// What the worker's tasks need to begin; taken at the first poll.
    begin: Option<Begin<T>>,
    closing: Option<Closing>,
}

#[derive(Debug)]
struct Begin<T> {
    ready: mpsc::UnboundedSender<Ready<T>>,
    acks: mpsc::UnboundedReceiver<Vec<Ack>>,
}

struct Closing(BoxFuture<'static, ()>);

impl std::fmt::Debug for Closing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Closing")
    }
}

/// Never: database errors are waited out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Never {}

/// The place in flight of a group, given back when its handler has ended.
#[derive(Clone)]
pub(super) struct Slot(#[expect(dead_code, reason = "held, not read")] Arc<OwnedSemaphorePermit>);

impl<T> GroupBackend<T> {
    /// A backend for the worker `worker`, a name that was never used before. `stopping` ends fetching at
    /// once; `lives` is done when the worker has left the database.
    pub(super) fn new(
        pool: PgPool,
        config: Arc<QueueConfig>,
        worker: String,
        stopping: CancellationToken,
        lives: TaskTracker,
    ) -> Self {
        let (ready_sender, ready) = mpsc::unbounded_channel();
        let (acks, acks_receiver) = mpsc::unbounded_channel();
        let lifeline = PgPoolOptions::new()
            .max_connections(2)
            .acquire_timeout(config.lease)
            .connect_lazy_with(pool.connect_options().as_ref().clone());
        let core = Core {
            pool,
            lifeline,
            slots: Arc::new(Semaphore::new(config.concurrency)),
            config,
            worker,
            wake: Notify::new(),
            handlers: TaskTracker::new(),
            stopping,
            finished: CancellationToken::new(),
            flush: CancellationToken::new(),
            settled: CancellationToken::new(),
            gone: CancellationToken::new(),
            acks,
            held: Mutex::default(),
        };
        Self {
            core: Arc::new(core),
            lives,
            ready: Arc::new(Mutex::new(ready)),
            begin: Some(Begin {
                ready: ready_sender,
                acks: acks_receiver,
            }),
            closing: None,
        }
    }
}

impl<T: DeserializeOwned + Send + 'static> Backend for GroupBackend<T> {
    type Task = Task<Group<T>>;
    type Error = Never;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Never>> {
        if let Some(begin) = self.begin.take() {
            let life = live(Arc::clone(&self.core), Arc::clone(&self.ready), begin);
            self.lives.spawn(life);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Never>>> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        // A closed channel is a shutdown, which the worker learns from its monitor.
        let Poll::Ready(Some(Ready { group, slot })) = ready.poll_recv(cx) else {
            return Poll::Pending;
        };
        let task = TaskBuilder::new(group)
            .task_id(TaskId::from_ulid(Ulid::generate()))
            .data(Slot(Arc::new(slot)))
            .build();
        Poll::Ready(Some(Ok(task)))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Never>> {
        self.core.finished.cancel();
        if self.begin.is_some() {
            return Poll::Ready(Ok(()));
        }
        let gone = self.core.gone.clone();
        let closing = self
            .closing
            .get_or_insert_with(|| Closing(gone.cancelled_owned().boxed()));
        closing.0.poll_unpin(cx).map(Ok)
    }
}

impl<T> BackendConfig for GroupBackend<T> {
    type Args = Group<T>;
    type Id = Ulid;
    type Kind = Ephemeral;
    type Config = QueueConfig;
    type Layer = GuardLayer;

    fn config(&self) -> &QueueConfig {
        &self.core.config
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> GuardLayer {
        GuardLayer::new(Arc::clone(&self.core))
    }
}

impl<T> Drop for GroupBackend<T> {
    fn drop(&mut self) {
        self.core.finished.cancel();
    }
}

/// A worker's life, from its registration to the removal of its row.
async fn live<T: DeserializeOwned + Send + 'static>(
    core: Arc<Core>,
    ready: Arc<Mutex<mpsc::UnboundedReceiver<Ready<T>>>>,
    begin: Begin<T>,
) {
    let first_beat = Arc::new(Notify::new());
    let mut beat = AbortOnDropHandle::new(tokio::spawn(heartbeat::run(
        Arc::clone(&core),
        Arc::clone(&first_beat),
    )));
    let listener = AbortOnDropHandle::new(tokio::spawn(listen::run(Arc::clone(&core))));
    let acker = AbortOnDropHandle::new(tokio::spawn(ack::run(Arc::clone(&core), begin.acks)));
    tokio::select! {
        () = first_beat.notified() => {
            let fetcher = tokio::spawn(fetch::run(Arc::clone(&core), begin.ready));
            tokio::select! {
                () = core.stopping.cancelled() => {}
                () = core.finished.cancelled() => core.stopping.cancel(),
            }
            joined("fetcher", fetcher).await;
        }
        () = core.stopping.cancelled() => {}
        () = core.finished.cancelled() => {}
    }
    drop(listener);
    hand_back_unstarted(&core, &ready);
    core.finished.cancelled().await;
    core.handlers.close();
    let ended = async {
        // A handler that was cut off runs up to its next await, and keeps its tasks until there.
        core.handlers.wait().await;
        core.flush.cancel();
        joined("acknowledger", acker).await;
        core.settled.cancel();
        joined("heartbeat", &mut beat).await;
        heartbeat::leave(&core).await;
    };
    if tokio::time::timeout(core.config.flush, ended).await.is_err() {
        tracing::warn!(
            queue = %core.config.name,
            "a handler or the database held the shutdown up: tasks are handed over when the lease is up"
        );
    }
    core.gone.cancel();
    if tokio::time::timeout(core.config.flush, core.lifeline.close())
        .await
        .is_err()
    {
        tracing::debug!(queue = %core.config.name, "left connections to a silent database open");
    }
}

fn hand_back_unstarted<T>(core: &Core, ready: &Mutex<mpsc::UnboundedReceiver<Ready<T>>>) {
    let mut ready = ready.lock().unwrap_or_else(PoisonError::into_inner);
    ready.close();
    while let Ok(unstarted) = ready.try_recv() {
        core.hand_back(&unstarted.group);
    }
}

/// Waits for a task of this worker; a panic in one is a defect, and is said.
async fn joined(name: &str, task: impl Future<Output = Result<(), JoinError>>) {
    if let Err(error) = task.await
        && error.is_panic()
    {
        tracing::error!(%error, "the queue's {name} panicked");
    }
}
