//! Events of the whole installation: nobody works on the jobs, they are worked on again, and the summary of a day or
//! week.
//!
//! A scheduler looks for workers and a worker for schedulers: what is missing cannot report itself.

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{
    domain::{event::Missing, span::Span, summary::SummaryEvery},
    service::{Loop, Service},
    store::{StoreError, alive, announced},
};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(15);

/// What this process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Role {
    /// It claims slots, and looks for workers.
    Scheduler,
    /// It evaluates slots, and looks for schedulers.
    Worker,
    /// It does both.
    Daemon,
}

/// Settings of the watch.
#[derive(Debug, Clone, Copy)]
pub struct WatchSettings {
    /// A worker without a heartbeat for this long is gone.
    pub silence: Span,
    /// What is missing for this long is announced.
    pub patience: Span,
    /// How often a summary is announced.
    pub summary: SummaryEvery,
}

/// Watches until `stop`. Trading never waits for it.
pub async fn run(pool: PgPool, role: Role, settings: WatchSettings, stop: CancellationToken) {
    let mut watch = Watch {
        pool,
        role,
        settings,
        no_worker_since: None,
    };
    Loop::new("the watch")
        .limit(Duration::from_secs(30))
        .abort_after(Duration::ZERO)
        .run(&mut watch, &stop)
        .await;
}

/// One look, for tests and for `run`.
///
/// # Errors
/// [`StoreError`].
pub async fn look(watch: &mut Watch) -> Result<(), StoreError> {
    if watch.role != Role::Worker {
        watch.for_workers().await?;
        watch.summary().await?;
    }
    if watch.role != Role::Scheduler {
        watch.for_schedulers().await?;
    }
    Ok(())
}

/// What one process has seen.
#[derive(Debug)]
pub struct Watch {
    /// The ledger.
    pub pool: PgPool,
    /// What this process is.
    pub role: Role,
    /// Its settings.
    pub settings: WatchSettings,
    /// Since when no worker was seen, by this process's clock.
    pub no_worker_since: Option<Instant>,
}

impl Service for Watch {
    type Error = StoreError;

    async fn pass(&mut self) -> Result<Duration, StoreError> {
        look(self).await?;
        Ok(EVERY.min(self.settings.patience.std().max(Duration::from_secs(1))))
    }
}

impl Watch {
    async fn for_workers(&mut self) -> Result<(), StoreError> {
        let workers = alive::workers(&self.pool, self.settings.silence).await?;
        let waiting = announced::waiting(&self.pool).await?;
        if workers.alive > 0 || waiting.jobs == 0 {
            self.no_worker_since = None;
            return self.back(Missing::Worker).await;
        }
        let since = *self.no_worker_since.get_or_insert_with(Instant::now);
        if since.elapsed() < self.settings.patience.std() {
            return Ok(());
        }
        let payload = json!({
            "jobs": waiting.jobs, "last_seen": workers.last_seen, "unclaimed_since": waiting.unclaimed_since,
        });
        if announced::missing(&self.pool, Missing::Worker, &payload).await? {
            error!(
                jobs = waiting.jobs,
                "no worker runs: nothing is evaluated and nothing is settled"
            );
        }
        Ok(())
    }

    /// A worker that runs sees that slots are due and nobody claims them.
    async fn for_schedulers(&self) -> Result<(), StoreError> {
        let waiting = announced::waiting(&self.pool).await?;
        let late = waiting.unclaimed_secs.unwrap_or_default();
        if late < self.settings.patience.std().as_secs_f64() {
            return self.back(Missing::Scheduler).await;
        }
        if self.role == Role::Daemon {
            // It claims slots itself: what is late here is load.
            return Ok(());
        }
        let payload = json!({ "jobs": waiting.jobs, "unclaimed_since": waiting.unclaimed_since });
        if announced::missing(&self.pool, Missing::Scheduler, &payload).await? {
            error!(
                jobs = waiting.jobs,
                "no scheduler runs: slots are due and nobody claims them"
            );
        }
        Ok(())
    }

    async fn back(&self, what: Missing) -> Result<(), StoreError> {
        if announced::recovered(&self.pool, what).await? {
            info!(%what, "it was missing and runs again");
        }
        Ok(())
    }

    async fn summary(&self) -> Result<(), StoreError> {
        let now = crate::store::now(&self.pool).await?;
        let Some((name, period)) = self.settings.summary.ended(now) else {
            return Ok(());
        };
        if announced::summary(&self.pool, self.settings.summary, &name, &period).await? {
            info!(period = name, "the summary is announced");
        }
        Ok(())
    }
}
