//! Sends the messages of one receiver, one after the other.

use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};

use metrics::counter;
use sqlx::PgPool;
use strum::{IntoStaticStr, VariantArray};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    notice::Notice,
    receiver::Receiver,
    send::{Delivered, Failed, Sender},
};
use crate::{
    domain::{backoff::Backoff, span::Span},
    failpoint,
    service::{Loop, Service, Wakeups},
    store::{
        StoreError,
        deliveries::{self, ClaimedDelivery, DeliveryFailure, DeliveryTry, Recorded},
    },
    telemetry::metric,
};

/// Longest sleep, should a wake-up get lost.
const POLL: Duration = Duration::from_secs(5);
/// Shortest sleep.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// Sleep after a database error.
const PAUSE_BROKEN: Duration = Duration::from_secs(1);
/// First pause after a failed try.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// Pauses of a message after failed tries.
const RETRY: Backoff = Backoff::new(RETRY_FIRST, Duration::from_secs(300));
/// The same while only the owner can help. They begin as short, since a wrong secret is often replaced at once.
const OWNER_RETRY: Backoff = Backoff::new(RETRY_FIRST, Duration::from_secs(3_600));
/// How long a message that is being sent may take after the stop.
const GRACE: Duration = Duration::from_secs(2);
/// A statement that takes longer is aborted: its connection may be dead without reporting it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What all deliveries of a process share.
pub(super) struct Sending {
    pub(super) pool: PgPool,
    pub(super) sender: Sender,
    pub(super) give_up_after: Span,
    /// Longer than a request can take: a process that holds a message longer is dead.
    pub(super) lease: Span,
}

/// The deliveries to one receiver.
pub(super) struct Delivery {
    sending: Arc<Sending>,
    receiver: Receiver,
    /// Whether the receiver's outage is logged.
    logged_down: bool,
    /// What its owner has to change was logged.
    logged_remedy: bool,
    /// The last logged change of the settings that a moved receiver needs.
    logged_move: Option<String>,
}

/// How a try ended, as the metric labels it.
#[derive(Debug, Clone, Copy, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub(super) enum TryOutcome {
    Delivered,
    Failed,
    GivenUp,
}

impl Service for Delivery {
    /// Database errors are logged by the fan-out.
    type Error = Infallible;

    async fn pass(&mut self) -> Result<Duration, Infallible> {
        Ok(match self.send_next().await {
            Ok(true) => Duration::ZERO,
            Ok(false) => self.until_due().await,
            Err(_) => PAUSE_BROKEN,
        })
    }
}

impl Delivery {
    pub(super) const fn new(sending: Arc<Sending>, receiver: Receiver) -> Self {
        Self {
            sending,
            receiver,
            logged_down: false,
            logged_remedy: false,
            logged_move: None,
        }
    }

    /// Sends until `stop`. A message that is aborted may have arrived: it is sent again later, with the same id.
    pub(super) async fn run(mut self, bell: Arc<Notify>, stop: &CancellationToken) {
        Loop::new("notifications")
            .woken_by(Wakeups::Task(bell))
            .abort_after(GRACE)
            .run(&mut self, stop)
            .await;
    }

    async fn until_due(&self) -> Duration {
        let Sending {
            pool, give_up_after, ..
        } = &*self.sending;
        match timely(deliveries::next_due(pool, &self.receiver.name, *give_up_after)).await {
            Ok(due) => due.unwrap_or(POLL).clamp(PAUSE_MIN, POLL),
            Err(_) => PAUSE_BROKEN,
        }
    }

