//! Which processes work on the database. Their tables and sessions are not all there for every role and every schema,
//! so nothing here is checked when we are compiled.

use sqlx::PgPool;

use crate::domain::Timestamp;
use crate::store::{StoreError, WAKE_CHANNEL};

/// A worker process that has a row.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Worker {
    /// Its id.
    pub process: String,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// Its last heartbeat.
    pub last_seen: Timestamp,
    /// Whether that is recent enough, by the database's clock.
    pub alive: bool,
}

/// Worker processes that were seen, newest first. A process has a row for each queue.
///
/// # Errors
/// [`StoreError`].
pub async fn workers(pool: &PgPool) -> Result<Vec<Worker>, StoreError> {
    let sql = "SELECT split_part(id, '-', 1) AS process, min(started_at) AS started_at, max(last_seen) AS last_seen,
                      max(last_seen) > now() - interval '15 s' AS alive
               FROM apalis.workers WHERE worker_type LIKE 'lgi-mm:%' GROUP BY 1 ORDER BY 3 DESC LIMIT 20";
    Ok(sqlx::query_as(sql).fetch_all(pool).await?)
}

/// Sessions of schedulers, which wait to be woken.
///
/// # Errors
/// [`StoreError`].
pub async fn schedulers(pool: &PgPool) -> Result<i64, StoreError> {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN \"' || $1 || '\"%'";
    Ok(sqlx::query_scalar(sql).bind(WAKE_CHANNEL).fetch_one(pool).await?)
}

/// The server's version.
///
/// # Errors
/// [`StoreError`].
pub async fn server(pool: &PgPool) -> Result<String, StoreError> {
    let sql = "SELECT current_setting('server_version')";
    Ok(sqlx::query_scalar(sql).fetch_one(pool).await?)
}
