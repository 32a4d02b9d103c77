//! Long-running services: scheduler, worker and daemon.
//!
//! A face opens the [`App`], creates a [`Service`] and runs it; for a password that is missing the service asks the
//! face.

use std::{future::Future, sync::Arc, time::Duration};

use apalis_pg_groups::QueueConfig;
use futures::future::OptionFuture;
use serde::Serialize;
use serde_json::json;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use ulid::Ulid;

use super::{
    actor::Actor,
    context::App,
    error::AppError,
    policy,
    preflight::{self, AskPassword},
    settings_file,
    trail::{self, Action},
};
use crate::{
    engine::Engine,
    monitor::{self, Served},
    notify,
    ports::Chain,
    retention,
    runner::{
        follow::Followers,
        handlers, scheduler,
        tasks::{SETTLES, SettleTask, TICKS, TickTask},
        watch::{self, Role},
    },
    telemetry, version,
};

/// Result of one pass of the scheduler.
#[derive(Debug, Serialize)]
pub struct Claimed {
    /// Slots skipped because later ones were already due.
    pub missed: u64,
    /// Slots dispatched again because their task was lost.
    pub renewed: u64,
    /// Open trades dispatched.
    pub settles: u64,
    /// Slots dispatched.
    pub ticks: u64,
}

/// A service that already serves metrics.
pub struct Service<'a> {
    app: &'a App,
    stop: CancellationToken,
    metrics: Metrics,
}

/// What serves metrics, if anything does.
pub type Metrics = Option<JoinHandle<std::io::Result<()>>>;

/// Records in the audit trail that [`App::migrate`] has migrated the database.
///
/// # Errors
/// [`AppError::Store`].
pub async fn migrated(app: &App, actor: &Actor) -> Result<(), AppError> {
    let detail = json!({ "version": version::FULL });
    trail::record(app, actor, Action::Migrate, "database", detail).await
}

/// Dispatches everything that is due now, once.
///
/// # Errors
/// [`AppError`] if the database fails.
pub async fn schedule_once(app: &App) -> Result<Claimed, AppError> {
    let claimed = scheduler::once(&app.pool, &app.settings.scheduler()).await?;
    Ok(Claimed {
        missed: claimed.missed,
        renewed: claimed.renewed,
        settles: claimed.settles,
        ticks: claimed.ticks,
    })
}

impl<'a> Service<'a> {
    /// Logs the settings in force and serves metrics until `stop`.
    #[must_use]
    pub fn begin(app: &'a App, stop: CancellationToken) -> Self {
        match &app.settings.origin {
            Some(path) => info!(file = %path.display(), "settings read"),
            None => info!("no settings file: defaults and environment"),
        }
        let metrics = serve_metrics(app, &stop);
        Self { app, stop, metrics }
    }

    /// Dispatches slots and open trades, delivers messages and deletes expired rows, until stopped.
    ///
    /// # Errors
    /// None at present: the service logs outages and continues.
    pub async fn scheduler(self) -> Result<(), AppError> {
        let background = background(self.app, &self.stop, Role::Scheduler);
        scheduler::run(
            self.app.pool.clone(),
            self.app.settings.scheduler(),
            self.stop.clone(),
        )
        .await;
        let _ = background.await;
        ended(self.metrics).await;
        Ok(())
    }

    /// Checks the nodes and opens the keys of live jobs ([`preflight::ready`]), then evaluates slots and settles open
    /// trades, until stopped.
    ///
    /// # Errors
    /// [`AppError`] if a queue ends before it is stopped.
    pub async fn worker(self, ask: impl AskPassword) -> Result<(), AppError> {
        let engine = self.ready(ask).await?;
        let watching = watching(self.app, &self.stop, Role::Worker);
        let worked = work(self.app, engine, &self.stop).await;
        self.stop.cancel();
        let _ = watching.await;
        worked?;
        ended(self.metrics).await;
        Ok(())
    }

    /// Scheduler and worker in one process, until stopped.
    ///
    /// # Errors
    /// [`AppError`] if a queue ends before it is stopped.
    pub async fn daemon(self, ask: impl AskPassword) -> Result<(), AppError> {
        let engine = self.ready(ask).await?;
        info!("daemon started");
        let scheduling = tokio::spawn(scheduler::run(
            self.app.pool.clone(),
            self.app.settings.scheduler(),
            self.stop.clone(),
        ));
        let background = background(self.app, &self.stop, Role::Daemon);
        let worked = work(self.app, engine, &self.stop).await;
        self.stop.cancel();
        let _ = scheduling.await;
        let _ = background.await;
        worked?;
        info!("daemon stopped");
        ended(self.metrics).await;
        Ok(())
    }

