//! What a liquidation would sell, shown before it is confirmed.

use serde::Serialize;

use super::selected::{Jobs, Selected};
use crate::{
    app::{App, AppError, whole::Whole},
    domain::{
        ids::JobId,
        job::{Command, Realm, transition},
        units::{Price, Rounding, Usd},
    },
    store::{
        jobs::Job,
        views::{self, Pulse},
    },
};

/// The position of one job, and what it is worth now.
#[derive(Debug, Serialize)]
pub struct Sale {
    pub job: JobId,
    pub symbol: String,
    pub realm: Realm,
    pub chain: String,
    pub position: Whole,
    /// Last accepted price; `None` before the first slot.
    pub price_usd: Option<Price>,
    /// At that price, before fees, price impact and gas; rounded down.
    pub worth_usd: Option<Usd>,
}

/// What liquidating these jobs would sell; jobs that hold nothing, or whose status does not allow it, are left out.
///
/// # Errors
/// [`AppError::NotFound`] if a named job does not exist.
pub async fn preview(app: &App, which: &Jobs) -> Result<Vec<Sale>, AppError> {
    let selected = Selected::find(app, which).await?;
    let sells = |job: &&Job| {
        let allowed = transition(job.status, job.status_before_stop, Command::Liquidate).is_ok();
        allowed && !job.position.token_balance.is_zero()
    };
    let jobs: Vec<_> = selected.jobs.iter().filter(sells).collect();
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let pulses = views::pulses(&app.pool, &ids).await?;
    let sale = |(job, pulse): (&&Job, &Pulse)| {
        let price = pulse.last_price.map(|(price, _)| price);
        let (units, decimals) = (job.position.token_balance, job.token.decimals);
        Sale {
            job: job.id,
            symbol: job.token.symbol.clone(),
            realm: job.account.realm,
            chain: job.account.chain.clone(),
            position: Whole::new(units, decimals),
            price_usd: price,
            worth_usd: price.and_then(|price| units.value(decimals, price, Rounding::Down).ok()),
        }
    };
    Ok(jobs.iter().zip(&pulses).map(sale).collect())
}
