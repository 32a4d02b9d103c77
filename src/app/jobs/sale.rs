//! What a command would do with real money or cannot undo, shown before it is confirmed.

use alloy_primitives::Address;
use chrono::TimeDelta;

use super::{
    left::Left,
    selected::{Jobs, Selected},
};
use crate::{
    app::{App, AppError, Target, name::JobName, target, whole::Whole},
    domain::{
        ids::{AuditId, JobId},
        job::{Command, JobMode, JobStatus, Realm, Transition, transition},
        span::Span,
        units::{Price, Rounding, Usd},
    },
    store::{
        self,
        bulk::{self, Seen},
        jobs::{self, Job},
        views::{self, Pulse},
    },
};

/// The position of one job, and what it is worth.
#[derive(Debug)]
pub struct Sale {
    pub name: JobName,
    pub wallet: Address,
    pub position: Whole,
    /// Last accepted price and its age; `None` before the first slot.
    pub price: Option<(Price, Span)>,
    /// At that price, before fees, price impact and gas; rounded down.
    pub worth_usd: Option<Usd>,
}

/// What liquidating these jobs would sell; jobs that hold nothing, or whose status does not allow it, are left out.
///
/// # Errors
/// [`AppError`] if the database does not answer.
pub async fn preview(app: &App, which: &Jobs) -> Result<Vec<Sale>, AppError> {
    let selected = Selected::find(app, which).await?;
    let sells = |job: &&Job| may_sell(job) && !job.position.token_balance.is_zero();
    let jobs: Vec<&Job> = selected.jobs.iter().filter(sells).collect();
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let pulses = views::pulses(&app.pool, &ids).await?;
    let now = store::now(&app.pool).await?;
    let sale = |(job, pulse): (&&Job, &Pulse)| {
        let price = pulse.last_price.map(|(price, at)| (price, age(now - at)));
        let (units, decimals) = (job.position.token_balance, job.token.decimals);
        Sale {
            name: JobName::from(*job),
            wallet: job.account.wallet,
            position: Whole::new(units, decimals),
            price,
            worth_usd: price.and_then(|(price, _)| units.value(decimals, price, Rounding::Down).ok()),
        }
    };
    Ok(jobs.iter().zip(&pulses).map(sale).collect())
}

/// Whole seconds; none for a price of the future, which a database whose clock was set back may hold.
fn age(age: TimeDelta) -> Span {
    Span::from_secs(u64::try_from(age.num_seconds()).unwrap_or_default())
}

/// Those of the selected jobs that can be removed, and what each leaves behind.
///
/// # Errors
/// [`AppError`] if the database does not answer.
pub async fn removable(app: &App, which: &Jobs) -> Result<Vec<(JobName, Option<Left>)>, AppError> {
    let selected = Selected::find(app, which).await?;
    // An order ends by its removal, whatever its status is.
    let removable = selected.jobs.iter().filter(|job| {
        let allowed = transition(job.status, job.status_before_stop, Command::Remove).is_ok();
        allowed || job.mode == JobMode::Order
    });
    Ok(removable.map(|job| (JobName::from(job), Left::of(job))).collect())
}

/// A job that would trade with real money again.
#[derive(Debug)]
pub struct Trader {
    pub name: JobName,
    pub wallet: Address,
}

impl From<&Job> for Trader {
    fn from(job: &Job) -> Self {
        Self {
            name: JobName::from(job),
            wallet: job.account.wallet,
        }
    }
}

/// What a resume would do to the selected jobs.
#[derive(Debug)]
pub struct Resumable {
    /// Those that are LIVE and would trade again.
    pub traders: Vec<Trader>,
    /// All of them as they were: one that has changed since is not resumed.
    pub seen: Seen,
}

/// What `resume` would do to the selected jobs.
///
/// # Errors
/// [`AppError`] if the database does not answer.
pub async fn resumable(app: &App, which: &Jobs) -> Result<Resumable, AppError> {
    let selected = Selected::find(app, which).await?;
    let allowed = |job: &&Job| {
        let made = transition(job.status, job.status_before_stop, Command::Resume);
        matches!(made, Ok(Transition::To(_)))
    };
    Ok(Resumable {
        traders: live(selected.jobs.iter().filter(allowed)),
        seen: selected.jobs.iter().map(|job| (job.id, job.version)).collect(),
    })
}

/// The LIVE jobs that the undo of this pause would let trade again.
///
/// # Errors
/// [`AppError`] if the database does not answer.
pub async fn resumable_after(app: &App, pause: AuditId) -> Result<Vec<Trader>, AppError> {
    let ids = bulk::paused_by(&app.pool, pause).await?;
    let found = jobs::by_ids(&app.pool, &ids).await?;
    // One that cannot be read stays paused.
    Ok(live(found.iter().flatten()))
}

fn live<'a>(jobs: impl Iterator<Item = &'a Job>) -> Vec<Trader> {
    jobs.filter(|job| job.account.realm == Realm::Live)
        .map(Trader::from)
        .collect()
}

/// Those of the selected jobs that are LIVE and that `liquidate` would sell, also if they hold nothing yet.
///
/// # Errors
/// [`AppError`] if the database does not answer.
pub async fn sellers(app: &App, which: &Jobs) -> Result<Vec<Trader>, AppError> {
    let selected = Selected::find(app, which).await?;
    Ok(live(selected.jobs.iter().filter(|job| may_sell(job))))
}

/// Whether `liquidate` would make this job sell, if it holds anything.
fn may_sell(job: &Job) -> bool {
    let allowed = transition(job.status, job.status_before_stop, Command::Liquidate).is_ok();
    // A job that had sold all holds tokens again if a reorg gave them back.
    allowed || job.status == JobStatus::Idle && !job.position.token_balance.is_zero()
}

/// The job if it is LIVE.
///
/// # Errors
/// [`AppError`] if there is no such job, or the database does not answer.
pub async fn trader(app: &App, target: &Target) -> Result<Option<Trader>, AppError> {
    let job = target::find(&app.pool, target).await?;
    Ok((job.account.realm == Realm::Live).then(|| Trader::from(&job)))
}
