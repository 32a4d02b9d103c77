//! The end of a liquidation that has nothing worth selling left.

use sqlx::{PgConnection, PgPool};

use super::{
    endings::{BookError, finish_liquidation},
    jobs::{self, Job},
    session::begin,
};
use crate::domain::{accounting::write_down, job::JobStatus};

/// Ends a liquidation that has nothing worth selling left: what remains is written down as dust.
///
/// `why`: for the ledger's reader.
///
/// # Errors
/// [`StoreError`].
pub async fn write_off_dust(pool: &PgPool, job: &Job, why: &str) -> Result<bool, BookError> {
    let mut tx = begin(pool).await?;
    let locked = jobs::lock(&mut tx, job.id).await?;
    let open = sqlx::query_scalar!(
        "SELECT id FROM trades WHERE job_id = $1 AND status IN ('PENDING', 'SUBMITTED')",
        job.id.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    if locked.version != job.version || locked.status != JobStatus::Liquidating || open.is_some() {
        return Ok(false);
    }
    if !locked.position.token_balance.is_zero() {
        record_dust(&mut tx, &locked, why).await?;
    }
    finish_liquidation(&mut tx, &locked).await?;
    tx.commit().await?;
    Ok(true)
}

async fn record_dust(connection: &mut PgConnection, job: &Job, why: &str) -> Result<(), BookError> {
    let written = write_down(job.position).map_err(|source| BookError::Dust { job: job.id, source })?;
    sqlx::query!(
        "INSERT INTO adjustments (job_id, cycle, kind, token_delta, cost_delta, note)
         VALUES ($1, $2, 'dust', -($3::text::numeric), -($4::numeric), $5)",
        job.id.0,
        job.cycle,
        job.position.token_balance.to_string(),
        written.cost_sold.decimal(),
        why,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "UPDATE jobs SET token_balance = 0, cost_basis = 0, realized_pnl = $2::numeric WHERE id = $1",
        job.id.0,
        written.position.realized_pnl.decimal(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
