//! What a server is: its version, its encoding and whether a pooler in front of it shares its processes between
//! sessions, asked once when we connect; and whether it takes writes, which may change.

use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool, Row, postgres::PgConnectOptions};

use super::refusal::{NOT_UTF8, Refusal, SHARED_SESSIONS, TOO_OLD};

/// The oldest server that has what our statements use, as `server_version_num`.
const OLDEST: u32 = 150_000;

/// Longest wait for the second session; where it is not served, whether sessions are shared stays unknown.
const PATIENCE: Duration = Duration::from_secs(2);

/// Which process of which server serves a session: a process number alone may be that of another server.
const PROCESS: &str =
    "SELECT pg_backend_pid()::text || ' of ' || pg_postmaster_start_time()::text AS process";

const FACTS: &str =
    "SELECT current_setting('server_version_num') AS version, current_setting('server_encoding') AS encoding";

/// Whether the database takes writes now.
///
/// # Errors
/// [`sqlx::Error`].
pub async fn takes_writes(pool: &PgPool) -> Result<bool, sqlx::Error> {
    let sql = "SELECT NOT pg_is_in_recovery() AND NOT current_setting('transaction_read_only')::boolean";
    sqlx::query_scalar(sql).fetch_one(pool).await
}

/// Why this server cannot be used, if it cannot.
///
/// # Errors
/// [`sqlx::Error`] of the first session. A second one that is refused proves nothing.
pub(super) async fn unfit(
    first: &mut PgConnection,
    options: &PgConnectOptions,
) -> Result<Option<Refusal>, sqlx::Error> {
    // Simple queries: behind such a pooler a prepared statement may be gone, or that of another session.
    let facts = sqlx::raw_sql(FACTS).fetch_one(&mut *first).await?;
    let version: String = facts.try_get("version")?;
    if version.parse::<u32>().is_ok_and(|version| version < OLDEST) {
        return Ok(Some(TOO_OLD));
    }
    if facts.try_get::<String, _>("encoding")? != "UTF8" {
        return Ok(Some(NOT_UTF8));
    }
    let shared = tokio::time::timeout(PATIENCE, shares_processes(first, options)).await;
    Ok(matches!(shared, Ok(Ok(true))).then_some(SHARED_SESSIONS))
}

/// Whether two open sessions are served by the same process, or one session by several.
async fn shares_processes(first: &mut PgConnection, options: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let before = process(first).await?;
    let mut second = PgConnection::connect_with(options).await?;
    let other = process(&mut second).await?;
    if before == other {
        return Ok(true);
    }
    // Now it keeps its process, so a shared first session gets another one.
    sqlx::raw_sql("BEGIN").execute(&mut second).await?;
    let (kept, after) = (process(&mut second).await?, process(first).await?);
    second.close().await?;
    Ok(before != after || other != kept)
}

async fn process(session: &mut PgConnection) -> Result<String, sqlx::Error> {
    sqlx::raw_sql(PROCESS)
        .fetch_one(session)
        .await?
        .try_get("process")
}
