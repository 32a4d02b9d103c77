//! Enqueues tasks inside the caller's transaction.
//!
//! The tables belong to apalis-postgres, whose migrations run before ours; its own push aborts a whole batch
//! on one duplicate, so the insert is ours.

use chrono::TimeDelta;
use serde::Serialize;
use sqlx::PgConnection;
use ulid::Ulid;

/// Channel that wakes workers, once a push rather than once a row.
pub const TASK_CHANNEL: &str = "lgi_mm_tasks";

/// Attempts before a task is given up. A slot whose task was given up is handed out again by the scheduler.
const ATTEMPTS_MAX: i32 = 10;

/// A task to enqueue.
#[derive(Debug, Clone)]
pub struct NewTask {
    payload: Vec<u8>,
    key: String,
    delay: TimeDelta,
}

impl NewTask {
    /// A task to run at once. A second push with the same key is ignored while the first is still there.
    #[must_use]
    pub fn now<T: Serialize>(payload: &T, key: String) -> Self {
        // Task payloads are plain structs of numbers and times: serialising them cannot fail.
        let payload = serde_json::to_vec(payload).unwrap_or_default();
        Self {
            payload,
            key,
            delay: TimeDelta::zero(),
        }
    }

    /// The same task, to run after `delay`.
    #[must_use]
    pub fn after(self, delay: TimeDelta) -> Self {
        Self { delay, ..self }
    }
}

/// Pushes tasks and wakes the workers when the transaction commits. The answer is how many were new.
///
/// # Errors
/// [`sqlx::Error`]; the caller's transaction is then to be rolled back.
pub async fn push(connection: &mut PgConnection, queue: &str, tasks: &[NewTask]) -> Result<u64, sqlx::Error> {
    if tasks.is_empty() {
        return Ok(0);
    }
    let ids: Vec<String> = tasks.iter().map(|_| Ulid::generate().to_string()).collect();
    let payloads: Vec<Vec<u8>> = tasks.iter().map(|task| task.payload.clone()).collect();
    let keys: Vec<String> = tasks.iter().map(|task| task.key.clone()).collect();
    let delays: Vec<i64> = tasks.iter().map(|task| task.delay.num_milliseconds()).collect();
    // apalis' trigger notifies once for every row that is due by the transaction's own clock; the wall clock
    // is a moment later, which spares thousands of notifications a batch. Ours is sent once.
    let pushed = sqlx::query!(
        "INSERT INTO apalis.jobs (id, job_type, job, max_attempts, run_at, priority, idempotency_key)
         SELECT i.id, $1, i.job, $2, clock_timestamp() + make_interval(secs => i.delay / 1000.0), 0, i.key
         FROM unnest($3::text[], $4::bytea[], $5::text[], $6::bigint[]) AS i (id, job, key, delay)
         ON CONFLICT (job_type, idempotency_key) DO NOTHING",
        queue,
        ATTEMPTS_MAX,
        &ids,
        &payloads,
        &keys,
        &delays,
    )
    .execute(&mut *connection)
    .await?
    .rows_affected();
    sqlx::query!("SELECT pg_notify($1, $2)", TASK_CHANNEL, queue)
        .execute(connection)
        .await?;
    Ok(pushed)
}
