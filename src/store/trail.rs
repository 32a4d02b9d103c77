//! The audit trail of writes that belong to no job. Writes to a job are in its `job_events`.

use sqlx::PgExecutor;

use super::StoreError;

/// A write and its author.
#[derive(Debug, Clone, Copy)]
pub struct TrailEntry<'a> {
    /// The face and the person: `cli:alice`.
    pub actor: &'a str,
    /// What was done, in one word or two.
    pub action: &'a str,
    /// What was written to, such as a wallet or a chain.
    pub subject: &'a str,
    /// Values that were written.
    pub detail: &'a serde_json::Value,
}

/// Adds a row, in the transaction of the write if `executor` is one. No row is ever changed or deleted.
///
/// # Errors
/// [`StoreError::Database`].
pub async fn record(executor: impl PgExecutor<'_>, entry: TrailEntry<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO audit (actor, action, subject, detail) VALUES ($1, $2, $3, $4)",
        entry.actor,
        entry.action,
        entry.subject,
        entry.detail,
    )
    .execute(executor)
    .await?;
    Ok(())
}
