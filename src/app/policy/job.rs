//! Checks whether the policy allows the trades of live jobs.

use alloy_primitives::Address;
use serde::Serialize;
use tracing::{info, warn};

use super::need;
use crate::app::message::{Advice, Message};
use crate::{
    app::{
        context::App,
        error::AppError,
        name::JobName,
        target::{self, Target},
    },
    domain::{
        job::{JobStatus, Realm},
        onchain::Asset,
    },
    ports::Chain,
    store::jobs::{self, Filter, Job},
    telemetry::job_line,
};

/// What the policy lacks for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// One line each.
    pub lacks: Vec<String>,
    /// The command that allows it; `None` if it cannot be derived.
    pub command: Option<Message>,
}

/// Result of checking one job against the policy.
#[derive(Debug, Serialize)]
pub struct JobPolicy {
    /// The job's number.
    pub job: i64,
    /// Its token.
    pub symbol: String,
    /// Its chain.
    pub chain: String,
    /// Its wallet.
    #[serde(serialize_with = "crate::app::whole::checksum")]
    pub wallet: Address,
    /// Whether its trades would be signed.
    pub allowed: bool,
    /// What the policy lacks.
    pub lacks: Vec<String>,
    /// The command that allows it.
    pub command: Option<Message>,
}

/// Checks the named jobs, or all live jobs that are not idle.
///
/// # Errors
/// [`AppError`] for a target that is no live job, or a database that cannot be read.
pub async fn check(app: &App, named: &[Target]) -> Result<Vec<JobPolicy>, AppError> {
    let mut checked = Vec::new();
    for job in live_jobs(app, named).await? {
        let missing = missing(app, &job).await;
        let allowed = missing.is_none();
        let (lacks, command) = missing.map_or((vec![], None), |missing| (missing.lacks, missing.command));
        checked.push(JobPolicy {
            job: job.id.0,
            symbol: job.token.symbol,
            chain: job.account.chain,
            wallet: job.account.wallet,
            allowed,
            lacks,
            command,
        });
    }
    Ok(checked)
}

/// The named jobs, or all live jobs that are not idle.
pub(super) async fn live_jobs(app: &App, named: &[Target]) -> Result<Vec<Job>, AppError> {
    if named.is_empty() {
        let (jobs, _) = jobs::readable(&app.pool, &Filter::default()).await?;
        let live = |job: &Job| job.account.realm == Realm::Live && job.status != JobStatus::Idle;
        return Ok(jobs.into_iter().filter(live).collect());
    }
    let mut found = Vec::new();
    for target in named {
        let job = target::find_live(&app.pool, target).await?;
        if job.account.realm == Realm::Paper {
            return Err(AppError::Usage(format!(
                "{} is on paper; the policy is for live jobs only",
                JobName::from(&job)
            )));
        }
        found.push(job);
    }
    Ok(found)
}

/// What the policy lacks for a job; none: it is allowed.
pub async fn missing(app: &App, job: &Job) -> Option<Missing> {
    let book = app.live().policy();
    let Ok(live) = app.live().chain(&job.account.chain) else {
        return Some(Missing {
            lacks: vec![format!("no node of {} in the settings", job.account.chain)],
            command: None,
        });
    };
    let (lacks, before) = match book.policy() {
        Ok(policy) => {
            let before = policy.entry(&job.account.chain, job.account.wallet).cloned();
            (need::lacks(&policy, job, &live.spec), before)
        }
        Err(refusal) => (vec![refusal.detail], None),
    };
    if lacks.is_empty() {
        return None;
    }
    // The price only completes the command.
    let native = live.chain.usd_price(Asset::Native).await;
    let command = native.ok().map(|native| {
        let wanted = need::entry_for(job, &live.spec, native.price);
        let mut entry = need::merged(before.as_ref(), wanted);
        // The command adds to the current entry.
        entry.tokens = vec![job.token.address];
        entry.quotes = need::quote_of(job.quote.address, &live.spec)
            .into_iter()
            .collect();
        Advice::AllowEntry(Box::new(entry)).into()
    });
    Some(Missing { lacks, command })
}

/// Logs the policy of a starting worker, and the live jobs that it does not allow.
///
/// # Errors
/// [`AppError`] if the database cannot be read.
pub async fn announce(app: &App) -> Result<(), AppError> {
    let jobs = live_jobs(app, &[]).await?;
    if jobs.is_empty() {
        return Ok(());
    }
    let book = app.live().policy();
    let policy = match book.policy() {
        Ok(policy) => policy,
        Err(refusal) => {
            warn!(detail = refusal.detail, "nothing is signed with real money");
            return Ok(());
        }
    };
    info!(file = %book.path().display(), state = %book.journal().dir().display(), "policy read");
    for job in jobs {
        let Ok(live) = app.live().chain(&job.account.chain) else {
            continue;
        };
        let lacks = need::lacks(&policy, &job, &live.spec).join("; ");
        if !lacks.is_empty() {
            job_line!(
                warn,
                job,
                lacks,
                "the policy does not allow this job's trades; `policy check` shows what is missing"
            );
        }
    }
    Ok(())
}
