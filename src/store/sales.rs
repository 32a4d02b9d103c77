//! Whether the tokens of live jobs can be sold, by the last check.

use serde_json::json;
use sqlx::PgPool;

use super::{StoreError, jobs, outbox, session::begin};
use crate::domain::{Timestamp, event::Event, foreign::Foreign, job::JobId};

/// A position that could not be sold when it was tried last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsellable {
    /// When that was found.
    pub since: Timestamp,
    /// Why, for people.
    pub detail: String,
}

/// Claims the dry sale of today, if it is due: the caller that gets `true` makes it, and no other for a day.
///
/// # Errors
/// [`StoreError`].
pub async fn claim(pool: &PgPool, job: JobId) -> Result<bool, StoreError> {
    let claimed = sqlx::query_scalar!(
        "INSERT INTO sale_proofs AS p (job_id, looked_at) VALUES ($1, now())
         ON CONFLICT (job_id) DO UPDATE SET looked_at = now() WHERE p.looked_at < now() - interval '1 day'
         RETURNING job_id",
        job.0
    )
    .fetch_optional(pool)
    .await?;
    Ok(claimed.is_some())
}

/// Returns a claim, because no node answered: the next one is due in an hour.
///
/// # Errors
/// [`StoreError`].
pub async fn look_again(pool: &PgPool, job: JobId) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE sale_proofs SET looked_at = now() - interval '23 hours' WHERE job_id = $1",
        job.0
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Writes down that all that the job holds can be sold.
///
/// # Errors
/// [`StoreError`].
pub async fn proven(pool: &PgPool, job: JobId) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO sale_proofs (job_id, looked_at) VALUES ($1, now())
         ON CONFLICT (job_id) DO UPDATE SET looked_at = now(), unsellable_since = NULL, detail = NULL",
        job.0
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Writes down that what the job holds cannot be sold, and announces it when that is new. `true`: it is.
///
/// # Errors
/// [`StoreError`].
pub async fn failed(pool: &PgPool, job: JobId, why: &str) -> Result<bool, StoreError> {
    let detail = Foreign::new(why).to_string();
    let mut tx = begin(pool).await?;
    let new = sqlx::query_scalar!(
        r#"INSERT INTO sale_proofs AS p (job_id, looked_at, unsellable_since, detail) VALUES ($1, now(), now(), $2)
           ON CONFLICT (job_id) DO UPDATE SET looked_at = now(), detail = $2,
               unsellable_since = coalesce(p.unsellable_since, now())
           RETURNING unsellable_since = now() AS "new!""#,
        job.0,
        detail
    )
    .fetch_one(&mut *tx)
    .await?;
    if new {
        let payload = json!({ "error": detail });
        jobs::event(&mut tx, job, "engine", "unsellable", None, Some(payload.clone())).await?;
        outbox::write(&mut tx, job, None, Event::JobUnsellable, payload).await?;
    }
    tx.commit().await?;
    Ok(new)
}

/// What is known of a job's position; `None`: nothing bad.
///
/// # Errors
/// [`StoreError`].
pub async fn find(pool: &PgPool, job: JobId) -> Result<Option<Unsellable>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT p.unsellable_since AS "since!", p.detail AS "detail!" FROM sale_proofs p JOIN jobs j ON j.id = p.job_id
           WHERE p.job_id = $1 AND p.unsellable_since IS NOT NULL AND j.token_balance::numeric > 0"#,
        job.0
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| Unsellable {
        since: row.since,
        detail: row.detail,
    }))
}
