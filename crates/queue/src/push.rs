//! Pushes tasks inside the caller's transaction.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use ulid::{Generator, Ulid};

use crate::channel::CHANNEL;

/// One task to push.
#[derive(Debug, Clone)]
pub struct NewTask<T> {
    /// What the handler is given.
    pub payload: T,
    /// At most one row of a queue has this key, until that row is deleted.
    pub idempotency_key: Option<String>,
    /// When it becomes due, to the microsecond; `None` is the time of the transaction.
    pub run_at: Option<DateTime<Utc>>,
    /// Number of attempts, 1 to 1000.
    pub max_attempts: u16,
}

impl<T> NewTask<T> {
    const ATTEMPTS: u16 = 10;

    /// A task that is due now, with ten attempts.
    pub const fn now(payload: T) -> Self {
        Self {
            payload,
            idempotency_key: None,
            run_at: None,
            max_attempts: Self::ATTEMPTS,
        }
    }

    /// The same task under `key`, pushed only if no row of the queue has it.
    #[must_use]
    pub fn once(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// The same task, due at `instant`.
    #[must_use]
    pub const fn at(mut self, instant: DateTime<Utc>) -> Self {
        self.run_at = Some(instant);
        self
    }
}

/// Why nothing was pushed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// A payload has no JSON form.
    #[error("a task's payload cannot be written as JSON")]
    Payload(#[from] serde_json::Error),
    /// The number of attempts is out of range.
    #[error("a task has {0} attempts, and needs 1 to 1000")]
    Attempts(u16),
    /// The database refused; the transaction is aborted.
    #[error("cannot push tasks")]
    Database(#[from] sqlx::Error),
}

/// Pushes `tasks` into `queue` and returns how many were new; the others' keys were taken. Due tasks wake
/// the workers when the transaction commits.
///
/// # Errors
/// [`PushError`]; nothing is pushed then.
pub async fn push<T: Serialize>(
    connection: &mut PgConnection,
    queue: &str,
    tasks: &[NewTask<T>],
) -> Result<u64, PushError> {
    if tasks.is_empty() {
        return Ok(0);
    }
    let columns = Columns::of(tasks)?;
    // Rows due now are announced by apalis' trigger, those due later are announced here, so that workers
    // shorten their sleep.
    let (new,): (i64,) = sqlx::query_as(
        "WITH pushed AS (
             INSERT INTO apalis.jobs
                 (id, job_type, job, status, attempts, max_attempts, run_at, priority, idempotency_key)
             SELECT t.id, $1, t.job, 'Pending', 0, t.max_attempts, coalesce(t.run_at, now()), 0, t.key
             FROM unnest($2::text[], $3::bytea[], $4::int[], $5::timestamptz[], $6::text[])
                  AS t (id, job, max_attempts, run_at, key)
             ON CONFLICT (job_type, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
             RETURNING run_at > now() AS later
         ), counted AS (
             SELECT count(*) AS new, coalesce(bool_or(later), false) AS later FROM pushed
         ), announced AS MATERIALIZED (
             SELECT pg_notify($7, json_build_object('job_type', $1)::text) FROM counted WHERE later
         )
         SELECT new FROM counted LEFT JOIN announced ON true",
    )
    .bind(queue)
    .bind(columns.ids)
    .bind(columns.payloads)
    .bind(columns.max_attempts)
    .bind(columns.run_at)
    .bind(columns.keys)
    .bind(CHANNEL)
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(new).unwrap_or(0))
}

#[derive(Default)]
struct Columns {
    ids: Vec<String>,
    payloads: Vec<Vec<u8>>,
    max_attempts: Vec<i32>,
    run_at: Vec<Option<DateTime<Utc>>>,
    keys: Vec<Option<String>>,
}

impl Columns {
    fn of<T: Serialize>(tasks: &[NewTask<T>]) -> Result<Self, PushError> {
        let mut columns = Self::default();
        let mut ids = Generator::new();
        for task in tasks {
            if !(1..=1_000).contains(&task.max_attempts) {
                return Err(PushError::Attempts(task.max_attempts));
            }
            // In order within a push, so that tasks due together run in the order they were given.
            let id = ids.generate().unwrap_or_else(|_| Ulid::generate());
            columns.ids.push(id.to_string());
            columns.payloads.push(serde_json::to_vec(&task.payload)?);
            columns.max_attempts.push(task.max_attempts.into());
            columns.run_at.push(task.run_at);
            columns.keys.push(task.idempotency_key.clone());
        }
        Ok(columns)
    }
}
