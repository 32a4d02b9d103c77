//! What happened, read from the ledger in the order of time.

use serde_json::Value;
use sqlx::PgPool;

use crate::domain::{Timestamp, job::JobId};
use crate::store::StoreError;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Entry {
    /// `hold`, `trade` (a plan), `end` (of a trade), `order`, `event`, `audit`, `withdrawal` (an order) or `payout`
    /// (its end): with `id` its name.
    pub kind: String,
    /// Its number within its kind.
    pub id: i64,
    /// When it happened; of a run of holds, its first slot.
    pub at: Timestamp,
    /// The job, if it belongs to one.
    pub job_id: Option<i64>,
    /// A hold's or trade's reason, a status, an action or an event's name.
    pub name: String,
    /// What was seen, for people.
    pub detail: Option<String>,
    /// Its figures.
    pub fields: Value,
    /// The job's realm.
    pub realm: Option<String>,
    /// The job's chain.
    pub chain: Option<String>,
    /// The token's ticker.
    pub symbol: Option<String>,
    /// The zone of the job's schedule.
    pub timezone: Option<String>,
}

/// The newest `limit` entries from `since` on, oldest first: of these jobs, or of all jobs and of the installation.
///
/// # Errors
/// [`StoreError`].
pub async fn entries(
    pool: &PgPool,
    jobs: Option<&[JobId]>,
    since: Timestamp,
    limit: i64,
) -> Result<Vec<Entry>, StoreError> {
    let jobs: Option<Vec<i64>> = jobs.map(crate::store::columns::numbers);
    Ok(sqlx::query_as(include_str!("../sql/logs.sql"))
        .bind(jobs)
        .bind(since)
        .bind(limit)
        .fetch_all(pool)
        .await?)
}
