//! The end of a liquidation that has nothing worth selling left, and of tokens that the wallet has lost.

use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};

use crate::domain::{accounting::lose, job::JobStatus, units::Amount};
use crate::store::{
    endings::BookError,
    jobs::{self, Job},
    leaving::in_motion,
    liquidated::finish_liquidation,
    session::begin,
};

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
        record_dust(&mut tx, &locked, locked.position.token_balance, why).await?;
    }
    finish_liquidation(&mut tx, &locked).await?;
    tx.commit().await?;
    Ok(true)
}

/// Writes the position of a liquidating job down from `tracked` to `held`, because the wallet holds no more: the
/// missing tokens are lost at their cost. Ends the liquidation if nothing is left. `evidence` is kept with the change.
///
/// # Errors [`BookError`]; the answer is `false` if something has changed, or a trade of the job is open or could still
/// be reorged out: then nothing is done.
pub async fn write_off_missing(
    pool: &PgPool,
    job: &Job,
    (tracked, held): (Amount, Amount),
    evidence: &Value,
) -> Result<bool, BookError> {
    let mut tx = begin(pool).await?;
    let locked = jobs::lock(&mut tx, job.id).await?;
    let missing = tracked.saturating_sub(held);
    let same = locked.version == job.version && locked.position.token_balance == tracked;
    if !same
        || missing.is_zero()
        || locked.status != JobStatus::Liquidating
        || in_motion(&mut tx, job.id).await?.is_some()
    {
        return Ok(false);
    }
    record_dust(
        &mut tx,
        &locked,
        missing,
        "the wallet holds less than the job tracked",
    )
    .await?;
    let before = json!({ "token_balance": tracked });
    let after = json!({ "token_balance": held, "evidence": evidence });
    jobs::event(
        &mut tx,
        job.id,
        "engine",
        "written_down",
        Some(before),
        Some(after),
    )
    .await?;
    if held.is_zero() {
        finish_liquidation(&mut tx, &locked).await?;
    }
    tx.commit().await?;
    Ok(true)
}

async fn record_dust(
    connection: &mut PgConnection,
    job: &Job,
    lost: Amount,
    why: &str,
) -> Result<(), BookError> {
    let written = lose(job.position, lost).map_err(|source| BookError::Dust { job: job.id, source })?;
    sqlx::query!(
        "INSERT INTO adjustments (job_id, cycle, kind, token_delta, cost_delta, note)
         VALUES ($1, $2, 'dust', -($3::text::numeric), -($4::numeric), $5)",
        job.id.0,
        job.cycle,
        lost.to_string(),
        written.cost_sold.decimal(),
        why,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "UPDATE jobs SET token_balance = $3::text::numeric, cost_basis = $4::numeric, realized_pnl = $2::numeric WHERE id = $1",
        job.id.0,
        written.position.realized_pnl.decimal(),
        written.position.token_balance.to_string(),
        written.position.cost_basis.decimal(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
