//! Events, written in the transaction that causes them.

use sqlx::PgConnection;

use crate::domain::{event::Event, ids::TradeId, job::JobId};
use crate::store::StoreError;

/// Leaves an event of a job, and of one of its trades if it is about one, in the outbox.
pub(in crate::store) async fn write(
    connection: &mut PgConnection,
    job: JobId,
    trade: Option<TradeId>,
    event: Event,
    payload: serde_json::Value,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO outbox (job_id, trade_id, event, payload) VALUES ($1, $2, $3, $4)",
        job.0,
        trade.map(|trade| trade.0),
        event.to_string(),
        payload,
    )
    .execute(connection)
    .await?;
    Ok(())
}