    /// Sends the next message. `false` if none is due or another process is sending to this receiver.
    async fn send_next(&mut self) -> Result<bool, StoreError> {
        let Sending {
            pool,
            give_up_after,
            lease,
            ..
        } = &*self.sending;
        let name = &self.receiver.name;
        let claim = deliveries::claim(pool, name, *lease, *give_up_after);
        let Some(claimed) = timely(claim).await? else {
            return Ok(false);
        };
        let delivery = claimed.delivery;
        let outcome = match self.send(claimed).await {
            Ok(Delivered { advice }) => {
                failpoint::reach(failpoint::NOTIFIED);
                self.log_move(advice);
                self.record_success(delivery).await?
            }
            Err(failed) => {
                self.log(&failed, delivery.number);
                self.record_failure(&failed, delivery).await?
            }
        };
        let receiver = self.receiver.name.clone();
        let outcome: &'static str = outcome.into();
        counter!(metric::NOTIFICATIONS, "receiver" => receiver, "outcome" => outcome).increment(1);
        Ok(true)
    }

    async fn send(&self, claimed: ClaimedDelivery) -> Result<Delivered, Failed> {
        let notice = Notice::of(&self.receiver.name, claimed);
        self.sending.sender.send(&self.receiver, &notice).await
    }

    async fn record_success(&mut self, delivery: DeliveryTry) -> Result<TryOutcome, StoreError> {
        let Receiver {
            name, min_interval, ..
        } = &self.receiver;
        let down = timely(deliveries::delivered(
            &self.sending.pool,
            delivery,
            name,
            *min_interval,
        ))
        .await?;
        if let Some(down) = down.filter(|_| self.logged_down) {
            info!(
                receiver = name,
                "receiver is up again after {} s",
                down.num_seconds()
            );
        }
        self.logged_down = false;
        self.logged_remedy = false;
        Ok(TryOutcome::Delivered)
    }

    /// Logs once where a receiver has moved to; messages go there meanwhile.
    fn log_move(&mut self, advice: Option<String>) {
        if let Some(advice) = advice.as_ref().filter(|_| self.logged_move != advice) {
            warn!(
                receiver = self.receiver.name,
                advice, "receiver has moved; messages are sent there"
            );
        }
        self.logged_move = advice;
    }

    /// Logs an outage once, and each rejected message once.
    fn log(&mut self, failed: &Failed, number: u32) {
        let (receiver, error) = (&self.receiver.name, &failed.error);
        if failed.needs_owner {
            // Also after an outage: what is to be changed is not known before.
            if !self.logged_remedy {
                warn!(
                    receiver,
                    error,
                    "receiver takes nothing until you change this; retrying ever less often, at least hourly"
                );
            }
            self.logged_remedy = true;
            self.logged_down = true;
        } else if failed.receiver_is_down && !self.logged_down {
            warn!(receiver, error, "receiver is down; retrying");
            self.logged_down = true;
        } else if failed.refused_for_good {
            warn!(
                receiver,
                error, "receiver refuses a message for good; later messages continue"
            );
        } else if !failed.receiver_is_down && number == 1 {
            warn!(
                receiver,
                error, "receiver rejected a message; will retry it, later messages continue"
            );
        }
    }

    async fn record_failure(&self, failed: &Failed, delivery: DeliveryTry) -> Result<TryOutcome, StoreError> {
        let pauses = if failed.needs_owner { OWNER_RETRY } else { RETRY };
        let backoff = pauses.after(delivery.number);
        // A receiver that asks for no pause gets a short one.
        let wish = failed.quiet_for.map(|wish| wish.max(RETRY_FIRST));
        let down = if failed.receiver_is_down {
            backoff
        } else {
            Duration::ZERO
        };
        let failure = DeliveryFailure {
            delivery,
            receiver: &self.receiver.name,
            error: &failed.error,
            refused_for_good: failed.refused_for_good,
            retry_after: wish.unwrap_or(backoff),
            quiet_for: wish.unwrap_or(down).max(self.receiver.min_interval.std()),
        };
        let record = deliveries::failed(&self.sending.pool, &failure, self.sending.give_up_after);
        Ok(match timely(record).await? {
            Recorded::GivenUp => TryOutcome::GivenUp,
            Recorded::Retry | Recorded::Raced => TryOutcome::Failed,
        })
    }
}

async fn timely<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = Err(StoreError::Database(sqlx::Error::PoolTimedOut));
    tokio::time::timeout(PATIENCE, work).await.unwrap_or(late)
}
