//! Several jobs are started in one transaction: all of them, or none.

use sqlx::PgPool;

use crate::domain::job::JobId;
use crate::store::{
    jobs::{self, CommandError, NewJob},
    orders::{self, Order},
    session::begin,
};

/// One of the jobs to start.
#[derive(Debug, Clone)]
pub enum Starter {
    /// A job that is there, and IDLE.
    There(JobId),
    /// A new one.
    New(Box<NewJob>),
}

/// Why none was started, and which one was the reason: its place in the list.
#[derive(Debug)]
pub struct NotStarted {
    /// From 0.
    pub place: usize,
    /// The refusal.
    pub error: CommandError,
}

/// Starts all of these, or none. The answer has their jobs, in the order of the list.
///
/// # Errors
/// [`NotStarted`]; nothing is done then.
pub async fn start_all(
    pool: &PgPool,
    starters: &[(Starter, Order)],
    actor: &str,
) -> Result<Vec<JobId>, NotStarted> {
    let at = |place: usize| move |error: CommandError| NotStarted { place, error };
    let mut tx = begin(pool).await.map_err(|error| at(0)(error.into()))?;
    // Jobs before slots, and both by number, as every transaction that locks several.
    let there: Vec<JobId> = starters
        .iter()
        .filter_map(|(starter, _)| match starter {
            Starter::There(job) => Some(*job),
            Starter::New(_) => None,
        })
        .collect();
    jobs::lock_all(&mut tx, &there)
        .await
        .map_err(|error| at(0)(error.into()))?;
    let mut started = Vec::with_capacity(starters.len());
    for (place, (starter, _)) in starters.iter().enumerate() {
        started.push(match starter {
            Starter::There(job) => *job,
            Starter::New(new) => jobs::create_in(&mut tx, new, actor).await.map_err(at(place))?,
        });
    }
    let mut by_number: Vec<(JobId, usize, Order)> = started
        .iter()
        .zip(starters)
        .enumerate()
        .map(|(place, (job, (_, order)))| (*job, place, *order))
        .collect();
    by_number.sort_unstable_by_key(|(job, ..)| *job);
    for (job, place, order) in by_number {
        orders::carry_out(&mut tx, job, order, actor)
            .await
            .map_err(at(place))?;
    }
    tx.commit().await.map_err(|error| at(0)(error.into()))?;
    Ok(started)
}
