//! Whether the tokens of live jobs can be sold, by the last check.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgPool;

use crate::domain::{Timestamp, event::Event, foreign::Foreign, job::JobId, kept::Kept, units::Usd};
use crate::store::{
    StoreError,
    columns::{json as from_json, to_json},
    jobs, outbox,
    session::begin,
};

/// A position that could not be sold when it was tried last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsellable {
    /// When that was found.
    pub since: Timestamp,
    /// Why, for people.
    pub detail: String,
}

/// What a buy and a sale of all that would be held after it were tried to cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundTripRow {
    /// The buy, USD.
    pub amount_usd: Usd,
    /// What of it would not come back, gas apart, basis points.
    pub lost_bps: u32,
    /// What pool, hook and token keep of the buy.
    pub kept: Kept,
    /// Price impact of the buy, basis points.
    pub impact_bps: u32,
    /// Gas of the buy at most, USD.
    pub buy_gas_usd: Usd,
    /// Gas of both at most, USD.
    pub gas_usd: Usd,
}

/// The same, and when it was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// The figures.
    pub trip: RoundTripRow,
    /// The instant of the trial.
    pub at: Timestamp,
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

/// Writes down that all that the job holds can be sold, and what a buy and that sale cost, if it was a buy that proved
/// it.
///
/// # Errors
/// [`StoreError`].
pub async fn proven(pool: &PgPool, job: JobId, trip: Option<&RoundTripRow>) -> Result<(), StoreError> {
    let trip = trip
        .map(|trip| to_json("sale_proofs.round_trip", trip))
        .transpose()?;
    sqlx::query!(
        "INSERT INTO sale_proofs AS p (job_id, looked_at, round_trip, round_trip_at)
         VALUES ($1, now(), $2, CASE WHEN $2::jsonb IS NOT NULL THEN now() END)
         ON CONFLICT (job_id) DO UPDATE SET looked_at = now(), unsellable_since = NULL, detail = NULL,
             round_trip = coalesce(excluded.round_trip, p.round_trip),
             round_trip_at = coalesce(excluded.round_trip_at, p.round_trip_at)",
        job.0,
        trip
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

/// What the newest buy of a job and a sale after it were tried to cost; `None`: none was tried.
///
/// # Errors
/// [`StoreError`].
pub async fn round_trip(pool: &PgPool, job: JobId) -> Result<Option<Tried>, StoreError> {
    let found = sqlx::query!(
        r#"SELECT round_trip AS "trip!", round_trip_at AS "at!" FROM sale_proofs
           WHERE job_id = $1 AND round_trip IS NOT NULL"#,
        job.0
    )
    .fetch_optional(pool)
    .await?;
    found
        .map(|row| {
            Ok(Tried {
                trip: from_json("sale_proofs.round_trip", row.trip)?,
                at: row.at,
            })
        })
        .transpose()
}
