//! Orders to several jobs at once: all of them in one transaction, or none.
//!
//! Every transaction that locks several jobs, or several slots, does so by job number, and has all its jobs before the
//! first slot, so that no two wait for each other.

use std::collections::HashMap;

use serde_json::json;
use sqlx::{PgConnection, PgPool};

use crate::domain::{
    config::JobConfig,
    ids::{AuditId, JobId, Version},
    job::{JobStatus, Realm, Transition},
};
use crate::store::{
    StoreError,
    columns::{self, numbers, word},
    jobs::{CommandError, Job, event, lock, lock_all},
    orders::{Order, carry_out, reconfigure},
    session::begin,
};

/// Which jobs an order is for; `None` does not restrict. Removed jobs are never among them.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only these.
    pub jobs: Option<Vec<JobId>>,
    /// Only jobs of this realm.
    pub realm: Option<Realm>,
    /// Only jobs on this chain.
    pub chain: Option<String>,
    /// Only jobs of this token: its address or ticker, in any case.
    pub token: Option<String>,
    /// Only jobs of this status.
    pub status: Option<JobStatus>,
}

/// A job as messages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Job number.
    pub job: JobId,
    /// Ticker of its token.
    pub symbol: String,
    /// Paper or live.
    pub realm: Realm,
    /// Its chain.
    pub chain: String,
}

/// What a pause stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The pause, which [`resume_paused_by`] undoes; `None`: there was nothing to stop.
    pub pause: Option<AuditId>,
    /// The jobs and their status before, by number.
    pub jobs: Vec<(Named, JobStatus)>,
}

/// Pauses every selected job that is RUNNING, LIQUIDATING or in ERROR, in one statement: also jobs whose rows this
/// build cannot read.
///
/// # Errors
/// [`StoreError`]; nothing changes then.
pub async fn pause(pool: &PgPool, selection: &Selection, actor: &str) -> Result<Stopped, StoreError> {
    let ids: Option<Vec<i64>> = selection.jobs.as_deref().map(numbers);
    let rows = sqlx::query_file!(
        "src/store/sql/pause_jobs.sql",
        ids.as_deref(),
        selection.realm.map(|realm| realm.to_string()),
        selection.chain,
        selection.status.map(|status| status.to_string()),
        selection.token,
        actor,
    )
    .fetch_all(pool)
    .await?;
    let pause = rows.first().map(|row| AuditId(row.pause));
    let names = rows
        .into_iter()
        .map(|row| (named(row.job, row.symbol, &row.realm, row.chain), row.before));
    let jobs = names.map(stopped).collect::<Result<_, StoreError>>()?;
    Ok(Stopped { pause, jobs })
}

fn stopped((name, before): (Result<Named, StoreError>, String)) -> Result<(Named, JobStatus), StoreError> {
    Ok((name?, word("jobs.status", &before)?))
}

fn named(job: i64, symbol: String, realm: &str, chain: String) -> Result<Named, StoreError> {
    Ok(Named {
        job: JobId(job),
        symbol,
        realm: word("jobs.realm", realm)?,
        chain,
    })
}

/// What the undo of a pause did to a job that it had stopped.
#[derive(Debug)]
pub enum Back {
    /// It has again the status that the pause found.
    To(JobStatus),
    /// Its status has changed since the pause, and stays.
    Changed,
    /// It was removed since.
    Removed,
    /// Its row cannot be read; it stays paused.
    Refused(CommandError),
}

/// Undoes a pause: each job that it stopped, and whose status has not changed since, gets the status it had before.
/// `None`: there was no such pause. Sorted by job number.
///
/// # Errors
/// [`CommandError`]; nothing changes then.
pub async fn resume_paused_by(
    pool: &PgPool,
    pause: AuditId,
    actor: &str,
) -> Result<Option<Vec<(Named, JobStatus, Back)>>, CommandError> {
    let mut tx = begin(pool).await?;
    let Some(before) = stopped_by(&mut tx, pause).await? else {
        return Ok(None);
    };
    let ids: Vec<i64> = before.keys().map(|job| job.0).collect();
    let rows = sqlx::query!(
        "SELECT id, token_symbol, realm, chain, status, paused_by, archived_at FROM jobs
         WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE",
        &ids
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut jobs = Vec::with_capacity(rows.len());
    for row in rows {
        let name = named(row.id, row.token_symbol, &row.realm, row.chain)?;
        let status: JobStatus = word("jobs.status", &row.status)?;
        let back = if row.archived_at.is_some() {
            Back::Removed
        } else if row.paused_by != Some(pause.0) {
            Back::Changed
        } else if before.get(&name.job) == Some(&JobStatus::Error) {
            fail_again(&mut tx, name.job, pause, actor).await?;
            Back::To(JobStatus::Error)
        } else {
            match carry_out(&mut tx, name.job, Order::Resume, actor).await {
                Ok((_, Transition::To(status))) => Back::To(status),
                Ok(_) => Back::Changed,
                Err(error) if is_about_the_job(&error) => Back::Refused(error),
                Err(error) => return Err(error),
            }
        };
        jobs.push((name, status, back));
    }
    tx.commit().await?;
    Ok(Some(jobs))
}

/// The jobs that a pause stopped and whose status has not changed since, by number.
///
/// # Errors
/// [`StoreError`].
pub async fn paused_by(pool: &PgPool, pause: AuditId) -> Result<Vec<JobId>, StoreError> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM jobs WHERE paused_by = $1 AND archived_at IS NULL ORDER BY id",
        pause.0
    )
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().map(JobId).collect())
}

