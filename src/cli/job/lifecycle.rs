//! `pause`, `resume`, `liquidate`, `remove`.

use clap::Args;

use crate::{
    app::{
        App, AppError,
        jobs::lifecycle::{self, Changed, LiquidateRequest},
    },
    cli::{
        out::Out,
        target::{TargetArgs, actor},
        wording::CommandLine,
    },
    config::Settings,
    domain::span::Span,
};

#[derive(Debug, Args)]
pub struct LiquidateArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Spread the selling over this long, such as 6h
    #[arg(long, default_value = "0s")]
    over: Span,
    /// Number of sells [default: 1, or 12 with --over]
    #[arg(long)]
    slices: Option<u32>,
}

pub async fn pause(settings: &Settings, out: Out, args: &TargetArgs) -> Result<(), AppError> {
    let app = App::open(settings).await?;
    show(out, lifecycle::pause(&app, &args.into(), &actor()).await?)
}

pub async fn resume(settings: &Settings, out: Out, args: &TargetArgs) -> Result<(), AppError> {
    let app = App::open(settings).await?;
    show(out, lifecycle::resume(&app, &args.into(), &actor()).await?)
}

pub async fn remove(settings: &Settings, out: Out, args: &TargetArgs) -> Result<(), AppError> {
    let app = App::open(settings).await?;
    show(out, lifecycle::remove(&app, &args.into(), &actor()).await?)
}

pub async fn liquidate(settings: &Settings, out: Out, args: &LiquidateArgs) -> Result<(), AppError> {
    // Validated before anything is opened: a wrong number changes nothing.
    let request = LiquidateRequest::new(args.over, args.slices)?;
    let app = App::open(settings).await?;
    let target = (&args.target).into();
    show(out, lifecycle::liquidate(&app, &target, request, &actor()).await?)
}

fn show(out: Out, mut changed: Changed) -> Result<(), AppError> {
    if let Some(note) = &mut changed.note {
        note.write(&CommandLine);
    }
    out.show(&changed, |view| {
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
