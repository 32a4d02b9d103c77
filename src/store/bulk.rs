//! Orders to several jobs at once: all of them in one transaction, or none.

use sqlx::PgPool;

use super::{
    StoreError,
    columns::word,
    jobs::CommandError,
    orders::{Order, carry_out},
};
use crate::domain::{
    ids::{AuditId, JobId},
    job::{JobStatus, Realm, Transition},
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
    /// Only jobs of this status.
    pub status: Option<JobStatus>,
}

/// What a pause stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The pause, to resume exactly these jobs; `None`: there was nothing to stop.
    pub pause: Option<AuditId>,
    /// The jobs and their status before, by number.
    pub jobs: Vec<(JobId, JobStatus)>,
}

/// Pauses every selected job that trades, in one statement: also jobs whose rows this build cannot read.
///
/// # Errors
/// [`StoreError`]; nothing changes then.
pub async fn pause(pool: &PgPool, selection: &Selection, actor: &str) -> Result<Stopped, StoreError> {
    let ids = ids(selection);
    let (realm, status) = words(selection);
    let rows = sqlx::query!(
        r#"WITH chosen AS MATERIALIZED (
               SELECT id, status FROM jobs
               WHERE archived_at IS NULL AND status IN ('RUNNING', 'LIQUIDATING', 'ERROR')
                  AND ($1::bigint[] IS NULL OR id = ANY ($1)) AND ($2::text IS NULL OR realm = $2)
                  AND ($3::text IS NULL OR chain = $3) AND ($4::text IS NULL OR status = $4)
               ORDER BY id FOR UPDATE
           ), batch AS (
               INSERT INTO audit (actor, action, subject, detail)
               SELECT $5, 'pause_jobs', 'jobs', jsonb_build_object('jobs', $1::bigint[], 'realm', $2::text,
                                                                   'chain', $3::text, 'status', $4::text)
               WHERE EXISTS (SELECT FROM chosen)
               RETURNING id
           ), paused AS (
               UPDATE jobs SET status = 'PAUSED', version = version + 1, stopped_at = now(),
                      status_before_stop = CASE WHEN chosen.status = 'ERROR' THEN coalesce(status_before_stop, 'RUNNING')
                                                ELSE chosen.status END
               FROM chosen WHERE jobs.id = chosen.id
               RETURNING jobs.id, chosen.status AS before
           ), slots AS (
               UPDATE job_slots SET next_slot = NULL, due_at = NULL FROM paused WHERE job_id = paused.id
           ), noted AS (
               INSERT INTO job_events (job_id, actor, action, before, after)
               SELECT paused.id, $5, 'pause', jsonb_build_object('status', before),
                      jsonb_build_object('transition', jsonb_build_object('to', 'PAUSED'),
                                         'order', jsonb_build_object('command', 'pause'), 'batch', batch.id)
               FROM paused, batch
           )
           SELECT paused.id AS "job!", before AS "before!", batch.id AS "pause!" FROM paused, batch ORDER BY paused.id"#,
        ids.as_deref(),
        realm,
        selection.chain,
        status,
        actor,
    )
    .fetch_all(pool)
    .await?;
    let pause = rows.first().map(|row| AuditId(row.pause));
    let jobs = rows
        .into_iter()
        .map(|row| Ok((JobId(row.job), word("jobs.status", &row.before)?)))
        .collect::<Result<_, StoreError>>()?;
    Ok(Stopped { pause, jobs })
}

/// A job that a pause stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PausedBy {
    /// The job.
    pub job: JobId,
    /// It is still paused by that pause: nothing has changed its status since.
    pub still: bool,
}

/// The jobs that a pause stopped, by job number; removed ones are left out. Empty: there was no such pause.
///
/// # Errors
/// [`StoreError`].
pub async fn paused_by(pool: &PgPool, pause: AuditId) -> Result<Vec<PausedBy>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT jobs.id, jobs.status = 'PAUSED' AND NOT EXISTS (
                  SELECT FROM job_events later
                  WHERE later.job_id = jobs.id AND later.id > pause.id AND later.action <> 'configure') AS "still!"
           FROM job_events pause JOIN jobs ON jobs.id = pause.job_id
           WHERE pause.action = 'pause' AND pause.after @> jsonb_build_object('batch', $1::bigint)
              AND jobs.archived_at IS NULL
           ORDER BY jobs.id"#,
        pause.0
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| PausedBy {
            job: JobId(row.id),
            still: row.still,
        })
        .collect())
}

/// What an order did to a job, or why its status does not allow it.
pub type Outcome = Result<Transition, CommandError>;

/// Carries out one order for several jobs in one transaction. With `all_or_none`, a job whose status refuses it
/// refuses the whole; else it is left as it is.
///
/// # Errors
/// [`CommandError`] and the job it is about; nothing changes then.
pub async fn order(
    pool: &PgPool,
    jobs: &[JobId],
    order: Order,
    all_or_none: bool,
    actor: &str,
) -> Result<Vec<(JobId, Outcome)>, (Option<JobId>, CommandError)> {
    let lost = |error: sqlx::Error| (None, StoreError::from(error).into());
    let mut tx = pool.begin().await.map_err(lost)?;
    // Everyone who locks several jobs does it by number, so none waits for another in a circle.
    let mut sorted = jobs.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut done = Vec::with_capacity(sorted.len());
    for job in sorted {
        let made = match carry_out(&mut tx, job, order, actor).await {
            Err(refused @ CommandError::Refused(_)) if !all_or_none => Err(refused),
            Err(error) => return Err((Some(job), error)),
            Ok(made) => Ok(made),
        };
        done.push((job, made));
    }
    tx.commit().await.map_err(lost)?;
    Ok(done)
}

fn ids(selection: &Selection) -> Option<Vec<i64>> {
    selection
        .jobs
        .as_ref()
        .map(|jobs| jobs.iter().map(|job| job.0).collect())
}

fn words(selection: &Selection) -> (Option<String>, Option<String>) {
    (
        selection.realm.map(|realm| realm.to_string()),
        selection.status.map(|status| status.to_string()),
    )
}
