//! Deletes expired rows. Each statement is one short transaction over few rows, found by an index; rows that another
//! transaction has locked are skipped until the next pass.
//!
//! Rows are selected as an array: a planner may run a subquery of `IN` once for each outer row, and then its limit has
//! no effect.

use sqlx::PgConnection;

use super::{StoreError, columns::unsigned, deliveries::GONE_AFTER};
use crate::domain::Timestamp;

/// The advisory lock of the process that prunes: "lgi-mm" in ASCII, and a number.
const LOCK: i64 = 0x6c67_692d_6d6d_0002;

/// Takes the pruning lock for as long as this connection lives. `false`: another process holds it.
///
/// # Errors
/// [`StoreError`].
pub async fn lock(connection: &mut PgConnection) -> Result<bool, StoreError> {
    Ok(
        sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "locked!""#, LOCK)
            .fetch_one(connection)
            .await?,
    )
}

/// Releases the lock at once: the server ends a session only some time after its client.
///
/// # Errors
/// [`StoreError`].
pub async fn unlock(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query_scalar!("SELECT pg_advisory_unlock($1)", LOCK)
        .fetch_one(connection)
        .await?;
    Ok(())
}

/// The database's time.
///
/// # Errors
/// [`StoreError`].
pub async fn now(connection: &mut PgConnection) -> Result<Timestamp, StoreError> {
    Ok(sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#)
        .fetch_one(connection)
        .await?)
}

/// The result of one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Batch {
    /// Rows that were deleted, or would be.
    pub rows: u64,
    /// The last job it looked at; `None`: there are no more.
    pub last_job: Option<i64>,
}

/// Runs of holds that ended before `before`, of a few jobs after `after_job`, up to `limit` of each. The newest row of
/// a job and the run that its newest slot belongs to stay, however old; so does every trade's tick.
///
/// # Errors
/// [`StoreError`].
pub async fn ticks(
    connection: &mut PgConnection,
    before: Timestamp,
    after_job: i64,
    limit: i64,
    dry: bool,
) -> Result<Batch, StoreError> {
    if dry {
        let row = sqlx::query_file!("src/store/sql/retention_ticks_dry.sql", before, after_job)
            .fetch_one(connection)
            .await?;
        return batch(row.rows, row.last_job);
    }
    let row = sqlx::query_file!("src/store/sql/retention_ticks.sql", before, after_job, limit)
        .fetch_one(connection)
        .await?;
    batch(row.rows, row.last_job)
}

fn batch(rows: i64, last_job: Option<i64>) -> Result<Batch, StoreError> {
    Ok(Batch {
        rows: unsigned("retention.rows", rows)?,
        last_job,
    })
}

/// Samples of one source for one token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Series {
    /// Chain name.
    pub chain: String,
    /// The token's address.
    pub token: String,
    /// Source and parameters.
    pub series: String,
}

/// The series after this one, found by skipping along the index.
///
/// # Errors
/// [`StoreError`].
pub async fn next_series(
    connection: &mut PgConnection,
    after: &Series,
) -> Result<Option<Series>, StoreError> {
    Ok(sqlx::query_as!(
        Series,
        r#"SELECT chain, token::text AS "token!", series FROM price_samples
           WHERE (chain, token::text, series) > ($1, $2, $3)
           ORDER BY chain, token::text, series LIMIT 1"#,
        after.chain,
        after.token,
        after.series,
    )
    .fetch_optional(connection)
    .await?)
}

/// How far back the rules of a token's jobs look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenLookBack {
    /// Chain name.
    pub chain: String,
    /// The token's address.
    pub token: String,
    /// The longest of them, seconds.
    pub look_back_secs: i64,
}

/// The look-back of all jobs that are not archived, by chain and token.
///
/// # Errors
/// [`StoreError`].
pub async fn look_backs(connection: &mut PgConnection) -> Result<Vec<TokenLookBack>, StoreError> {
    Ok(sqlx::query_as!(
        TokenLookBack,
        r#"SELECT chain, token_address::text AS "token!", max(look_back_secs) AS "look_back_secs!"
           FROM jobs WHERE archived_at IS NULL GROUP BY 1, 2"#
    )
    .fetch_all(connection)
    .await?)
}

/// Samples of one series from before `before`, oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn samples(
    connection: &mut PgConnection,
    of: &Series,
    before: Timestamp,
    limit: i64,
    dry: bool,
) -> Result<u64, StoreError> {
    if dry {
        let count = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM price_samples
               WHERE chain = $1 AND token = $2 AND series = $3 AND bucket < $4"#,
            of.chain,
            &of.token as _,
            of.series,
            before,
        )
        .fetch_one(connection)
        .await?;
        return unsigned("price_samples.count", count);
    }
    // A sample is written once and never changed, so no other transaction locks it.
    let gone = sqlx::query!(
        "DELETE FROM price_samples
         WHERE chain = $1 AND token = $2 AND series = $3 AND bucket <= (
             SELECT max(bucket) FROM (
                 SELECT bucket FROM price_samples WHERE chain = $1 AND token = $2 AND series = $3 AND bucket < $4
                 ORDER BY bucket LIMIT $5) oldest)",
        of.chain,
        &of.token as _,
        of.series,
        before,
        limit,
    )
    .execute(connection)
    .await?;
    Ok(gone.rows_affected())
}

