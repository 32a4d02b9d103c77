//! `health`: queries a running service, for health checks.

use clap::Args;

use super::out::Out;
use crate::{
    app::{
        AppError,
        health::{self, Probe},
    },
    config::Settings,
};

#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    /// Check only that the process is alive, not that it is ready
    #[arg(long)]
    alive: bool,
}

pub(super) async fn run(settings: &Settings, out: Out, args: &HealthArgs) -> Result<(), AppError> {
    let probe = if args.alive { Probe::Alive } else { Probe::Ready };
    let answer = health::ask(settings, probe).await?;
    out.show(&answer, |answer| answer.said.clone())
}
