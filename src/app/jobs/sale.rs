//! What a liquidation would sell, shown before it is confirmed.

use alloy_primitives::Address;
use chrono::TimeDelta;

use super::selected::{Jobs, Selected};
use crate::{
    app::{App, AppError, name::JobName, whole::Whole},
    domain::{
        ids::JobId,
        job::{Command, JobStatus, transition},
        span::Span,
        units::{Price, Rounding, Usd},
    },
    store::{
        self,
        jobs::Job,
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
    let sells = |job: &&Job| {
        let allowed = transition(job.status, job.status_before_stop, Command::Liquidate).is_ok();
        // A job that had sold all holds tokens again if a reorg gave them back.
        (allowed || job.status == JobStatus::Idle) && !job.position.token_balance.is_zero()
    };
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

/// Those of the selected jobs that can be removed.
///
/// # Errors
/// [`AppError`] if the database does not answer.
pub async fn removable(app: &App, which: &Jobs) -> Result<Vec<JobName>, AppError> {
    let selected = Selected::find(app, which).await?;
    let idle = selected
        .jobs
        .iter()
        .filter(|job| transition(job.status, job.status_before_stop, Command::Remove).is_ok());
    Ok(idle.map(JobName::from).collect())
}
