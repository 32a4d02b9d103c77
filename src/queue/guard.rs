//! The layer between the worker and the handler: whatever a handler does, each member gets its verdict.

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

use super::{
    ack::{Ack, Verdict},
    backend::{Core, Slot},
    group::{Group, Outcome},
};

/// Wraps a handler of groups in a [`GuardedService`].
#[derive(Debug, Clone)]
pub(super) struct GuardLayer {
    core: Arc<Core>,
}

impl GuardLayer {
    pub(super) fn new(core: Arc<Core>) -> Self {
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

/// Runs a handler as a task of its own, within the timeout, and acknowledges what came of it.
#[derive(Debug, Clone)]
pub(super) struct GuardedService<S> {
    inner: S,
    core: Arc<Core>,
}

/// How a group ended without outcomes.
#[derive(Debug, thiserror::Error)]
enum GroupFailure {
    #[error("the handler panicked: {0}")]
    Panic(String),
    #[error("the handler did not finish within {0:?}")]
    Timeout(Duration),
    #[error("the handler failed: {0}")]
    Error(BoxDynError),
    #[error("the handler returned {given} outcomes for {members} tasks")]
    Miscount { given: usize, members: usize },
}

/// What an acknowledgement needs to know of a member.
struct Receipt {
    row: String,
    attempt: u32,
    max_attempts: u32,
}

impl Receipt {
    fn acknowledge(self, verdict: Verdict) -> Ack {
        let verdict = match verdict {
            Verdict::Retry { reason, .. } if self.attempt >= self.max_attempts => {
                Verdict::Kill(format!("{reason} (attempt {}, the last)", self.attempt))
            }
            verdict => verdict,
        };
        Ack {
            row: self.row,
            attempt: self.attempt,
            verdict,
        }
    }
}

impl<S, T> Service<Task<Group<T>>> for GuardedService<S>
where
    S: Service<Task<Group<T>>, Response = Vec<Outcome>>,
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
        let receipts: Vec<Receipt> = task
            .args
            .members
            .iter()
            .map(|member| Receipt {
                row: member.row.clone(),
                attempt: member.attempt,
                max_attempts: member.max_attempts,
            })
            .collect();
        let slot = task.ctx().data().get::<Slot>().cloned();
        // Spawned, so that groups run on all cores and a panic ends nothing else.
        let run = core.handlers.spawn(self.inner.call(task));
        async move {
            let ended = ended(run, core.config.timeout, receipts.len()).await;
            core.acknowledge(verdicts(&core, receipts, ended));
            drop(slot);
            Ok(())
        }
        .boxed()
    }
}

async fn ended<E: Into<BoxDynError>>(
    run: tokio::task::JoinHandle<Result<Vec<Outcome>, E>>,
    limit: Duration,
    members: usize,
) -> Result<Vec<Outcome>, GroupFailure> {
    let mut run = AbortOnDropHandle::new(run);
    let joined = match tokio::time::timeout(limit, &mut run).await {
        Ok(joined) => joined,
        Err(_) => {
            run.abort();
            // Until it has really stopped, a retry would run beside it.
            run.await
        }
    };
    let outcomes = match joined {
        Ok(returned) => returned.map_err(|error| GroupFailure::Error(error.into()))?,
        Err(error) => {
            return Err(match error.try_into_panic() {
                Ok(panic) => GroupFailure::Panic(panic_message(panic.as_ref())),
                Err(_) => GroupFailure::Timeout(limit),
            });
        }
    };
    if outcomes.len() == members {
        Ok(outcomes)
    } else {
        Err(GroupFailure::Miscount {
            given: outcomes.len(),
            members,
        })
    }
}

fn verdicts(core: &Core, receipts: Vec<Receipt>, ended: Result<Vec<Outcome>, GroupFailure>) -> Vec<Ack> {
    match ended {
        Ok(outcomes) => receipts
            .into_iter()
            .zip(outcomes)
            .map(|(receipt, outcome)| {
                receipt.acknowledge(match outcome {
                    Outcome::Done => Verdict::Done,
                    Outcome::Kill(reason) => Verdict::Kill(reason),
                    Outcome::RetryAfter(after, reason) => Verdict::Retry {
                        after,
                        reason,
                        alone: false,
                    },
                })
            })
            .collect(),
        Err(failure) => {
            let members = receipts.len();
            tracing::error!(queue = %core.config.name, members, %failure, "a group failed as a whole");
            let retry = |receipt: Receipt| {
                let verdict = Verdict::Retry {
                    after: core.config.backoff(&receipt.row, receipt.attempt),
                    reason: failure.to_string(),
                    alone: true,
                };
                receipt.acknowledge(verdict)
            };
            receipts.into_iter().map(retry).collect()
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
