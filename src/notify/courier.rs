//! Runs deliveries: one service fans events out, and one for each receiver sends them.

use std::{sync::Arc, time::Duration};

use metrics::counter;
use sqlx::PgPool;
use strum::VariantArray;
use tokio::{sync::Notify, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{
    delivery::{Delivery, Sending, TryOutcome},
    receiver::Receiver,
    send::Sender,
    settings::NotifySettings,
};
use crate::{
    domain::{backoff::Backoff, notice::EventChoice, span::Span},
    service::{Loop, Service, Wakeups},
    store::{
        StoreError,
        deliveries::{self, EVENT_CHANNEL, Registration},
    },
    telemetry::metric,
};

/// Longest sleep, should a wake-up get lost.
const POLL: Duration = Duration::from_secs(5);
/// Time between two heartbeats, which keep the receivers of this process registered.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// A pass that takes longer is aborted: its connection may be dead without reporting it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pauses after database errors.
const RETRY: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(2));
/// Most events that one statement fans out.
const BATCH: i64 = 500;

/// Delivers until `stop`. Without receivers, or with `notify.deliver = false`, it only gives up the messages of
/// receivers that no process has any more.
pub async fn run(pool: PgPool, settings: NotifySettings, stop: CancellationToken) {
    let sender = match Sender::new(settings.timeout) {
        Ok(sender) => sender,
        Err(error) => {
            error!(%error, "nothing is delivered: the HTTP client cannot be made");
            return;
        }
    };
    let timeout = u64::try_from(settings.timeout.std().as_millis()).unwrap_or(u64::MAX);
    let sending = Arc::new(Sending {
        pool: pool.clone(),
        sender,
        give_up_after: settings.give_up_after,
        lease: Span::from_millis(timeout.saturating_mul(2).saturating_add(5_000)),
    });
    let receivers = if settings.deliver {
        settings.receivers()
    } else {
        Vec::new()
    };
    let mut fan_out = FanOut {
        pool: pool.clone(),
        give_up_after: settings.give_up_after,
        registrations: receivers.iter().map(registration).collect(),
        bells: Vec::new(),
        next_heartbeat: Instant::now(),
    };
    let mut deliveries = JoinSet::new();
    for receiver in receivers {
        // Export zeros first: a counter that first appears at one shows no increase.
        for outcome in TryOutcome::VARIANTS {
            let outcome: &'static str = outcome.into();
            counter!(metric::NOTIFICATIONS, "receiver" => receiver.name.clone(), "outcome" => outcome)
                .increment(0);
        }
        let bell = Arc::new(Notify::new());
        fan_out.bells.push(bell.clone());
        let (sending, stop) = (sending.clone(), stop.clone());
        deliveries.spawn(async move { Delivery::new(sending, receiver).run(bell, &stop).await });
    }
    let wakeups = if fan_out.registrations.is_empty() {
        Wakeups::None
    } else {
        Wakeups::Channel {
            pool,
            channel: EVENT_CHANNEL,
        }
    };
    Loop::new("notifications: database")
        .woken_by(wakeups)
        .retry(RETRY)
        .limit(PATIENCE)
        .abort_after(Duration::ZERO)
        .run(&mut fan_out, &stop)
        .await;
    while deliveries.join_next().await.is_some() {}
}

/// Turns new events into messages for receivers.
struct FanOut {
    pool: PgPool,
    give_up_after: Span,
    registrations: Vec<Registration>,
    /// Wake the deliveries of this process.
    bells: Vec<Arc<Notify>>,
    next_heartbeat: Instant,
}

impl Service for FanOut {
    type Error = StoreError;

    async fn pass(&mut self) -> Result<Duration, StoreError> {
        if self.next_heartbeat <= Instant::now() {
            self.heartbeat().await?;
            self.next_heartbeat = Instant::now() + HEARTBEAT;
        }
        while !self.registrations.is_empty() {
            let events = deliveries::fan_out(&self.pool, BATCH).await?;
            if events > 0 {
                self.bells.iter().for_each(|bell| bell.notify_one());
            }
            if i64::try_from(events).is_ok_and(|events| events < BATCH) {
                break;
            }
        }
        Ok(POLL)
    }
}

impl FanOut {
    async fn heartbeat(&self) -> Result<(), StoreError> {
        deliveries::register(&self.pool, &self.registrations).await?;
        for (receiver, count) in deliveries::sweep(&self.pool, self.give_up_after).await? {
            warn!(
                receiver,
                count, "gave up messages: too old, or no process has this receiver any more"
            );
            let outcome: &'static str = TryOutcome::GivenUp.into();
            counter!(metric::NOTIFICATIONS, "receiver" => receiver, "outcome" => outcome).increment(count);
        }
        Ok(())
    }
}

fn registration(receiver: &Receiver) -> Registration {
    Registration {
        name: receiver.name.clone(),
        kind: receiver.kind.to_string(),
        events: Vec::<String>::from(EventChoice::clone(&receiver.events)),
    }
}
