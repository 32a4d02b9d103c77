//! The arguments that name several jobs, or choose all of a kind.

use clap::Args;

use crate::{
    app::{
        Target,
        jobs::selected::{Jobs, Kind},
    },
    domain::job::{JobStatus, Realm},
};

/// Jobs by name, or all of a kind.
#[derive(Debug, Args)]
pub struct JobsArgs {
    /// Jobs: token address, job number or ticker
    #[arg(value_name = "JOB", required_unless_present_any = KINDS)]
    jobs: Vec<String>,
    /// All jobs
    #[arg(long, conflicts_with = "jobs")]
    all: bool,
    /// All LIVE jobs
    #[arg(long, conflicts_with_all = ["jobs", "paper"])]
    live: bool,
    /// All paper jobs
    #[arg(long, conflicts_with = "jobs")]
    paper: bool,
    /// All jobs of this status
    #[arg(long, conflicts_with = "jobs", value_name = "STATUS", ignore_case = true)]
    status: Option<StatusArg>,
    /// All jobs of this token: address or ticker
    #[arg(long, conflicts_with = "jobs")]
    token: Option<String>,
    /// Only jobs on this chain
    #[arg(long)]
    chain: Option<String>,
}

const KINDS: [&str; 5] = ["all", "live", "paper", "status", "token"];

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum StatusArg {
    Idle,
    Running,
    Paused,
    Liquidating,
    Error,
}

impl From<StatusArg> for JobStatus {
    fn from(status: StatusArg) -> Self {
        match status {
            StatusArg::Idle => Self::Idle,
            StatusArg::Running => Self::Running,
            StatusArg::Paused => Self::Paused,
            StatusArg::Liquidating => Self::Liquidating,
            StatusArg::Error => Self::Error,
        }
    }
}

impl From<&JobsArgs> for Jobs {
    fn from(args: &JobsArgs) -> Self {
        if !args.jobs.is_empty() {
            return named(&args.jobs, args.chain.as_deref());
        }
        let realm = match (args.live, args.paper) {
            (true, _) => Some(Realm::Live),
            (_, true) => Some(Realm::Paper),
            _ => None,
        };
        Self::Kind(Kind {
            realm,
            chain: args.chain.clone(),
            token: args.token.clone(),
            status: args.status.map(JobStatus::from),
        })
    }
}

impl JobsArgs {
    /// The one job that is named, if it is one.
    pub(super) fn only(&self) -> Option<Target> {
        match self.jobs.as_slice() {
            [job] => Some(Target {
                token: job.clone(),
                chain: self.chain.clone(),
            }),
            _ => None,
        }
    }
}

pub(super) fn named(jobs: &[String], chain: Option<&str>) -> Jobs {
    let target = |token: &String| Target {
        token: token.clone(),
        chain: chain.map(str::to_owned),
    };
    Jobs::Named(jobs.iter().map(target).collect())
}
