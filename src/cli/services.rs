//! `daemon`, `scheduler`, `worker`, `migrate`.

use std::{net::SocketAddr, sync::Arc};

use clap::Args;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::{
    live,
    out::Out,
    stop::{ChildArgs, stop_on_signal},
    target::actor,
};
use crate::{
    api,
    app::{
        App, AppError,
        connections::Kind,
        services::{self, Service},
    },
    chat,
    config::Settings,
};

#[derive(Debug, Args)]
pub(super) struct SchedulerArgs {
    /// Dispatch what is due now, then exit
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    child: ChildArgs,
}

#[derive(Debug, Args)]
pub(super) struct WorkerArgs {
    /// Concurrent groups of tasks, 1 to 256 [default: worker.concurrency of the settings, 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    concurrency: Option<u32>,
    #[command(flatten)]
    child: ChildArgs,
}

pub(super) async fn migrate(settings: &Settings, out: Out) -> Result<(), AppError> {
    let app = App::migrate(settings).await?;
    services::migrated(&app, &actor()).await?;
    out.show(&json!({ "migrated": true }), |_| {
        "the database is up to date".to_owned()
    })
}

pub(super) async fn scheduler(settings: &Settings, out: Out, args: &SchedulerArgs) -> Result<(), AppError> {
    let app = App::serve(settings, (!args.once).then_some(Kind::Scheduler)).await?;
    if args.once {
        let claimed = services::schedule_once(&app).await?;
        return out.show(&claimed, |claimed| {
            format!(
                "{} slots and {} open trades dispatched, {} slots missed",
                claimed.ticks, claimed.settles, claimed.missed
            )
        });
    }
    let stop = stop_on_signal()?;
    args.child.watch(&stop);
    Service::begin(&app, stop).scheduler().await
}

pub(super) async fn worker(mut settings: Settings, args: &WorkerArgs) -> Result<(), AppError> {
    if let Some(concurrency) = args.concurrency {
        settings.worker.concurrency = concurrency;
    }
    let app = App::serve(&settings, Some(Kind::Worker)).await?;
    let stop = stop_on_signal()?;
    args.child.watch(&stop);
    let service = Service::begin(&app, stop);
    service.worker(live::password).await
}

pub(super) async fn daemon(settings: &Settings) -> Result<(), AppError> {
    let app = App::serve(settings, Some(Kind::Daemon)).await?;
    let stop = stop_on_signal()?;
    let service = Service::begin(&app, stop.clone());
    let address = settings.api_address();
    let mut faces = JoinSet::new();
    if address.is_some() || settings.notify.chat_receiver().is_some() {
        let app = Arc::new(app.for_a_face().await?);
        if let Some(address) = address {
            faces.spawn(serve(app.clone(), address, settings.clone(), stop.clone()));
        }
        faces.spawn(chat::serve(app, stop));
    }
    let traded = service.daemon(live::password).await;
    while faces.join_next().await.is_some() {}
    traded
}

/// The HTTP API in the same process: trading does not depend on it.
async fn serve(app: Arc<App>, address: SocketAddr, settings: Settings, stop: CancellationToken) {
    if let Err(error) = api::serve(app, address, &settings, stop).await {
        error!(%address, %error, "the HTTP API is not served; set api.listen to a free address or to off, or correct what it names");
    }
}
