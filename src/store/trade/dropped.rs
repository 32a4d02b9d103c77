//! Plans that are given up before anything is signed, because their job wants them no more.

use serde_json::json;
use sqlx::PgPool;

use crate::domain::event::Event;
use crate::store::{
    StoreError,
    endings::{Ended, release},
    jobs, outbox,
    session::begin,
    trades::Trade,
};

/// Drops a pending trade: nothing was sent, so it is no failure of its job and takes no place in its limits.
///
/// `why`: for people. `pipeline_max`: most transactions of the wallet that may be open at once.
///
/// # Errors
/// [`StoreError`]; nothing is committed then.
pub async fn drop_plan(
    pool: &PgPool,
    trade: &Trade,
    why: &str,
    pipeline_max: i64,
) -> Result<Ended, StoreError> {
    let mut tx = begin(pool).await?;
    let job = jobs::lock(&mut tx, trade.job).await?;
    let moved = sqlx::query!(
        "UPDATE trades SET status = 'DROPPED', error = $3, executed_at = now(), next_check_at = NULL, note = NULL,
                version = version + 1
         WHERE id = $1 AND status = 'PENDING' AND version = $2",
        trade.id.0,
        trade.version.0,
        why,
    )
    .execute(&mut *tx)
    .await?;
    if moved.rows_affected() != 1 {
        return Ok(Ended::Raced);
    }
    release(&mut tx, trade, &job, pipeline_max).await?;
    let payload = json!({ "trade": trade.id, "side": trade.side, "reason": trade.reason, "error": why });
    outbox::write(&mut tx, job.id, Some(trade.id), Event::TradeDropped, payload).await?;
    tx.commit().await?;
    Ok(Ended::Committed)
}
