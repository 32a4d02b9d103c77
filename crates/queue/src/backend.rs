//! A backend for apalis over the tables of apalis-postgres. One value serves one worker name.
//!
//! Fetching, acknowledging, renewing the lease and listening run as separate tokio tasks, so that none blocks
//! another or the worker's loop.

use std::{
    convert::Infallible,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::{Task, builder::TaskBuilder, task_id::TaskId},
    worker::context::WorkerContext,
};
use futures::{FutureExt, future::BoxFuture};
use serde::de::DeserializeOwned;
use sqlx::PgPool;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinError,
};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};
use ulid::Ulid;

use crate::{
    ack,
    config::QueueConfig,
    core::{Core, Permit},
    disposition::Ack,
    fetch::{self, Ready},
    group::Group,
    guard::GuardLayer,
    heartbeat, listen,
};

/// Yields [`Group`]s as tasks of apalis and acknowledges their members.
#[derive(Debug)]
pub(crate) struct GroupBackend<T> {
    core: Arc<Core>,
    lives: TaskTracker,
    ready: Arc<Mutex<mpsc::UnboundedReceiver<Ready<T>>>>,
    /// Taken at the first poll, which starts the worker's tasks.
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

impl<T> GroupBackend<T> {
    /// A backend for the worker `worker`, a name that was never used before. Cancelling `stopping` ends
    /// fetching at once; `lives` is empty when the worker's row is deleted.
    pub(crate) fn new(
        pool: PgPool,
        config: Arc<QueueConfig>,
        worker: String,
        stopping: CancellationToken,
        lives: TaskTracker,
    ) -> Self {
        let (ready_sender, ready) = mpsc::unbounded_channel();
        let (acks, acks_receiver) = mpsc::unbounded_channel();
        let core = Core::new(pool, config, worker, stopping, acks);
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
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
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
    ) -> Poll<Option<Result<Self::Task, Infallible>>> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        // A closed channel means a shutdown; the monitor tells the worker.
        let Poll::Ready(Some(Ready { group, permit })) = ready.poll_recv(cx) else {
            return Poll::Pending;
        };
        let task = TaskBuilder::new(group)
            .task_id(TaskId::from_ulid(Ulid::generate()))
            .data(Permit::new(permit))
            .build();
        Poll::Ready(Some(Ok(task)))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
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

/// Runs one worker from registration to the deletion of its row.
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
        // An aborted handler runs up to its next await and holds its tasks until then.
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
            "a handler or the database delayed the shutdown: tasks are handed over when the lease expires"
        );
    }
    core.gone.cancel();
    if core.config.lifeline.is_some() {
        // Another queue still leaves by it; who shares it closes it.
        return;
    }
    if tokio::time::timeout(core.config.flush, core.lifeline.close())
        .await
        .is_err()
    {
        tracing::debug!(queue = %core.config.name, "connections to an unresponsive database were left open");
    }
}

fn hand_back_unstarted<T>(core: &Core, ready: &Mutex<mpsc::UnboundedReceiver<Ready<T>>>) {
    let mut ready = ready.lock().unwrap_or_else(PoisonError::into_inner);
    ready.close();
    while let Ok(unstarted) = ready.try_recv() {
        core.hand_back(&unstarted.group);
    }
}

/// Waits for a task of this worker. A panic in one is a bug, and is logged.
async fn joined(name: &str, task: impl Future<Output = Result<(), JoinError>>) {
    if let Err(error) = task.await
        && error.is_panic()
    {
        tracing::error!(%error, "the queue's {name} panicked");
    }
}
