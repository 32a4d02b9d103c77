//! The arguments that choose trades: whose, and from when until when.

use clap::Args;

use crate::{
    app::{
        AppError,
        jobs::export::{JobChoice, Period},
    },
    domain::{ids::JobId, job::Realm},
};

#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// Only this token or job, removed jobs too: token address, job number or ticker
    token: Option<String>,
    /// Only this job, by its number
    #[arg(long, value_name = "NUMBER", value_parser = job_number)]
    job: Option<i64>,
    /// Only jobs on this chain
    #[arg(long)]
    chain: Option<String>,
    /// Only live jobs
    #[arg(long, conflicts_with = "paper")]
    live: bool,
    /// Only paper jobs
    #[arg(long)]
    paper: bool,
    /// From this day or time on, such as 2026-01-01 or 2026-01-01T18:30
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until this day, which is included, or until before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Time zone of --from and --to, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
}

/// `7` or `#7`, as messages write it.
fn job_number(text: &str) -> Result<i64, String> {
    let number = text.strip_prefix('#').unwrap_or(text).parse();
    number
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| "a job number is a whole number from 1; `lgi-mm list` shows them".to_owned())
}

impl FilterArgs {
    pub(super) fn jobs(&self) -> JobChoice {
        JobChoice {
            token: self.token.clone(),
            job: self.job.map(JobId),
            chain: self.chain.clone(),
            realm: match (self.live, self.paper) {
                (true, _) => Some(Realm::Live),
                (_, true) => Some(Realm::Paper),
                _ => None,
            },
        }
    }

    pub(super) fn period(&self) -> Result<Period, AppError> {
        Period::read(self.from.as_deref(), self.to.as_deref(), self.zone.as_deref())
    }

    /// What there is to say if no trade fits.
    pub(super) fn nothing(&self) -> String {
        let all = self.jobs() == JobChoice::default() && self.from.is_none() && self.to.is_none();
        if all {
            "no trades yet".to_owned()
        } else {
            "no trades of these jobs in this period".to_owned()
        }
    }
}
