//! `prune`: takes away what is old, now.

use clap::Args;
use serde_json::json;

use super::{App, AppError, Out};
use crate::{
    config::Settings,
    retention::{self, Pass, Pruned},
};

#[derive(Debug, Args)]
pub(super) struct PruneArgs {
    /// Only count what would go
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(settings: &Settings, out: Out, args: &PruneArgs) -> Result<(), AppError> {
    let world = if args.dry_run {
        App::read(settings).await?
    } else {
        App::open(settings).await?
    };
    let pass = retention::prune(&world.pool, &settings.retention, args.dry_run).await?;
    let Pass::Done(pruned) = pass else {
        return Err(AppError::Refused(
            "another process is pruning; it takes away all that is old, so there is nothing left to do here"
                .to_owned(),
        ));
    };
    let view = json!({ "dry_run": args.dry_run, "rows": pruned });
    out.show(&view, |_| {
        let Pruned {
            ticks,
            samples,
            events,
            tasks,
        } = pruned;
        let went = if args.dry_run { "would go" } else { "are gone" };
        format!("{ticks} runs of ticks, {samples} price samples, {events} events and {tasks} given-up tasks {went}")
    })
}
