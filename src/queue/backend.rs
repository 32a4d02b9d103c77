//! An apalis `Backend` on the tables of apalis-postgres that fetches and acknowledges in groups.
//!
//! One row stays one task (a job and its slot); a worker is handed many of them at once, so that it can load,
//! price and record them together. Fetching, acknowledging and staying alive are tasks of their own: a busy
//! handler starves none of them, and an outage of the database ends none of them.

use std::{
    collections::HashSet,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::{Task, builder::TaskBuilder},
    worker::context::WorkerContext,
};
use futures::{FutureExt, future::BoxFuture};
use serde::de::DeserializeOwned;
use sqlx::{PgPool, postgres::PgListener};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tower::layer::util::Identity;
use tracing::{info, warn};

use super::{
    lease::{Ack, End, Lease, Row},
    push::TASK_CHANNEL,
};
use crate::telemetry::Outage;

/// How a worker leases tasks.
#[derive(Debug, Clone)]
pub struct LeaseSettings {
    /// Queue name: apalis' `job_type`.
    pub queue: String,
    /// Groups in flight.
    pub concurrency: usize,
    /// Most tasks in a group.
    pub batch: usize,
    /// Longest wait between two looks, should a wake-up get lost.
    pub poll: Duration,
    /// Time between two heartbeats.
    pub heartbeat: Duration,
    /// A worker without a heartbeat for this long has lost its tasks.
    pub lease: Duration,
    /// A group that takes longer than this is given up and its tasks are tried again, one by one.
    pub timeout: Duration,
    /// How long running groups may take to end when the worker is told to stop.
    pub grace: Duration,
}

impl LeaseSettings {
    /// Defaults for a queue.
    #[must_use]
    pub fn new(queue: &str) -> Self {
        Self {
            queue: queue.to_owned(),
            concurrency: 4,
            batch: 100,
            poll: Duration::from_secs(1),
            heartbeat: Duration::from_secs(1),
            lease: Duration::from_secs(5),
            timeout: Duration::from_secs(60),
            grace: Duration::from_secs(20),
        }
    }
}

/// One task of a group.
#[derive(Debug, Clone)]
pub struct Member<T> {
    /// Row id.
    pub id: String,
    /// Which try this is, from 1.
    pub attempt: i32,
    /// After so many tries it is given up.
    pub max_attempts: i32,
    /// What to do.
    pub payload: T,
}

/// Tasks that are handled together. A task that was tried before comes alone, so that it cannot harm others
/// again.
#[derive(Debug)]
pub struct Group<T> {
    /// The tasks, at least one.
    pub members: Vec<Member<T>>,
    /// Frees the group's place when it is dropped.
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

/// What became of one task of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskOutcome {
    /// It need not run again.
    Done,
    /// It is to run again.
    Retry {
        /// Not before this long.
        after: Duration,
        /// Why.
        error: String,
    },
    /// It must not run again.
    Killed {
        /// Why.
        error: String,
    },
}

impl TaskOutcome {
    /// To be tried again after `after`.
    #[must_use]
    pub const fn retry(after: Duration, error: String) -> Self {
        Self::Retry { after, error }
    }
}

/// Where outcomes go.
#[derive(Debug, Clone)]
pub(super) struct Acks(mpsc::WeakUnboundedSender<Ack>);

impl Acks {
    pub(super) fn send<T>(&self, member: &Member<T>, outcome: TaskOutcome) {
        let end = match outcome {
            TaskOutcome::Done => End::Done,
            TaskOutcome::Retry { error, .. } if member.attempt >= member.max_attempts => End::Killed {
                error: format!("given up after {} attempts: {error}", member.attempt),
            },
            TaskOutcome::Retry { after, error } => End::Retry { after, error },
            TaskOutcome::Killed { error } => End::Killed { error },
        };
        if let Some(sender) = self.0.upgrade() {
            // The receiver lives until the last sender is gone.
            let _ = sender.send(Ack {
                id: member.id.clone(),
                attempt: member.attempt,
                end,
            });
        }
    }
}

struct Running {
    heart: JoinHandle<()>,
    listener: JoinHandle<()>,
    fetcher: JoinHandle<()>,
    acker: JoinHandle<()>,
}

/// The backend. Not [`Clone`]: one worker, one lease.
pub struct LeaseBackend<T> {
    lease: Lease,
    settings: Arc<LeaseSettings>,
    stop: CancellationToken,
    acks: Option<mpsc::UnboundedSender<Ack>>,
    ack_source: Option<mpsc::UnboundedReceiver<Ack>>,
    sink: Option<mpsc::UnboundedSender<Group<T>>>,
    groups: mpsc::UnboundedReceiver<Group<T>>,
    running: Option<Running>,
    closing: Option<BoxFuture<'static, ()>>,
}

