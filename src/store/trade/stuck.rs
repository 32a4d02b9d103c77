//! Trades whose transactions are accepted again and again, and are in no block.

use alloy_primitives::B256;
use serde_json::json;
use sqlx::PgPool;

use crate::domain::{event::Event, job::JobId};
use crate::store::{StoreError, outbox, session::begin, trades::Trade};

/// Notes that this open trade is stuck, and announces it the first time. `sends`: how often all that was signed for the
/// nonce of `hash` has been accepted.
///
/// # Errors
/// [`StoreError`]; nothing is committed then.
pub async fn tell(pool: &PgPool, trade: &Trade, hash: B256, sends: i64) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    let job = sqlx::query_scalar!(
        "UPDATE trades SET stuck_at = now() WHERE id = $1 AND status = 'SUBMITTED' AND stuck_at IS NULL RETURNING job_id",
        trade.id.0,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(job) = job {
        let payload = json!({
            "trade": trade.id, "side": trade.side, "reason": trade.reason, "tx_hash": hash, "sends": sends,
        });
        outbox::write(&mut tx, JobId(job), Some(trade.id), Event::TradeStuck, payload).await?;
    }
    tx.commit().await?;
    Ok(())
}
