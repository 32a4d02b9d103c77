//! Which workers there are.

use sqlx::PgPool;

use crate::domain::{Timestamp, span::Span};
use crate::store::StoreError;

/// The workers, and the instant this was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workers {
    /// The database's clock.
    pub now: Timestamp,
    /// Processes with a heartbeat in the last time.
    pub alive: i64,
    /// The newest heartbeat that is still on record; a worker that is stopped takes its own away.
    pub last_seen: Option<Timestamp>,
}

/// The workers. A process without a heartbeat for `silence` is not alive.
///
/// # Errors
/// [`StoreError`].
pub async fn workers(pool: &PgPool, silence: Span) -> Result<Workers, StoreError> {
    Ok(sqlx::query_as!(
        Workers,
        r#"SELECT now() AS "now!", max(last_seen) AS last_seen,
                  -- A worker's id begins with its process; a process has one worker for each queue.
                  count(DISTINCT split_part(id, '-', 1)) FILTER (WHERE last_seen > now() - make_interval(secs => $1))
                      AS "alive!"
           FROM apalis.workers WHERE worker_type LIKE 'lgi-mm:%'"#,
        silence.std().as_secs_f64()
    )
    .fetch_one(pool)
    .await?)
}
