//! `pause`, `resume`, `liquidate`, `remove`.

use clap::Args;
use serde::Serialize;

use super::{CliError, Out, target, target::TargetArgs, world::World};
use crate::{
    config::Settings,
    domain::{job::Transition, liquidate::Liquidation, span::Span},
    store::{
        self,
        orders::{self, Order},
    },
};

#[derive(Debug, Args)]
pub(super) struct LiquidateArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Spread the selling over this long, such as 6h
    #[arg(long, default_value = "0s")]
    over: Span,
    /// In so many sells [default: 1, or 12 with --over]
    #[arg(long)]
    slices: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Changed {
    job: i64,
    symbol: String,
    before: String,
    after: String,
    note: Option<String>,
}

pub(super) async fn pause(settings: &Settings, out: Out, args: &TargetArgs) -> Result<(), CliError> {
    let note = "new trades stop now; a trade that was sent is still settled";
    change(settings, out, args, Order::Pause, Some(note)).await
}

pub(super) async fn resume(settings: &Settings, out: Out, args: &TargetArgs) -> Result<(), CliError> {
    change(settings, out, args, Order::Resume, None).await
}

pub(super) async fn remove(settings: &Settings, out: Out, args: &TargetArgs) -> Result<(), CliError> {
    change(
        settings,
        out,
        args,
        Order::Remove,
        Some("its history stays in the database"),
    )
    .await
}

pub(super) async fn liquidate(settings: &Settings, out: Out, args: &LiquidateArgs) -> Result<(), CliError> {
    let slices = args.slices.unwrap_or(if args.over.is_zero() { 1 } else { 12 });
    // The order's own check, before anything is opened: a wrong number changes nothing.
    Liquidation::new(chrono::DateTime::UNIX_EPOCH, args.over, slices)
        .map_err(|error| CliError::Usage(format!("liquidate: {error}")))?;
    let order = Order::Liquidate {
        over: args.over,
        slices,
    };
    change(
        settings,
        out,
        &args.target,
        order,
        Some("sells what this job bought, then is IDLE"),
    )
    .await
}

async fn change(
    settings: &Settings,
    out: Out,
    args: &TargetArgs,
    order: Order,
    note: Option<&str>,
) -> Result<(), CliError> {
    let world = World::open(settings).await?;
    let job = target::find(&world.pool, args).await?;
    let made = orders::order(&world.pool, job.id, order, &target::actor()).await?;
    let after = match made {
        Transition::To(status) => status.to_string(),
        Transition::Already => format!("{} already", job.status),
        Transition::Archived => "removed".to_owned(),
    };
    let idle = store::views::health(&world.pool, chrono::Utc::now())
        .await?
        .workers_alive
        == 0;
    let waits = matches!(order, Order::Liquidate { .. } | Order::Resume) && idle;
    let note = match note {
        _ if waits => Some("no worker is running: start one with `lgi-mm daemon`".to_owned()),
        note => note.map(str::to_owned),
    };
    let view = Changed {
        job: job.id.0,
        symbol: job.token.symbol,
        before: job.status.to_string(),
        after,
        note,
    };
    out.show(&view, |view| {
        let note = view
            .note
            .as_ref()
            .map(|note| format!(" ({note})"))
            .unwrap_or_default();
        format!(
            "job {} ({}): {} -> {}{note}",
            view.job, view.symbol, view.before, view.after
        )
    })
}
