//! Runs the workers of one queue.

use std::{convert::Infallible, future::Future, io, sync::Arc};

use apalis_core::{
    monitor::{Monitor, MonitorError},
    worker::builder::WorkerBuilder,
};
use serde::de::DeserializeOwned;
use sqlx::PgPool;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use ulid::Ulid;

use crate::{
    backend::GroupBackend,
    config::{QueueConfig, QueueConfigError},
    group::{Completion, Group},
};

/// Why a worker did not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The settings cannot work.
    #[error(transparent)]
    Config(#[from] QueueConfigError),
    /// apalis' monitor ended with an error.
    #[error("the worker ended")]
    Monitor(#[from] MonitorError),
}

/// Runs `handler` on the groups of one queue until `shutdown` is ready.
///
/// Then nothing more is claimed, groups that were claimed and not started are released, running handlers have up to
/// `config.grace` to end and are aborted after it (their tasks are released too), the last acknowledgements are
/// written and the worker's row is deleted.
///
/// `pool` serves fetching and acknowledging; the lease and the listener have two connections of their own, or those of
/// [`QueueConfig::lifeline`].
///
/// # Errors
/// [`RunError::Config`] before anything has started. Database errors are retried and never returned.
pub async fn run<T, H, F>(
    pool: PgPool,
    config: QueueConfig,
    handler: H,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), RunError>
where
    T: DeserializeOwned + Send + Sync + 'static,
    H: Fn(Group<T>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Vec<Completion>> + Send + 'static,
{
    config.check()?;
    let config = Arc::new(config);
    let stopping = CancellationToken::new();
    let lives = TaskTracker::new();
    let worker = {
        let (config, stopping, lives) = (Arc::clone(&config), stopping.clone(), lives.clone());
        move |_restarts: usize| {
            // A name is never reused: tasks locked under it could not be distinguished from ours.
            let name = worker_name(&config.process);
            let backend = GroupBackend::<T>::new(
                pool.clone(),
                Arc::clone(&config),
                name.clone(),
                stopping.child_token(),
                lives.clone(),
            );
            let handler = handler.clone();
            WorkerBuilder::new(name)
                .backend(backend)
                .build(move |group: Group<T>| {
                    let handler = handler.clone();
                    async move { Ok::<_, Infallible>(handler(group).await) }
                })
        }
    };
    let grace = config.grace;
    let signal = {
        let stopping = stopping.clone();
        async move {
            shutdown.await;
            stopping.cancel();
            Ok::<(), io::Error>(())
        }
    };
    let ended = Monitor::new()
        .register(worker)
        .should_restart(|_, _| true)
        .with_terminator(async move { tokio::time::sleep(grace).await })
        .run_with_signal(signal)
        .await;
    stopping.cancel();
    lives.close();
    lives.wait().await;
    Ok(ended?)
}

fn worker_name(process: &str) -> String {
    let own = Ulid::generate();
    if process.is_empty() {
        own.to_string()
    } else {
        format!("{process}-{own}")
    }
}
