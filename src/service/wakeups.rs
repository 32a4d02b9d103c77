//! Events that end a service's sleep early.

use std::{sync::Arc, time::Duration};

use sqlx::{PgPool, postgres::PgListener};
use tokio::sync::Notify;

/// Longest wait for a connection that listens.
const PATIENCE: Duration = Duration::from_secs(5);

/// What wakes a service.
#[derive(Debug)]
pub enum Wakeups {
    /// Nothing: it sleeps as long as it said.
    None,
    /// Notifications on a Postgres channel. Losing the connection costs latency only.
    Channel {
        /// Where the listener takes its connection from.
        pool: PgPool,
        /// The channel's name.
        channel: &'static str,
    },
    /// Another task of this process.
    Task(Arc<Notify>),
}

/// [`Wakeups`] with the connection that listens, if there is one.
pub(super) struct Listening {
    wakeups: Wakeups,
    listener: Option<PgListener>,
}

impl Listening {
    pub(super) const fn new(wakeups: Wakeups) -> Self {
        Self {
            wakeups,
            listener: None,
        }
    }

    /// Connects if needed, within `limit`: a pooler that has no connection for us gives no answer, and the passes
    /// must continue without one. `true` if it has just connected: earlier notifications may have been missed.
    pub(super) async fn connect(&mut self, limit: Option<Duration>) -> bool {
        let Wakeups::Channel { pool, channel } = &self.wakeups else {
            return false;
        };
        if self.listener.is_some() {
            return false;
        }
        let limit = limit.unwrap_or(PATIENCE).min(PATIENCE);
        let connected = tokio::time::timeout(limit, listen(pool, channel)).await;
        self.listener = connected.ok().and_then(Result::ok);
        self.listener.is_some()
    }

    /// Drops the connection after a failure: it may be dead without reporting it.
    pub(super) fn disconnect(&mut self) {
        self.listener = None;
    }

    /// Resolves at the next wake-up or when the connection is lost.
    pub(super) async fn next(&mut self) {
        match (&self.wakeups, &mut self.listener) {
            (Wakeups::Task(notify), _) => notify.notified().await,
            (Wakeups::Channel { .. }, Some(listener)) => {
                // `None` says that the connection was lost, and notifications perhaps with it.
                if !matches!(listener.try_recv().await, Ok(Some(_))) {
                    self.listener = None;
                }
            }
            (Wakeups::Channel { .. } | Wakeups::None, _) => std::future::pending().await,
        }
    }
}

async fn listen(pool: &PgPool, channel: &str) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(channel).await?;
    Ok(listener)
}
