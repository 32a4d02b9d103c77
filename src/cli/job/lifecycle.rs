//! `pause`, `resume`, `liquidate`, `remove`.

use clap::Args;
use serde::Serialize;

use crate::{
    app::{App, AppError},
    cli::{out::Out, target, target::TargetArgs},
    config::Settings,
    domain::{ids::JobId, job::Transition, liquidate::Liquidation, span::Span},
    store::{
        self,
        jobs::Job,
        orders::{self, Order},
    },
};

#[derive(Debug, Args)]
pub struct LiquidateArgs {
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
    job: JobId,
    symbol: String,
    before: String,
    after: String,
    changed: bool,
    note: Option<String>,
}

pub async fn pause(settings: &Settings, out: Out, args: &TargetArgs) -> Result<(), AppError> {
    let note = "new trades stop now; a trade that was sent is still settled";
    change(settings, out, args, Order::Pause, Some(note)).await
}

pub async fn resume(settings: &Settings, out: Out, args: &TargetArgs) -> Result<(), AppError> {
    change(settings, out, args, Order::Resume, None).await
}

pub async fn remove(settings: &Settings, out: Out, args: &TargetArgs) -> Result<(), AppError> {
    change(
        settings,
        out,
        args,
        Order::Remove,
        Some("its history stays in the database"),
    )
    .await
}

pub async fn liquidate(settings: &Settings, out: Out, args: &LiquidateArgs) -> Result<(), AppError> {
    let slices = args.slices.unwrap_or(if args.over.is_zero() { 1 } else { 12 });
    // The order's own check, before anything is opened: a wrong number changes nothing.
    Liquidation::new(chrono::DateTime::UNIX_EPOCH, args.over, slices)
        .map_err(|error| AppError::Usage(format!("liquidate: {error}")))?;
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
) -> Result<(), AppError> {
    let world = App::open(settings).await?;
    let job = crate::app::target::find(&world.pool, &args.into()).await?;
    let made = orders::order(&world.pool, job.id, order, target::actor().as_str()).await?;
    let after = match made {
        Transition::To(status) => status.to_string(),
        Transition::Already => job.status.to_string(),
        Transition::Archived => "removed".to_owned(),
    };
    let changed = made != Transition::Already;
    if !changed {
        keeps_its_plan(&job, order)?;
    }
    let idle = store::views::health(&world.pool, chrono::Utc::now())
        .await?
        .workers_alive
        == 0;
    let waits = matches!(order, Order::Liquidate { .. } | Order::Resume) && idle;
    let note = match note {
        _ if waits => Some("no worker is running: start one with `lgi-mm daemon`".to_owned()),
        _ if !changed => None,
        note => note.map(str::to_owned),
    };
    let view = Changed {
        job: job.id,
        symbol: job.token.symbol,
        before: job.status.to_string(),
        after,
        changed,
        note,
    };
    out.show(&view, |view| {
        let note = view
            .note
            .as_ref()
            .map(|note| format!(" ({note})"))
            .unwrap_or_default();
        let (job, symbol) = (view.job, &view.symbol);
        if view.changed {
            format!("job {job} ({symbol}): {} -> {}{note}", view.before, view.after)
        } else {
            format!("job {job} ({symbol}): {} already{note}", view.after)
        }
    })
}

/// A liquidation that runs goes on by its own plan; asking for another one is not passed over.
fn keeps_its_plan(job: &Job, order: Order) -> Result<(), AppError> {
    let (Order::Liquidate { over, slices }, Some(plan)) = (order, job.liquidation) else {
        return Ok(());
    };
    if (over, slices) == (plan.over, plan.slices) {
        return Ok(());
    }
    Err(AppError::Refused(format!(
        "job {id} is LIQUIDATING by another plan: {} of {} slices over {} are done; for a new plan `lgi-mm pause {id}` \
         it, then liquidate again",
        plan.slices_done,
        plan.slices,
        plan.over,
        id = job.id,
    )))
}
