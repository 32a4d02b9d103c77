//! Delivers: one task hands events out, and one for each receiver takes them there.

use std::{sync::Arc, time::Duration};

use metrics::counter;
use sqlx::{PgPool, postgres::PgListener};
use tokio::{sync::Notify, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{
    notice::Notice,
    receiver::Receiver,
    send::{Failed, Sender},
    settings::NotifySettings,
};
use crate::{
    domain::{notice::EventChoice, span::Span},
    failpoint,
    store::{
        StoreError,
        deliveries::{self, Claimed, DeliveryTry, EVENT_CHANNEL, Failure, Recorded, Registration},
    },
    telemetry::{Outage, metric},
};

/// Longest sleep, should a wake-up get lost.
const POLL: Duration = Duration::from_secs(5);
/// Shortest sleep.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// Sleep after the database failed.
const PAUSE_BROKEN: Duration = Duration::from_secs(1);
/// Time between two signs that this process has its receivers.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);
/// First pause after a failure; doubles with each attempt.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// Longest such pause.
const RETRY_MAX: Duration = Duration::from_secs(300);
/// How long a message on its way may take after the process was told to stop.
const GRACE: Duration = Duration::from_secs(2);
/// A statement that takes longer is given up: its connection may be dead without knowing.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most events handed out by one statement.
const BATCH: i64 = 500;

struct Courier {
    pool: PgPool,
    sender: Sender,
    give_up_after: Span,
    /// Longer than a request can take: who holds a message longer is dead.
    lease: Span,
}

/// Delivers until `stop`. Without receivers, or if it is not to deliver, it only gives up what waits for receivers that nobody has any more.
pub async fn run(pool: PgPool, settings: NotifySettings, stop: CancellationToken) {
    let sender = match Sender::new(settings.timeout) {
        Ok(sender) => sender,
        Err(error) => {
            error!(%error, "nothing is delivered: the HTTP client cannot be made");
            return;
        }
    };
    let timeout = u64::try_from(settings.timeout.std().as_millis()).unwrap_or(u64::MAX);
    let courier = Arc::new(Courier {
        pool,
        sender,
        give_up_after: settings.give_up_after,
        lease: Span::from_millis(timeout.saturating_mul(2).saturating_add(5_000)),
    });
    let mut tasks = JoinSet::new();
    let mut bells = Vec::new();
    let receivers = if settings.deliver {
        settings.receivers()
    } else {
        Vec::new()
    };
    for receiver in &receivers {
        let bell = Arc::new(Notify::new());
        bells.push(bell.clone());
        let (courier, receiver, stop) = (courier.clone(), receiver.clone(), stop.clone());
        tasks.spawn(async move { courier.serve(&receiver, &bell, &stop).await });
    }
    courier.hand_out(&receivers, &bells, &stop).await;
    while tasks.join_next().await.is_some() {}
}

impl Courier {
    /// Hands events out to receivers as they happen.
    async fn hand_out(&self, receivers: &[Receiver], bells: &[Arc<Notify>], stop: &CancellationToken) {
        let registrations: Vec<Registration> = receivers.iter().map(registration).collect();
        let mut outage = Outage::new("notifications: database");
        let (mut listener, mut next_sign) = (None, Instant::now());
        while !stop.is_cancelled() {
            let round = tokio::select! {
                () = stop.cancelled() => break,
                round = timely(self.round(&registrations, &mut next_sign)) => round,
            };
            let pause = match round {
                Ok(events) => {
                    outage.recovered();
                    if events > 0 {
                        bells.iter().for_each(|bell| bell.notify_one());
                    }
                    POLL
                }
                Err(error) => {
                    outage.failed(&error);
                    listener = None;
                    PAUSE_BROKEN
                }
            };
            if listener.is_none() && !receivers.is_empty() {
                listener = listen(&self.pool).await;
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
                alive = woken(&mut listener) => if !alive { listener = None },
            }
        }
    }

    async fn round(
        &self,
        registrations: &[Registration],
        next_sign: &mut Instant,
    ) -> Result<u64, StoreError> {
        if *next_sign <= Instant::now() {
            deliveries::register(&self.pool, registrations).await?;
            for (receiver, count) in deliveries::sweep(&self.pool, self.give_up_after).await? {
                warn!(
                    receiver,
                    count, "messages given up: too old, or nobody has this receiver any more"
                );
                counter!(metric::NOTIFICATIONS, "receiver" => receiver, "outcome" => "given_up")
                    .increment(count);
            }
            *next_sign = Instant::now() + SIGN_OF_LIFE;
        }
        let mut events = 0;
        while !registrations.is_empty() {
            let fanned = deliveries::fan_out(&self.pool, BATCH).await?;
            events += fanned;
            if i64::try_from(fanned).is_ok_and(|fanned| fanned < BATCH) {
                break;
            }
        }
        Ok(events)
    }

    /// Takes messages to one receiver, one after the other.
    async fn serve(&self, receiver: &Receiver, bell: &Notify, stop: &CancellationToken) {
        let mut said = false;
        while !stop.is_cancelled() {
            let patience = async {
                stop.cancelled().await;
                tokio::time::sleep(GRACE).await;
            };
            let step = async {
                match self.step(receiver, &mut said).await {
                    Ok(true) => None,
                    Ok(false) => Some(self.pause(receiver).await),
                    // The task that hands out says that the database is away.
                    Err(_) => Some(PAUSE_BROKEN),
                }
            };
            let pause = tokio::select! {
                // It may have arrived: whoever comes next sends it again, with the same id.
                () = patience => break,
                pause = step => pause,
            };
            let Some(pause) = pause else { continue };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
                () = bell.notified() => {}
            }
        }
    }

    async fn pause(&self, receiver: &Receiver) -> Duration {
        match timely(deliveries::next_due(
            &self.pool,
            &receiver.name,
            self.give_up_after,
        ))
        .await
        {
            Ok(due) => due.unwrap_or(POLL).clamp(PAUSE_MIN, POLL),
            Err(_) => PAUSE_BROKEN,
        }
    }

    /// Sends the next message, if there is one and it is this receiver's turn. `false`: there was none.
    async fn step(&self, receiver: &Receiver, said: &mut bool) -> Result<bool, StoreError> {
        let claim = deliveries::claim(&self.pool, &receiver.name, self.lease, self.give_up_after);
        let Some(claimed) = timely(claim).await? else {
            return Ok(false);
        };
        let delivery = claimed.delivery;
        let outcome = match self.send(receiver, claimed).await {
            Ok(()) => {
                failpoint::reach(failpoint::NOTIFIED);
                let note = deliveries::delivered(&self.pool, delivery, &receiver.name, receiver.min_interval);
                let since = timely(note).await?;
                if let Some(after) = since.filter(|_| *said) {
                    let after = after.num_seconds();
                    info!(receiver = receiver.name, "takes messages again after {after} s");
                }
                *said = false;
                "delivered"
            }
            Err(failed) => {
                Self::say(receiver, &failed, delivery.number, said);
                self.note(receiver, &failed, delivery).await?
            }
        };
        counter!(metric::NOTIFICATIONS, "receiver" => receiver.name.clone(), "outcome" => outcome)
            .increment(1);
        Ok(true)
    }

    /// An outage is said once, and so is each message that is refused.
    fn say(receiver: &Receiver, failed: &Failed, attempt: u32, said: &mut bool) {
        let (receiver, error) = (&receiver.name, &failed.error);
        if failed.receiver_is_down && !*said {
            warn!(receiver, error, "does not take messages; trying on");
            *said = true;
        } else if !failed.receiver_is_down && attempt == 1 {
            warn!(
                receiver,
                error, "refuses a message; trying on, and others pass it"
            );
        }
    }

    async fn note(
        &self,
        receiver: &Receiver,
        failed: &Failed,
        delivery: DeliveryTry,
    ) -> Result<&'static str, StoreError> {
        let backoff = backoff(delivery.number);
        // Who wants to be asked again at once is asked again soon.
        let wish = failed.quiet_for.map(|wish| wish.max(RETRY_FIRST));
        let down = if failed.receiver_is_down {
            backoff
        } else {
            Duration::ZERO
        };
        let failure = Failure {
            delivery,
            receiver: &receiver.name,
            error: &failed.error,
            retry_after: wish.unwrap_or(backoff),
            quiet_for: wish.unwrap_or(down).max(receiver.min_interval.std()),
        };
        let noted = timely(deliveries::failed(&self.pool, &failure, self.give_up_after)).await?;
        Ok(match noted {
            Recorded::GivenUp => "given_up",
            Recorded::Retry | Recorded::Raced => "failed",
        })
    }

    async fn send(&self, receiver: &Receiver, claimed: Claimed) -> Result<(), Failed> {
        let notice = Notice::of(&receiver.name, claimed);
        self.sender.send(receiver, &notice).await
    }
}

async fn timely<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = Err(StoreError::Database(sqlx::Error::PoolTimedOut));
    tokio::time::timeout(PATIENCE, work).await.unwrap_or(late)
}

fn registration(receiver: &Receiver) -> Registration {
    Registration {
        name: receiver.name.clone(),
        kind: receiver.kind.to_string(),
        events: Vec::<String>::from(EventChoice::clone(&receiver.events)),
    }
}

/// Doubles with each attempt.
fn backoff(attempt: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
    RETRY_FIRST.saturating_mul(doubled).min(RETRY_MAX)
}

async fn listen(pool: &PgPool) -> Option<PgListener> {
    let mut listener = PgListener::connect_with(pool).await.ok()?;
    listener.listen(EVENT_CHANNEL).await.ok()?;
    Some(listener)
}

/// Resolves when an event was written; `false` if the listening connection is gone.
async fn woken(listener: &mut Option<PgListener>) -> bool {
    match listener {
        Some(listener) => matches!(listener.try_recv().await, Ok(Some(_))),
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes() {
        let seconds = [1, 2, 3, 9, 10, 1_000].map(|attempt| backoff(attempt).as_secs());
        assert_eq!(seconds, [1, 2, 4, 256, 300, 300]);
    }
}
