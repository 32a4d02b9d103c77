//! Wake-ups: LISTEN for pushed tasks.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde::Deserialize;
use sqlx::{Executor, postgres::PgListener};

use crate::{
    channel::CHANNEL,
    core::Core,
    outage::{Outage, QueryError, answered},
};

/// A connection that is silent for this long is checked with a statement.
const SILENCE: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct Announcement<'a> {
    #[serde(borrow)]
    job_type: std::borrow::Cow<'a, str>,
}

/// Listens until aborted. A lost connection costs latency only: the fetcher polls as well.
pub(crate) async fn run(core: Arc<Core>) {
    let mut outage = Outage::of("listen for tasks", &core.config.name, Duration::from_secs(2));
    loop {
        let error = match connect(&core).await {
            Ok(listener) => {
                outage.passed();
                core.listening.store(true, Ordering::Relaxed);
                // Announcements may have been missed.
                core.wake.notify_one();
                let lost = listen(&core, listener).await;
                core.listening.store(false, Ordering::Relaxed);
                // Its sleep may be a long one.
                core.wake.notify_one();
                lost
            }
            Err(error) => error,
        };
        tokio::time::sleep(outage.failed(&error)).await;
    }
}

async fn connect(core: &Core) -> Result<PgListener, QueryError> {
    answered(async {
        let mut listener = PgListener::connect_with(&core.lifeline).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(listener)
    })
    .await
}

/// Wakes the fetcher at each announcement, until the connection is lost.
async fn listen(core: &Core, mut listener: PgListener) -> QueryError {
    loop {
        match tokio::time::timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => {
                let announcement = serde_json::from_str::<Announcement<'_>>(notification.payload());
                // An unreadable one is not ours; one superfluous look is harmless.
                if announcement.map_or(true, |said| said.job_type == core.config.name) {
                    core.wake.notify_one();
                }
            }
            Ok(Ok(None)) => return QueryError::Lost,
            Ok(Err(error)) => return QueryError::Database(error),
            Err(_) => {
                if let Err(error) = answered(listener.execute("SELECT 1")).await {
                    return error;
                }
            }
        }
    }
}
