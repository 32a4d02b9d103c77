//! `tick`: evaluates one slot now, in this process.

use clap::Args;

use super::questions::tick_question;
use crate::{
    app::{
        App, AppError,
        jobs::{sale, tick},
    },
    cli::{
        confirm::{asks, confirm},
        out::Out,
        target::{TargetArgs, actor},
    },
    config::Settings,
};

#[derive(Debug, Args)]
pub struct TickArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Evaluate a job that trades with real money without asking for confirmation
    #[arg(long)]
    yes: bool,
}

pub async fn run(settings: &Settings, out: Out, args: &TickArgs) -> Result<(), AppError> {
    let app = App::open(settings).await?;
    let target = (&args.target).into();
    if asks(out, args.yes)
        && let Some(trader) = sale::trader(&app, &target).await?
    {
        confirm(out, &tick_question(&trader))?;
    }
    let view = tick::tick(&app, &target, &actor()).await?;
    out.show(&view, |view| {
        let explained = view.explanation.as_ref();
        let explained = explained.map(|text| format!(": {text}")).unwrap_or_default();
        let name = &view.name;
        match view.trade {
            Some(trade) if view.is_final => format!("{name}: trade {trade}; see `lgi-mm trades`"),
            Some(trade) => format!("{name}: trade {trade} is not final yet; `lgi-mm daemon` settles it"),
            None => format!("{name}: {}{explained}", view.decision),
        }
    })
}