impl<T> LeaseBackend<T> {
    /// A backend for the worker called `worker`, a name that no worker had before.
    #[must_use]
    pub fn new(pool: PgPool, settings: Arc<LeaseSettings>, worker: String) -> Self {
        let (acks, ack_source) = mpsc::unbounded_channel();
        let (sink, groups) = mpsc::unbounded_channel();
        Self {
            lease: Lease {
                pool,
                queue: settings.queue.clone(),
                worker,
            },
            settings,
            stop: CancellationToken::new(),
            acks: Some(acks),
            ack_source: Some(ack_source),
            sink: Some(sink),
            groups,
            running: None,
            closing: None,
        }
    }

    pub(super) fn acks(&self) -> Acks {
        self.acks.as_ref().map_or_else(
            || Acks(mpsc::unbounded_channel().0.downgrade()),
            |acks| Acks(acks.downgrade()),
        )
    }
}

impl<T: DeserializeOwned + Send + 'static> LeaseBackend<T> {
    fn start(&mut self) {
        let (Some(sink), Some(ack_source), Some(acks)) = (
            self.sink.take(),
            self.ack_source.take(),
            self.acks.as_ref().map(mpsc::UnboundedSender::downgrade),
        ) else {
            return;
        };
        let (alive, wake) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let fetcher = Fetcher {
            lease: self.lease.clone(),
            settings: self.settings.clone(),
            stop: self.stop.clone(),
            places: Arc::new(Semaphore::new(self.settings.concurrency)),
            acks: Acks(acks),
            sink,
        };
        self.running = Some(Running {
            heart: tokio::spawn(beat(self.lease.clone(), self.settings.clone(), alive.clone())),
            listener: tokio::spawn(listen(self.lease.clone(), wake.clone())),
            fetcher: tokio::spawn(fetcher.run(alive, wake)),
            acker: tokio::spawn(acknowledge(self.lease.clone(), ack_source)),
        });
    }

    /// Stops fetching, gives back what never started, and writes the last acknowledgements.
    fn close(&mut self) -> BoxFuture<'static, ()> {
        self.stop.cancel();
        let (lease, acks, running) = (self.lease.clone(), self.acks.take(), self.running.take());
        let mut groups = std::mem::replace(&mut self.groups, mpsc::unbounded_channel().1);
        async move {
            let Some(running) = running else { return };
            // The fetcher ends by itself after its statement; a fetch that is cut off could lose its rows.
            let _ = tokio::time::timeout(Duration::from_secs(5), running.fetcher).await;
            let mut unstarted = Vec::new();
            while let Ok(group) = groups.try_recv() {
                unstarted.extend(group.members.into_iter().map(|member| member.id));
            }
            if let Err(error) = lease.hand_back(&unstarted).await {
                warn!(%error, tasks = unstarted.len(), "could not hand tasks back; another worker takes over");
            }
            drop(acks);
            let _ = tokio::time::timeout(Duration::from_secs(10), running.acker).await;
            running.heart.abort();
            running.listener.abort();
        }
        .boxed()
    }
}

impl<T> Drop for LeaseBackend<T> {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(running) = &self.running {
            running.heart.abort();
            running.listener.abort();
        }
    }
}

