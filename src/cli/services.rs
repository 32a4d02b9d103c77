//! `daemon`, `scheduler`, `worker`, `migrate`.

use std::{future::Future, sync::Arc};

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::{App, AppError, Out, live};
use crate::{
    app::policy,
    config::Settings,
    engine::Engine,
    notify,
    ports::Chain,
    retention,
    runner::{
        handlers, scheduler,
        tasks::{SETTLES, SettleTask, TICKS, TickTask},
    },
    telemetry::{self, Served},
};

#[derive(Debug, Args)]
pub(super) struct SchedulerArgs {
    /// Claim what is due now and end
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    child: ChildArgs,
}

#[derive(Debug, Args)]
pub(super) struct WorkerArgs {
    /// Groups of tasks in flight [default: worker.concurrency of the settings, 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    concurrency: Option<u32>,
    #[command(flatten)]
    child: ChildArgs,
}

/// For services that another program starts.
#[derive(Debug, Args)]
pub(super) struct ChildArgs {
    /// Stop when standard input closes: whoever started this is gone
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

impl ChildArgs {
    /// As the flag says.
    pub(super) const fn new(until_stdin_closes: bool) -> Self {
        Self { until_stdin_closes }
    }

    pub(super) fn watch(&self, stop: &CancellationToken) {
        if self.until_stdin_closes {
            let stop = stop.clone();
            // A thread of its own: a runtime would wait for the reading to end before it stops.
            std::thread::spawn(move || {
                // Whatever ends the reading, nobody is there any more.
                let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
                stop.cancel();
            });
        }
    }
}

pub(super) async fn migrate(settings: &Settings, out: Out) -> Result<(), AppError> {
    let _world = App::migrate(settings).await?;
    out.show(&json!({ "migrated": true }), |_| {
        "the database is up to date".to_owned()
    })
}

pub(super) async fn scheduler(settings: &Settings, out: Out, args: &SchedulerArgs) -> Result<(), AppError> {
    let world = App::open(settings).await?;
    if args.once {
        let claimed = scheduler::once(&world.pool, &settings.scheduler()).await?;
        let view = json!({ "ticks": claimed.ticks, "missed": claimed.missed, "settles": claimed.settles, "renewed": claimed.renewed });
        return out.show(&view, |_| {
            format!(
                "{} slots and {} open trades handed out, {} slots missed",
                claimed.ticks, claimed.settles, claimed.missed
            )
        });
    }
    say_files(settings);
    let stop = stop_on_signal()?;
    args.child.watch(&stop);
    let metrics = serve_metrics(settings, &world, &stop);
    let beside = beside(settings, &world, &stop);
    scheduler::run(world.pool.clone(), settings.scheduler(), stop.clone()).await;
    let _ = beside.await;
    ended(metrics).await
}

pub(super) async fn worker(mut settings: Settings, args: &WorkerArgs) -> Result<(), AppError> {
    if let Some(concurrency) = args.concurrency {
        settings.worker.concurrency = concurrency;
    }
    let world = App::open(&settings).await?;
    say_files(&settings);
    let stop = stop_on_signal()?;
    args.child.watch(&stop);
    let metrics = serve_metrics(&settings, &world, &stop);
    live::ready(&world).await?;
    policy::announce(&world).await?;
    let engine = world.engine().await?;
    engine.recover().await?;
    work(&settings, &world, engine, &stop).await?;
    ended(metrics).await
}

pub(super) async fn daemon(settings: &Settings) -> Result<(), AppError> {
    let world = App::open(settings).await?;
    say_files(settings);
    let stop = stop_on_signal()?;
    let metrics = serve_metrics(settings, &world, &stop);
    live::ready(&world).await?;
    policy::announce(&world).await?;
    let engine = world.engine().await?;
    engine.recover().await?;
    info!("daemon started");
    let scheduling = tokio::spawn(scheduler::run(
        world.pool.clone(),
        settings.scheduler(),
        stop.clone(),
    ));
    let beside = beside(settings, &world, &stop);
    let worked = work(settings, &world, engine, &stop).await;
    stop.cancel();
    let _ = scheduling.await;
    let _ = beside.await;
    worked?;
    info!("daemon stopped");
    ended(metrics).await
}

/// Which file this process obeys.
fn say_files(settings: &Settings) {
    match &settings.origin {
        Some(path) => info!(file = %path.display(), "settings read"),
        None => info!("no settings file: defaults and environment"),
    }
}

/// Both queues side by side: a flood of ticks never keeps an open trade waiting.
async fn work(
    settings: &Settings,
    world: &App,
    engine: Engine,
    stop: &CancellationToken,
) -> Result<(), AppError> {
    let (ticking, settling) = (engine.clone(), engine);
    let ticks = apalis_pg_groups::run::<TickTask, _, _>(
        world.pool.clone(),
        settings.queue(TICKS),
        move |group| {
            let engine = ticking.clone();
            async move { handlers::ticks(&engine, group).await }
        },
        stop.cancelled(),
    );
    let settles = apalis_pg_groups::run::<SettleTask, _, _>(
        world.pool.clone(),
        settings.queue(SETTLES),
        move |group| {
            let engine = settling.clone();
            async move { handlers::settles(&engine, group).await }
        },
        stop.cancelled(),
    );
    let (ticks, settles) = tokio::join!(stopping(ticks, stop), stopping(settles, stop));
    ticks
        .and(settles)
        .map_err(|error| AppError::Internal(format!("the worker ended: {error}")))
}

/// If one half ends, so does the other.
async fn stopping<T>(part: impl Future<Output = T>, stop: &CancellationToken) -> T {
    let ended = part.await;
    stop.cancel();
    ended
}

/// SIGTERM and Ctrl-C stop gently; a second one ends at once.
pub(super) fn stop_on_signal() -> Result<CancellationToken, AppError> {
    let io = |source| AppError::Io {
        what: "signal handler".to_owned(),
        source,
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(io)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(io)?;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if !first {
                std::process::exit(130);
            }
            info!("stopping: running work may end, nothing new begins");
            stopped.cancel();
        }
    });
    Ok(stop)
}