    /// An engine that has recovered what an earlier process left, with the keys of its live jobs open.
    async fn ready(&self, ask: impl AskPassword) -> Result<Engine, AppError> {
        preflight::ready(self.app, ask).await?;
        policy::announce(self.app).await?;
        let engine = self.app.engine().await?;
        engine.recover().await?;
        Ok(engine)
    }
}

/// Longest wait for connections to close when a worker ends.
const LIFELINE_CLOSES: Duration = Duration::from_secs(2);

/// Both queues side by side: no task of an open trade waits behind ticks.
async fn work(app: &App, engine: Engine, stop: &CancellationToken) -> Result<(), AppError> {
    let followers = Followers::new(&engine, app.settings.worker.lease, stop.clone());
    let (ticking, settling) = ((engine.clone(), followers.clone()), (engine, followers.clone()));
    let process = Ulid::generate().to_string();
    // A listener for each queue, and heartbeats: no load of ours may exhaust them.
    let lifeline = PgPoolOptions::new()
        .max_connections(3)
        .acquire_timeout(app.settings.worker.lease.std())
        .connect_lazy_with(app.pool.connect_options().as_ref().clone());
    let queue = |name| QueueConfig {
        process: process.clone(),
        lifeline: Some(lifeline.clone()),
        ..app.settings.queue(name)
    };
    let ticks = apalis_pg_groups::run::<TickTask, _, _>(
        app.pool.clone(),
        queue(TICKS),
        move |group| {
            let (engine, followers) = ticking.clone();
            async move { handlers::ticks(&engine, &followers, group).await }
        },
        stop.cancelled(),
    );
    let settles = apalis_pg_groups::run::<SettleTask, _, _>(
        app.pool.clone(),
        queue(SETTLES),
        move |group| {
            let (engine, followers) = settling.clone();
            async move { handlers::settles(&engine, &followers, group).await }
        },
        stop.cancelled(),
    );
    let (ticks, settles) = tokio::join!(stopping(ticks, stop), stopping(settles, stop));
    followers.end().await;
    // A database that does not answer would keep it open for long.
    let _ = tokio::time::timeout(LIFELINE_CLOSES, lifeline.close()).await;
    ticks
        .and(settles)
        .map_err(|error| AppError::Internal(format!("the worker ended: {error}")))
}

/// Stops the other queue when this one ends.
async fn stopping<T>(part: impl Future<Output = T>, stop: &CancellationToken) -> T {
    let ended = part.await;
    stop.cancel();
    ended
}

/// Looks for what is missing, and announces summaries.
fn watching(app: &App, stop: &CancellationToken, role: Role) -> JoinHandle<()> {
    telemetry::note_process(&role.to_string(), &app.settings.fingerprint);
    let others = watch::run(app.pool.clone(), role, app.settings.watch(), stop.clone());
    let file = settings_file::watch(
        app.settings.origin.clone(),
        app.settings.fingerprint.clone(),
        stop.clone(),
    );
    // A scheduler has no keys, and no policy.
    let signs = role != Role::Scheduler;
    let usage = signs.then(|| policy::export(app.live().policy().clone(), stop.clone()));
    tokio::spawn(async move {
        tokio::join!(others, file, OptionFuture::from(usage));
    })
}

/// What schedulers and daemons do in the background: deliver messages, delete expired rows and watch the others.
/// Trading never waits for it.
fn background(app: &App, stop: &CancellationToken, role: Role) -> JoinHandle<()> {
    let watching = watching(app, stop, role);
    let delivering = notify::run(app.pool.clone(), app.settings.notify.clone(), stop.clone());
    let pruning = retention::run(app.pool.clone(), app.settings.retention.clone(), stop.clone());
    tokio::spawn(async move {
        let _ = tokio::join!(tokio::spawn(delivering), tokio::spawn(pruning), watching);
    })
}

/// Metrics and health at `metrics.listen`, until `stop`; nothing if that is off.
pub fn serve_metrics(app: &App, stop: &CancellationToken) -> Metrics {
    let address = app.settings.metrics_address()?;
    let prometheus = telemetry::install_metrics()?;
    for live in app.live().chains().values() {
        live.rpc.export();
    }
    let (stop, served) = (
        stop.clone(),
        Served {
            prometheus,
            pool: app.pool.clone(),
            nodes: nodes(app),
            census: app.settings.census(),
        },
    );
    Some(tokio::spawn(async move {
        let served = monitor::serve(address, served, stop).await;
        if let Err(error) = &served {
            // Trading does not depend on being watched.
            error!(%address, %error, "metrics are not served; set metrics.listen to a free address, or to off");
        }
        served
    }))
}

fn nodes(app: &App) -> monitor::Nodes {
    let chains = app.live().chains().iter();
    chains
        .map(|(name, live)| (name.clone(), live.chain.clone() as Arc<dyn Chain>))
        .collect()
}

async fn ended(metrics: Metrics) {
    if let Some(serving) = metrics {
        let _ = serving.await;
    }
}
