//! `prune`: deletes expired rows now.

use clap::Args;

use super::{out::Out, target::actor};
use crate::{
    app::{
        App, AppError,
        prune::{self, PruneView},
    },
    config::Settings,
};

#[derive(Debug, Args)]
pub(super) struct PruneArgs {
    /// Only count what would be deleted
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(settings: &Settings, out: Out, args: &PruneArgs) -> Result<(), AppError> {
    let view = if args.dry_run {
        prune::count(&App::read(settings).await?).await?
    } else {
        prune::prune(&App::open(settings).await?, &actor()).await?
    };
    out.show(&view, text)
}

fn text(view: &PruneView) -> String {
    let rows = view.rows;
    format!(
        "{} runs of ticks, {} price samples, {} events and {} given-up tasks {}",
        rows.ticks,
        rows.samples,
        rows.events,
        rows.tasks,
        if view.dry_run {
            "would be deleted"
        } else {
            "deleted"
        }
    )
}