/// What schedulers and daemons do beside their work, and nothing waits for: telling receivers, and taking away what
/// is old.
fn beside(settings: &Settings, world: &App, stop: &CancellationToken) -> tokio::task::JoinHandle<()> {
    let telling = notify::run(world.pool.clone(), settings.notify.clone(), stop.clone());
    let pruning = retention::run(world.pool.clone(), settings.retention.clone(), stop.clone());
    tokio::spawn(async move {
        let _ = tokio::join!(tokio::spawn(telling), tokio::spawn(pruning));
    })
}

type Metrics = Option<tokio::task::JoinHandle<std::io::Result<()>>>;

fn serve_metrics(settings: &Settings, world: &App, stop: &CancellationToken) -> Metrics {
    let address = settings.metrics_address()?;
    let prometheus = telemetry::install_metrics()?;
    let (stop, served) = (
        stop.clone(),
        Served {
            prometheus,
            pool: world.pool.clone(),
            nodes: nodes(world),
            census: settings.census(),
        },
    );
    Some(tokio::spawn(async move {
        let served = telemetry::serve(address, served, stop).await;
        if let Err(error) = &served {
            // Trading does not depend on being watched.
            error!(%address, %error, "metrics are not served; set metrics.listen to a free address, or to off");
        }
        served
    }))
}

fn nodes(world: &App) -> telemetry::Nodes {
    let chains = world.live().chains().iter();
    chains
        .map(|(name, live)| (name.clone(), live.chain.clone() as Arc<dyn Chain>))
        .collect()
}

async fn ended(metrics: Metrics) -> Result<(), AppError> {
    if let Some(serving) = metrics {
        let _ = serving.await;
    }
    Ok(())
}