impl<T: DeserializeOwned + Send + 'static> Backend for LeaseBackend<T> {
    type Task = Task<Group<T>>;
    type Error = std::convert::Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Self::Error>> {
        self.start();
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Self::Error>>> {
        self.groups
            .poll_recv(cx)
            .map(|group| group.map(|group| Ok(TaskBuilder::new(group).build())))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Self::Error>> {
        let mut closing = self.closing.take().unwrap_or_else(|| self.close());
        let polled = closing.poll_unpin(cx);
        self.closing = Some(if polled.is_ready() {
            futures::future::ready(()).boxed()
        } else {
            closing
        });
        polled.map(|()| Ok(()))
    }
}

impl<T> BackendConfig for LeaseBackend<T> {
    type Args = Group<T>;
    type Id = ulid::Ulid;
    type Kind = Ephemeral;
    type Config = LeaseSettings;
    type Layer = Identity;

    fn config(&self) -> &LeaseSettings {
        &self.settings
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}

/// Heartbeat, and taking over from workers that have none.
async fn beat(lease: Lease, settings: Arc<LeaseSettings>, alive: Arc<Notify>) {
    let mut outage = Outage::new("queue heartbeat");
    loop {
        let beaten = match lease.heartbeat().await {
            Ok(()) => lease.take_over(settings.lease).await,
            Err(error) => Err(error),
        };
        match beaten {
            Ok(freed) => {
                outage.recovered();
                alive.notify_one();
                if freed > 0 {
                    info!(
                        tasks = freed,
                        queue = lease.queue,
                        "took tasks over from a worker that is gone"
                    );
                }
            }
            Err(error) => outage.failed(&error),
        }
        tokio::time::sleep(settings.heartbeat).await;
    }
}

/// Wakes the fetcher when tasks are pushed. A wake-up is kept until it is used; a lost connection is one too.
async fn listen(lease: Lease, wake: Arc<Notify>) {
    loop {
        if let Ok(mut listener) = PgListener::connect_with(&lease.pool).await
            && listener.listen(TASK_CHANNEL).await.is_ok()
        {
            wake.notify_one();
            while let Ok(Some(notification)) = listener.try_recv().await {
                if notification.payload() == lease.queue {
                    wake.notify_one();
                }
            }
            wake.notify_one();
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Writes acknowledgements in groups, for ever, until the last sender is gone.
async fn acknowledge(lease: Lease, mut source: mpsc::UnboundedReceiver<Ack>) {
    const MOST: usize = 1_000;
    let mut outage = Outage::new("queue acknowledgements");
    let mut acks = Vec::new();
    while source.recv_many(&mut acks, MOST).await > 0 {
        loop {
            match lease.acknowledge(&acks).await {
                Ok(ours) => {
                    outage.recovered();
                    let lost = (acks.len() as u64).saturating_sub(ours);
                    if lost > 0 {
                        warn!(
                            tasks = lost,
                            "acknowledgements came too late: another worker had taken over"
                        );
                    }
                    break;
                }
                Err(error) => {
                    outage.failed(&error);
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        }
        acks.clear();
    }
}

struct Fetcher<T> {
    lease: Lease,
    settings: Arc<LeaseSettings>,
    stop: CancellationToken,
    places: Arc<Semaphore>,
    acks: Acks,
    sink: mpsc::UnboundedSender<Group<T>>,
}

impl<T: DeserializeOwned + Send + 'static> Fetcher<T> {
    async fn run(self, alive: Arc<Notify>, wake: Arc<Notify>) {
        // A row is locked by a worker's name: the name must be on record first.
        alive.notified().await;
        let mut outage = Outage::new("queue fetch");
        let limit = i64::try_from(self.settings.batch).unwrap_or(i64::MAX);
        loop {
            let place = tokio::select! {
                () = self.stop.cancelled() => return,
                place = self.places.clone().acquire_owned() => place.ok(),
            };
            match self.lease.fetch(limit).await {
                Ok(rows) => {
                    outage.recovered();
                    let full = rows.len() >= self.settings.batch;
                    self.hand_out(rows, place).await;
                    if !full {
                        tokio::select! {
                            () = self.stop.cancelled() => return,
                            () = wake.notified() => {}
                            () = tokio::time::sleep(self.settings.poll) => {}
                        }
                    }
                }
                Err(error) => {
                    outage.failed(&error);
                    drop(place);
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        }
    }

    /// New tasks go out as one group; a task that was tried before goes out alone.
    async fn hand_out(&self, rows: Vec<Row>, place: Option<OwnedSemaphorePermit>) {
        let (mut fresh, mut again, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        for row in rows.into_iter().filter(|row| seen.insert(row.id.clone())) {
            let Some(member) = self.decode(row) else { continue };
            if member.attempt == 1 {
                fresh.push(member)
            } else {
                again.push(member)
            }
        }
        let mut place = place;
        if !fresh.is_empty() {
            let _ = self.sink.send(Group {
                members: fresh,
                permit: place.take(),
            });
        }
        for member in again {
            let permit = match place.take() {
                Some(place) => Some(place),
                None => self.places.clone().acquire_owned().await.ok(),
            };
            let _ = self.sink.send(Group {
                members: vec![member],
                permit,
            });
        }
    }

    /// A row that cannot be read is put aside with its reason; its neighbours go on.
    fn decode(&self, row: Row) -> Option<Member<T>> {
        let Row {
            id,
            payload,
            attempt,
            max_attempts,
        } = row;
        match serde_json::from_slice(&payload) {
            Ok(payload) => Some(Member {
                id,
                attempt,
                max_attempts,
                payload,
            }),
            Err(error) => {
                warn!(task = id, %error, "unreadable task put aside");
                let member = Member {
                    id,
                    attempt,
                    max_attempts,
                    payload: (),
                };
                self.acks.send(
                    &member,
                    TaskOutcome::Killed {
                        error: format!("unreadable: {error}"),
                    },
                );
                None
            }
        }
    }
}
