//! What has changed, by the numbers of the rows that say so: events of trades and jobs, and orders of people.

use sqlx::PgPool;

use crate::{
    domain::{
        Timestamp,
        ids::{JobId, TradeId},
    },
    store::StoreError,
};

/// A row of `outbox` (`event`) or of `job_events` (`order`).
#[derive(Debug, Clone)]
pub struct ChangeRow {
    /// `event` or `order`: with `id` its name.
    pub kind: String,
    /// The row's number within its kind.
    pub id: i64,
    /// When it happened.
    pub at: Timestamp,
    /// The job, unless it is about the installation.
    pub job: Option<JobId>,
    /// The trade, if it is about one.
    pub trade: Option<TradeId>,
    /// The event's name, or what was ordered.
    pub name: String,
}

/// The greatest numbers so far: of events, and of orders.
///
/// # Errors
/// [`StoreError`].
pub async fn last(pool: &PgPool) -> Result<(i64, i64), StoreError> {
    let row = sqlx::query!(
        r#"SELECT (SELECT coalesce(max(id), 0) FROM outbox) AS "event!",
                  (SELECT coalesce(max(id), 0) FROM job_events) AS "order!""#
    )
    .fetch_one(pool)
    .await?;
    Ok((row.event, row.order))
}

/// Up to `limit` events and as many orders with greater numbers, each in their order.
///
/// # Errors
/// [`StoreError`].
pub async fn after(
    pool: &PgPool,
    (event, order): (i64, i64),
    limit: i64,
) -> Result<Vec<ChangeRow>, StoreError> {
    let rows = sqlx::query!(
        r#"(SELECT 'event' AS "kind!", id AS "id!", created_at AS "at!", job_id AS "job?", trade_id AS "trade?",
                   event AS "name!"
            FROM outbox WHERE id > $1 ORDER BY id LIMIT $3)
           UNION ALL
           (SELECT 'order', id, at, job_id, NULL, action FROM job_events WHERE id > $2 ORDER BY id LIMIT $3)"#,
        event,
        order,
        limit,
    )
    .fetch_all(pool)
    .await?;
    let row = rows.into_iter().map(|row| ChangeRow {
        kind: row.kind,
        id: row.id,
        at: row.at,
        job: row.job.map(JobId),
        trade: row.trade.map(TradeId),
        name: row.name,
    });
    Ok(row.collect())
}
