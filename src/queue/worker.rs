//! A worker: apalis' monitor around our backend and a handler of groups.

use std::{future::Future, sync::Arc, time::Duration};

use apalis::prelude::{BoxDynError, Monitor, WorkerBuilder, WorkerBuilderExt};
use serde::de::DeserializeOwned;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use ulid::Ulid;

use super::{
    backend::{Acks, Group, LeaseBackend, LeaseSettings, Member, TaskOutcome},
    lease::Lease,
};

/// First pause after a group that panicked or took too long; doubles with each attempt.
const RETRY_FIRST: Duration = Duration::from_millis(500);

/// Works until told to stop: then fetches no more, lets running groups end within the grace period, and hands
/// back the rest. A group that panics or takes too long harms no other.
///
/// # Errors
/// What made apalis' monitor end although nobody told it to.
pub async fn run<T, H, F>(
    pool: PgPool,
    settings: LeaseSettings,
    handler: H,
    stop: CancellationToken,
) -> Result<(), BoxDynError>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
    H: Fn(Group<T>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Vec<TaskOutcome>> + Send + 'static,
{
    let (settings, process) = (Arc::new(settings), Ulid::generate());
    let grace = settings.grace;
    let lease_of = {
        let (pool, queue) = (pool.clone(), settings.queue.clone());
        move |worker| Lease { pool, queue, worker }
    };
    // apalis gives a worker's tasks to another only when its name is gone: every start has a name of its own.
    let name = move |restarts: usize| format!("{process}-{restarts}");
    let monitor = Monitor::new()
        .register(move |restarts| {
            let backend = LeaseBackend::<T>::new(pool.clone(), settings.clone(), name(restarts));
            let (acks, handler, timeout) = (backend.acks(), handler.clone(), settings.timeout);
            WorkerBuilder::new(name(restarts))
                .backend(backend)
                .concurrency(settings.concurrency)
                .build(move |group: Group<T>| guarded(group, handler.clone(), acks.clone(), timeout))
        })
        .should_restart(|worker, error| {
            warn!(worker = worker.name(), %error, "worker ended, starting anew");
            true
        })
        .shutdown_timeout(grace);
    let stopped = stop.clone();
    let ended = monitor
        .run_with_signal(async move {
            stopped.cancelled().await;
            Ok(())
        })
        .await;
    let lease = lease_of(name(0));
    if let Err(error) = lease.leave().await {
        info!(%error, "could not say good-bye to the queue; another worker takes over after the lease");
    }
    Ok(ended?)
}

/// Runs a handler on a task of its own, with a time limit, and acknowledges every member of the group.
async fn guarded<T, H, F>(
    mut group: Group<T>,
    handler: H,
    acks: Acks,
    timeout: Duration,
) -> Result<(), BoxDynError>
where
    T: Clone + Send + Sync + 'static,
    H: Fn(Group<T>) -> F + Send + Sync + 'static,
    F: Future<Output = Vec<TaskOutcome>> + Send + 'static,
{
    let place = group.permit.take();
    let members = group.members.clone();
    let mut running = tokio::spawn(handler(group));
    let failed = match tokio::time::timeout(timeout, &mut running).await {
        Ok(Ok(outcomes)) if outcomes.len() == members.len() => {
            for (member, outcome) in members.iter().zip(outcomes) {
                acks.send(member, outcome);
            }
            drop(place);
            return Ok(());
        }
        Ok(Ok(outcomes)) => format!("{} outcomes for {} tasks", outcomes.len(), members.len()),
        Ok(Err(error)) => format!("panicked: {error}"),
        Err(_) => {
            running.abort();
            format!("took longer than {}", humantime::format_duration(timeout))
        }
    };
    error!(
        tasks = members.len(),
        error = failed,
        "a group of tasks failed; each is tried again alone"
    );
    for member in &members {
        acks.send(member, TaskOutcome::retry(pause_after(member), failed.clone()));
    }
    Ok(())
}

fn pause_after<T>(member: &Member<T>) -> Duration {
    let doublings = u32::try_from(member.attempt.saturating_sub(1))
        .unwrap_or(0)
        .min(6);
    RETRY_FIRST.saturating_mul(1 << doublings)
}
