//! The channel on which due rows are announced.

use sqlx::PgPool;

/// Where apalis' trigger on `apalis.jobs` announces rows that are due.
pub(crate) const CHANNEL: &str = "apalis::job::insert";

/// Wakes every worker of `queue`. The trigger fires on inserts only, so rows that became pending again need this.
pub(crate) async fn announce(pool: &PgPool, queue: &str) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_notify($1, json_build_object('job_type', $2::text)::text)")
        .bind(CHANNEL)
        .bind(queue)
        .execute(pool)
        .await?;
    Ok(())
}