/// The jobs that a pause stopped, and their status before.
async fn stopped_by(
    connection: &mut PgConnection,
    pause: AuditId,
) -> Result<Option<HashMap<JobId, JobStatus>>, StoreError> {
    let found = sqlx::query_scalar!(
        r#"SELECT detail -> 'stopped' AS "stopped!" FROM audit WHERE id = $1 AND action = 'pause_jobs'"#,
        pause.0
    )
    .fetch_optional(connection)
    .await?;
    found
        .map(|stopped| columns::json("audit.detail", stopped))
        .transpose()
}

/// A job that was in ERROR when it was paused is in ERROR again: resuming it is its owner's decision.
async fn fail_again(
    connection: &mut PgConnection,
    job: JobId,
    pause: AuditId,
    actor: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE jobs SET status = 'ERROR', paused_by = NULL, version = version + 1 WHERE id = $1",
        job.0
    )
    .execute(&mut *connection)
    .await?;
    let before = json!({ "status": JobStatus::Paused });
    let after =
        json!({ "transition": Transition::To(JobStatus::Error), "order": Order::Resume, "paused_by": pause });
    event(connection, job, actor, "resume", Some(before), Some(after)).await
}

/// The status that an order found, and what it did; or why the job cannot follow it.
pub type Outcome = Result<(JobStatus, Transition), CommandError>;

/// The versions of jobs that were looked at before an order was given.
pub type Seen = HashMap<JobId, Version>;

/// Carries out one order for several jobs in one transaction, sorted by job number. A job that cannot follow it stays
/// as it is, and does not stop the others; neither does one that is stopped and is not as it was `seen`, if that is
/// given: who agreed to let it trade saw another state, or it has followed this order already.
///
/// # Errors
/// [`CommandError`]; nothing changes then.
pub async fn order(
    pool: &PgPool,
    jobs: &[JobId],
    order: Order,
    seen: Option<&Seen>,
    actor: &str,
) -> Result<Vec<(JobId, Outcome)>, CommandError> {
    let mut sorted = jobs.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut tx = begin(pool).await?;
    lock_all(&mut tx, &sorted).await?;
    let mut done = Vec::with_capacity(sorted.len());
    for job in sorted {
        let outcome = match as_seen(&mut tx, job, seen).await {
            Ok(()) => carry_out(&mut tx, job, order, actor).await,
            Err(error) => Err(error),
        };
        let outcome = match outcome {
            Err(error) if !is_about_the_job(&error) => return Err(error),
            outcome => outcome,
        };
        done.push((job, outcome));
    }
    tx.commit().await?;
    Ok(done)
}

async fn as_seen(connection: &mut PgConnection, job: JobId, seen: Option<&Seen>) -> Result<(), CommandError> {
    let Some(seen) = seen else { return Ok(()) };
    let now = lock(connection, job).await?;
    let stopped = matches!(now.status, JobStatus::Paused | JobStatus::Error);
    if stopped && seen.get(&job) != Some(&now.version) {
        return Err(CommandError::Changed);
    }
    Ok(())
}

/// The database answered, nothing was written, and the reason is in this job alone.
const fn is_about_the_job(error: &CommandError) -> bool {
    match error {
        CommandError::Store(error) => {
            matches!(error, StoreError::Corrupt { .. } | StoreError::NoSuchJob(_))
        }
        CommandError::Refused(_)
        | CommandError::Exists
        | CommandError::TradeOpen(_)
        | CommandError::InMotion(_)
        | CommandError::OwnsLess { .. }
        | CommandError::NoCycle
        | CommandError::Changed
        | CommandError::KeyUsed(_)
        | CommandError::OutOfRange(_)
        | CommandError::StillHolds(_)
        | CommandError::QuoteOfAnother(_)
        | CommandError::Liquidation(_)
        | CommandError::Misfit(_)
        | CommandError::Chain(_) => true,
    }
}

/// Replaces the configurations of several jobs, all from the versions that were edited, or none. `Some`: this job was
/// edited meanwhile, and nothing changed.
///
/// # Errors
/// [`StoreError`]; nothing changes then.
pub async fn configure(
    pool: &PgPool,
    edits: &[(&Job, &JobConfig)],
    actor: &str,
) -> Result<Option<JobId>, StoreError> {
    let mut sorted = edits.to_vec();
    sorted.sort_unstable_by_key(|(job, _)| job.id);
    let ids: Vec<JobId> = sorted.iter().map(|(job, _)| job.id).collect();
    let mut tx = begin(pool).await?;
    lock_all(&mut tx, &ids).await?;
    for (job, config) in sorted {
        if !reconfigure(&mut tx, job, config, actor).await? {
            return Ok(Some(job.id));
        }
    }
    tx.commit().await?;
    Ok(None)
}
