//! The arguments that name a job.

use clap::Args;

use crate::app::{Actor, Target};

#[derive(Debug, Args)]
pub(super) struct TargetArgs {
    /// Token address, job number or ticker
    pub(super) token: String,
    /// Chain of the job, if several match
    #[arg(long)]
    pub(super) chain: Option<String>,
}

impl From<&TargetArgs> for Target {
    fn from(args: &TargetArgs) -> Self {
        Self {
            token: args.token.clone(),
            chain: args.chain.clone(),
        }
    }
}

/// The user of this process.
pub(super) fn actor() -> Actor {
    Actor::new("cli", &user())
}

/// Their name on this machine.
pub(super) fn user() -> String {
    std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| "unknown".to_owned())
}
