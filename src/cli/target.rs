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

/// Their name on this machine; without one, as in a container or a unit, their number: `uid:1000`.
pub(super) fn user() -> String {
    let named = |variable| {
        std::env::var(variable)
            .ok()
            .filter(|name| !name.trim().is_empty())
    };
    named("USER")
        .or_else(|| named("LOGNAME"))
        .unwrap_or_else(|| format!("uid:{}", nix::unistd::Uid::current()))
}
