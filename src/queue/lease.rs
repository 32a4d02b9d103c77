//! The statements of a leasing worker: fetch, acknowledge, stay alive, take over from the dead, leave.
//!
//! A row is a worker's while that worker's heartbeat is younger than the lease. Every acknowledgement is
//! fenced by the worker's name and the attempt's number, so one that comes too late changes nothing.

use std::time::Duration;

use sqlx::PgPool;

/// A fetched row.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) payload: Vec<u8>,
    pub(super) attempt: i32,
    pub(super) max_attempts: i32,
}

/// What becomes of a row.
#[derive(Debug, Clone)]
pub(super) struct Ack {
    pub(super) id: String,
    pub(super) attempt: i32,
    pub(super) end: End,
}

#[derive(Debug, Clone)]
pub(super) enum End {
    Done,
    Retry { after: Duration, error: String },
    Killed { error: String },
}

/// One worker's view of one queue.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    pub(super) pool: PgPool,
    pub(super) queue: String,
    pub(super) worker: String,
}

impl Lease {
    /// Says that the worker lives.
    pub(super) async fn heartbeat(&self) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "INSERT INTO apalis.workers (id, worker_type, storage_name, last_seen, started_at)
             VALUES ($1, $2, 'lgi-mm', now(), now())
             ON CONFLICT (id) DO UPDATE SET last_seen = now()",
            self.worker,
            self.queue,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Hands the rows of workers that stopped living back to the queue, and forgets those workers.
    pub(super) async fn take_over(&self, lease: Duration) -> Result<u64, sqlx::Error> {
        let freed = sqlx::query!(
            "UPDATE apalis.jobs j SET status = 'Pending', lock_by = NULL, lock_at = NULL
             FROM (SELECT j.id FROM apalis.jobs j JOIN apalis.workers w ON w.id = j.lock_by
                   WHERE j.status IN ('Queued', 'Running') AND j.job_type = $1
                     AND w.last_seen < now() - make_interval(secs => $2)
                   FOR UPDATE OF j SKIP LOCKED) AS lost
             WHERE j.id = lost.id",
            self.queue,
            lease.as_secs_f64(),
        )
        .execute(&self.pool)
        .await?
        .rows_affected();
        sqlx::query!(
            "DELETE FROM apalis.workers w
             WHERE w.worker_type = $1 AND w.last_seen < now() - make_interval(secs => $2)
               AND NOT EXISTS (SELECT FROM apalis.jobs j WHERE j.lock_by = w.id)",
            self.queue,
            lease.as_secs_f64(),
        )
        .execute(&self.pool)
        .await?;
        Ok(freed)
    }

    /// Takes up to `limit` due rows.
    pub(super) async fn fetch(&self, limit: i64) -> Result<Vec<Row>, sqlx::Error> {
        sqlx::query_as!(
            Row,
            r#"UPDATE apalis.jobs j
               SET status = 'Running', lock_by = $1, lock_at = now(), attempts = j.attempts + 1
               WHERE j.id = ANY (ARRAY(
                   SELECT id FROM apalis.jobs
                   WHERE job_type = $2 AND status = 'Pending' AND run_at <= now()
                   ORDER BY priority DESC, run_at LIMIT $3
                   FOR UPDATE SKIP LOCKED))
               RETURNING j.id, j.job AS payload, j.attempts AS attempt, j.max_attempts"#,
            self.worker,
            self.queue,
            limit,
        )
        .fetch_all(&self.pool)
        .await
    }

    /// Writes what became of rows, all in one statement; done rows are deleted. The answer is how many were
    /// still this worker's.
    pub(super) async fn acknowledge(&self, acks: &[Ack]) -> Result<u64, sqlx::Error> {
        let ids: Vec<String> = acks.iter().map(|ack| ack.id.clone()).collect();
        let attempts: Vec<i32> = acks.iter().map(|ack| ack.attempt).collect();
        let (mut ends, mut delays, mut errors) = (vec![], vec![], vec![]);
        for ack in acks {
            let (end, delay, error) = match &ack.end {
                End::Done => ("Done", 0.0, None),
                End::Retry { after, error } => ("Pending", after.as_secs_f64(), Some(error.clone())),
                End::Killed { error } => ("Killed", 0.0, Some(error.clone())),
            };
            ends.push(end.to_owned());
            delays.push(delay);
            errors.push(error);
        }
        let ours = sqlx::query_scalar!(
            r#"WITH a AS (
                   SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::float8[], $5::text[])
                       AS a (id, attempt, ending, delay, error)
               ), done AS (
                   DELETE FROM apalis.jobs j USING a
                   WHERE j.id = a.id AND j.lock_by = $6 AND j.attempts = a.attempt AND a.ending = 'Done'
                   RETURNING j.id
               ), kept AS (
                   UPDATE apalis.jobs j
                   SET status = a.ending, last_result = jsonb_build_object('Err', a.error), lock_by = NULL, lock_at = NULL,
                       run_at = now() + make_interval(secs => a.delay),
                       done_at = CASE WHEN a.ending = 'Killed' THEN now() END
                   FROM a
                   WHERE j.id = a.id AND j.lock_by = $6 AND j.attempts = a.attempt AND a.ending <> 'Done'
                   RETURNING j.id
               )
               SELECT (SELECT count(*) FROM done) + (SELECT count(*) FROM kept) AS "ours!""#,
            &ids,
            &attempts,
            &ends,
            &delays,
            &errors as &[Option<String>],
            self.worker,
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(u64::try_from(ours).unwrap_or_default())
    }

    /// Gives rows back that were fetched and never started: no attempt is counted.
    pub(super) async fn hand_back(&self, ids: &[String]) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "UPDATE apalis.jobs SET status = 'Pending', lock_by = NULL, lock_at = NULL, attempts = attempts - 1
             WHERE lock_by = $1 AND id = ANY ($2)",
            self.worker,
            ids,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Leaves: whatever still runs is another worker's now, and this one is forgotten.
    pub(super) async fn leave(&self) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "UPDATE apalis.jobs SET status = 'Pending', lock_by = NULL, lock_at = NULL
             WHERE lock_by = $1 AND status IN ('Queued', 'Running')",
            self.worker,
        )
        .execute(&self.pool)
        .await?;
        sqlx::query!("DELETE FROM apalis.workers WHERE id = $1", self.worker)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
