//! Which workers there are.

use std::{collections::BTreeSet, fmt::Display};

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

/// Begins the names of our services' sessions.
const SERVICE: &str = "lgi-mm ";

/// What the server calls the sessions of a service: what it is, and which settings file it has read.
#[must_use]
pub fn session_name(service: impl Display, settings: &str) -> String {
    format!("{SERVICE}{service} {settings}")
}

/// A service that is connected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connected {
    /// What it is, such as `worker`.
    pub service: String,
    /// The fingerprint of the settings file that it has read.
    pub settings: String,
}

/// The services that are connected, each combination once. One whose connection string sets `application_name`, or that
/// is behind a pooler which takes no settings, is not among them.
///
/// # Errors
/// [`StoreError`].
pub async fn connected(pool: &PgPool) -> Result<BTreeSet<Connected>, StoreError> {
    let sql = "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database()";
    let names: Vec<String> = sqlx::query_scalar(sql).fetch_all(pool).await?;
    let connected = names.iter().filter_map(|name| {
        let (service, settings) = name.strip_prefix(SERVICE)?.split_once(' ')?;
        Some(Connected {
            service: service.to_owned(),
            settings: settings.to_owned(),
        })
    });
    Ok(connected.collect())
}