/// Events from before `before` that no receiver waits for, with their deliveries, oldest first.
///
/// A receiver waits for its undelivered messages and for events not fanned out yet, as long as a process has it: by the
/// rule of [`GONE_AFTER`], as in delivery, so that a removed receiver keeps nothing. Events fanned out less than a
/// minute ago stay: this statement may have begun before that and not see their messages.
///
/// # Errors
/// [`StoreError`].
pub async fn events(
    connection: &mut PgConnection,
    before: Timestamp,
    limit: i64,
    dry: bool,
) -> Result<u64, StoreError> {
    let gone = GONE_AFTER.std().as_secs_f64();
    if dry {
        let count = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM outbox o WHERE created_at < $1
               AND (o.fanned_out_at < now() - interval '1 minute'
                    OR o.fanned_out_at IS NULL
                       AND NOT EXISTS (SELECT FROM receivers r WHERE r.seen_at > now() - make_interval(secs => $2)))
               AND NOT EXISTS (SELECT FROM deliveries d JOIN receivers r ON r.name = d.receiver
                               WHERE d.outbox_id = o.id AND d.status = 'waiting'
                                 AND r.seen_at > now() - make_interval(secs => $2))"#,
            before,
            gone,
        )
        .fetch_one(connection)
        .await?;
        return unsigned("outbox.count", count);
    }
    // Ids follow the time closely, so only the front is read.
    let deleted = sqlx::query!(
        "DELETE FROM outbox WHERE id = ANY (ARRAY(
             SELECT o.id FROM outbox o
             JOIN (SELECT id FROM outbox ORDER BY id LIMIT $2) front USING (id)
             WHERE o.created_at < $1
               AND (o.fanned_out_at < now() - interval '1 minute'
                    OR o.fanned_out_at IS NULL
                       AND NOT EXISTS (SELECT FROM receivers r WHERE r.seen_at > now() - make_interval(secs => $3)))
               AND NOT EXISTS (SELECT FROM deliveries d JOIN receivers r ON r.name = d.receiver
                               WHERE d.outbox_id = o.id AND d.status = 'waiting'
                                 AND r.seen_at > now() - make_interval(secs => $3))
             FOR UPDATE OF o SKIP LOCKED))",
        before,
        limit,
        gone,
    )
    .execute(connection)
    .await?;
    Ok(deleted.rows_affected())
}

/// Killed and kept tasks of our queues from before `before`.
///
/// # Errors
/// [`StoreError`].
pub async fn tasks(
    connection: &mut PgConnection,
    before: Timestamp,
    limit: i64,
    dry: bool,
) -> Result<u64, StoreError> {
    if dry {
        let count = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM apalis.jobs
               WHERE status IN ('Killed', 'Done') AND run_at < $1 AND job_type LIKE 'lgi-mm:%'"#,
            before
        )
        .fetch_one(connection)
        .await?;
        return unsigned("apalis.jobs.count", count);
    }
    let gone = sqlx::query!(
        "DELETE FROM apalis.jobs WHERE id = ANY (ARRAY(
             SELECT id FROM apalis.jobs
             WHERE status IN ('Killed', 'Done') AND run_at < $1 AND job_type LIKE 'lgi-mm:%'
             ORDER BY run_at LIMIT $2 FOR UPDATE SKIP LOCKED))",
        before,
        limit,
    )
    .execute(connection)
    .await?;
    Ok(gone.rows_affected())
}

/// Tokens, links and sessions that were revoked or expired before `before`, once no answer is kept for them.
///
/// # Errors
/// [`StoreError`].
pub async fn tokens(connection: &mut PgConnection, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    let gone = sqlx::query!(
        "DELETE FROM api_tokens WHERE id = ANY (ARRAY(
             SELECT id FROM api_tokens t WHERE least(revoked_at, expires_at) < $1
               AND NOT EXISTS (SELECT FROM api_requests r WHERE r.token_id = t.id)
             ORDER BY id LIMIT $2))",
        before,
        limit,
    )
    .execute(connection)
    .await?;
    Ok(gone.rows_affected())
}

/// Commands from a chat that were taken before `before`, and codes that expired by then.
///
/// # Errors
/// [`StoreError`].
pub async fn chat(connection: &mut PgConnection, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    sqlx::query!("DELETE FROM chat_codes WHERE expires_at < $1", before)
        .execute(&mut *connection)
        .await?;
    let gone = sqlx::query!(
        "DELETE FROM chat_commands WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM chat_commands WHERE taken_at < $1 ORDER BY taken_at LIMIT $2))",
        before,
        limit,
    )
    .execute(connection)
    .await?;
    Ok(gone.rows_affected())
}

/// Writes of the HTTP API that began before `before`, with their answers. Nothing changes such old ones any more, so
/// none is locked.
///
/// # Errors
/// [`StoreError`].
pub async fn answers(
    connection: &mut PgConnection,
    before: Timestamp,
    limit: i64,
) -> Result<u64, StoreError> {
    let gone = sqlx::query!(
        "DELETE FROM api_requests WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM api_requests WHERE begun_at < $1 ORDER BY begun_at LIMIT $2))",
        before,
        limit,
    )
    .execute(connection)
    .await?;
    Ok(gone.rows_affected())
}

/// Signals that were received before `before`: one that old is refused by its time. Nothing changes such old ones any
/// more, so none is locked.
///
/// # Errors
/// [`StoreError`].
pub async fn signals(
    connection: &mut PgConnection,
    before: Timestamp,
    limit: i64,
) -> Result<u64, StoreError> {
    let gone = sqlx::query!(
        "DELETE FROM signals WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM signals WHERE received_at < $1 ORDER BY received_at LIMIT $2))",
        before,
        limit,
    )
    .execute(connection)
    .await?;
    Ok(gone.rows_affected())
}
