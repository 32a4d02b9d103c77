//! The layer between worker and handler: whatever a handler does, each member is acknowledged.

use std::{
    any::Any,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use apalis_core::{error::BoxDynError, task::Task};
use futures::{FutureExt, future::BoxFuture};
use tokio_util::task::AbortOnDropHandle;
use tower::{Layer, Service};

use crate::{
    core::{Core, Permit},
    disposition::{Ack, Disposition},
    group::{Completion, Group},
};

/// Wraps a handler of groups in a [`GuardedService`].
#[derive(Debug, Clone)]
pub(crate) struct GuardLayer {
    core: Arc<Core>,
}

impl GuardLayer {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardedService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardedService {
            inner,
            core: Arc::clone(&self.core),
        }
    }
}

/// Runs a handler as a separate tokio task within the timeout, and acknowledges each member.
#[derive(Debug, Clone)]
pub(crate) struct GuardedService<S> {
    inner: S,
    core: Arc<Core>,
}

/// How a group ended without completions.
#[derive(Debug, thiserror::Error)]
enum GroupFailure {
    #[error("the handler panicked: {0}")]
    Panic(String),
    #[error("the handler did not finish within {0:?}")]
    Timeout(Duration),
    #[error("the handler failed: {0}")]
    Error(BoxDynError),
    #[error("the handler returned {given} completions for {members} tasks")]
    Miscount { given: usize, members: usize },
}

/// Identifies the claim that an acknowledgement ends.
struct AckToken {
    row: String,
    attempt: u32,
    max_attempts: u32,
}

impl AckToken {
    fn acknowledge(self, disposition: Disposition) -> Ack {
        let disposition = match disposition {
            Disposition::Retry { reason, .. } if self.attempt >= self.max_attempts => {
                Disposition::Kill(format!("{reason} (attempt {}, the last)", self.attempt))
            }
            disposition => disposition,
        };
        Ack {
            row: self.row,
            attempt: self.attempt,
            disposition,
        }
    }
}

impl<S, T> Service<Task<Group<T>>> for GuardedService<S>
where
    S: Service<Task<Group<T>>, Response = Vec<Completion>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxDynError> + Send + 'static,
{
    type Response = ();
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<(), BoxDynError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, task: Task<Group<T>>) -> Self::Future {
        let core = Arc::clone(&self.core);
        let tokens: Vec<AckToken> = task
            .args
            .members
            .iter()
            .map(|member| AckToken {
                row: member.row.clone(),
                attempt: member.attempt,
                max_attempts: member.max_attempts,
            })
            .collect();
        let permit = task.ctx().data().get::<Permit>().cloned();
        // Spawned, so that groups run on all cores and a panic ends nothing else.
        let run = core.handlers.spawn(self.inner.call(task));
        async move {
            let ended = ended(run, core.config.timeout, tokens.len()).await;
            core.acknowledge(acks_of(&core, tokens, ended));
            drop(permit);
            Ok(())
        }
        .boxed()
    }
}

async fn ended<E: Into<BoxDynError>>(
    run: tokio::task::JoinHandle<Result<Vec<Completion>, E>>,
    limit: Duration,
    members: usize,
) -> Result<Vec<Completion>, GroupFailure> {
    let mut run = AbortOnDropHandle::new(run);
    let joined = match tokio::time::timeout(limit, &mut run).await {
        Ok(joined) => joined,
        Err(_) => {
            run.abort();
            // Until it has really stopped, a retry would run concurrently with it.
            run.await
        }
    };
    let completions = match joined {
        Ok(returned) => returned.map_err(|error| GroupFailure::Error(error.into()))?,
        Err(error) => {
            return Err(match error.try_into_panic() {
                Ok(panic) => GroupFailure::Panic(panic_message(panic.as_ref())),
                Err(_) => GroupFailure::Timeout(limit),
            });
        }
    };
    if completions.len() == members {
        Ok(completions)
    } else {
        Err(GroupFailure::Miscount {
            given: completions.len(),
            members,
        })
    }
}

fn acks_of(core: &Core, tokens: Vec<AckToken>, ended: Result<Vec<Completion>, GroupFailure>) -> Vec<Ack> {
    match ended {
        Ok(completions) => tokens
            .into_iter()
            .zip(completions)
            .map(|(token, completion)| {
                token.acknowledge(match completion {
                    Completion::Done => Disposition::Done,
                    Completion::Kill(reason) => Disposition::Kill(reason),
                    Completion::RetryAfter(after, reason) => Disposition::Retry {
                        after,
                        reason,
                        alone: false,
                    },
                })
            })
            .collect(),
        Err(failure) => {
            let members = tokens.len();
            tracing::error!(queue = %core.config.name, members, %failure, "a group failed as a whole");
            let retry = |token: AckToken| {
                let disposition = Disposition::Retry {
                    after: core.config.backoff(&token.row, token.attempt),
                    reason: failure.to_string(),
                    alone: true,
                };
                token.acknowledge(disposition)
            };
            tokens.into_iter().map(retry).collect()
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
