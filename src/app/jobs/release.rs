//! A job gives tokens back to its owner without selling them: a part, or all of them and ends.

use alloy_primitives::Address;
use serde::Serialize;

use super::{adopt::read, selected::about};
use crate::{
    app::{Actor, App, AppError, Target, given, name::JobName, target, whole::Whole},
    domain::{Timestamp, job::JobStatus, units::Usd},
    store::{
        adoption::Adjusted,
        release::{self, Release},
    },
};

#[derive(Debug, Clone)]
pub struct ReleaseRequest {
    pub target: Target,
    /// Whole tokens; `None`: all, and the job becomes IDLE.
    pub tokens: Option<String>,
    /// A second request with the same key changes nothing.
    pub key: Option<String>,
}

/// What a request would do.
#[derive(Debug)]
pub struct Releasing {
    pub name: JobName,
    pub wallet: Address,
    pub status: JobStatus,
    pub tokens: Whole,
    /// The job ends.
    pub ends: bool,
}

/// What was done.
#[derive(Debug, Serialize)]
pub struct ReleasedView {
    #[serde(flatten)]
    pub name: JobName,
    #[serde(serialize_with = "crate::app::whole::checksum")]
    pub wallet: Address,
    pub before: JobStatus,
    pub after: JobStatus,
    pub tokens: Whole,
    /// What they had cost: it leaves the job's cost with them, and nothing is earned or lost.
    pub cost_usd: Usd,
    /// What the job still owns.
    pub position: Whole,
    pub cost_basis_usd: Usd,
    /// A request with the same key had done it at this time; nothing changed now.
    pub done_before: Option<Timestamp>,
}

impl ReleasedView {
    /// Whether anything changed.
    #[must_use]
    pub fn changed(&self) -> bool {
        !self.tokens.units.is_zero() || self.before != self.after
    }
}

/// What a request would do; changes nothing.
///
/// # Errors
/// [`AppError`] for an amount that cannot be, or if there is no such job.
pub async fn preview(app: &App, request: &ReleaseRequest) -> Result<Releasing, AppError> {
    let job = target::find(&app.pool, &request.target).await?;
    let asked = request.tokens.as_deref();
    let tokens = asked.map(|text| given::tokens(text, &job.token)).transpose()?;
    Ok(Releasing {
        name: JobName::from(&job),
        wallet: job.account.wallet,
        status: job.status,
        ends: tokens.is_none(),
        tokens: Whole::new(tokens.unwrap_or(job.position.token_balance), job.token.decimals),
    })
}

/// Gives tokens of a job back to its owner. They stay in the wallet.
///
/// # Errors
/// [`AppError`] for an amount that cannot be or is more than the job owns, or while a trade of the job is open or not
/// final yet; nothing changes then.
pub async fn release(app: &App, request: &ReleaseRequest, actor: &Actor) -> Result<ReleasedView, AppError> {
    let key = given::key(request.key.as_deref())?;
    let job = target::find(&app.pool, &request.target).await?;
    let asked = request.tokens.as_deref();
    let tokens = asked.map(|text| given::tokens(text, &job.token)).transpose()?;
    let ordered = Release { tokens, key };
    let done = release::release(&app.pool, job.id, &ordered, actor.as_str()).await;
    let done = done.map_err(|error| about(&job, error))?;
    let now = read(app, job.id).await?;
    Ok(ReleasedView {
        name: JobName::from(&now),
        wallet: now.account.wallet,
        before: done.status.0,
        after: done.status.1,
        tokens: Whole::new(done.tokens, now.token.decimals),
        cost_usd: done.cost,
        position: Whole::new(now.position.token_balance, now.token.decimals),
        cost_basis_usd: now.position.cost_basis,
        done_before: match done.outcome {
            Adjusted::Before(at) => Some(at),
            Adjusted::Done | Adjusted::Changed => None,
        },
    })
}
