//! Deliveries of events to receivers: fan-out, leases, retries and status.
//!
//! A message is claimed by a lease, never by a transaction that stays open. One process at a time sends to a receiver,
//! which keeps its rate limit and its order.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Value;
use sqlx::PgPool;

use crate::domain::{
    Timestamp,
    event::Event,
    job::{JobId, Realm},
    notice::ALL,
    span::Span,
};
use crate::store::{
    StoreError,
    columns::{clean_text, unsigned, word},
};

/// Channel on which a new event wakes the couriers.
pub const EVENT_CHANNEL: &str = "lgi_mm_outbox";

/// A receiver that no process has had in its settings for this long is removed.
pub const GONE_AFTER: Span = Span::from_secs(10 * 60);

/// A receiver in the settings of this process.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Its name.
    pub name: String,
    /// The name of a `ReceiverKind`.
    pub kind: String,
    /// Names of events, or `all`.
    pub events: Vec<String>,
}

/// One try to send a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryTry {
    /// The event in the outbox: with the receiver's name the message's id.
    pub outbox: i64,
    /// Which try of this message it is, from 1.
    pub number: u32,
    /// The end of this process' lease on the receiver. It identifies the lease, so that only its holder releases it.
    pub lease: Timestamp,
}

/// A message that this process sends, until its lease expires.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedDelivery {
    /// This try.
    pub delivery: DeliveryTry,
    /// The event.
    pub event: String,
    /// Version of the payload's form.
    pub payload_version: u16,
    /// Its details.
    pub payload: Value,
    /// The time of the event.
    pub happened_at: Timestamp,
    /// The job, if it is about one.
    pub job: Option<JobSummary>,
}

/// The job as a message shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSummary {
    /// Job id.
    pub id: JobId,
    /// Paper or live.
    pub realm: Realm,
    /// Chain name.
    pub chain: String,
    /// The token's address.
    pub token: String,
    /// The token's ticker.
    pub symbol: String,
    /// Digits of a whole token.
    pub decimals: u8,
    /// The quote's ticker.
    pub quote_symbol: String,
    /// Digits of a whole quote token.
    pub quote_decimals: u8,
}

/// A failed try.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryFailure<'a> {
    /// The try.
    pub delivery: DeliveryTry,
    /// The receiver.
    pub receiver: &'a str,
    /// The error, without secrets.
    pub error: &'a str,
    /// The message is given up at once; its receiver does not count as failing.
    pub refused_for_good: bool,
    /// The message is retried after this long.
    pub retry_after: Duration,
    /// Nothing is sent to the receiver for this long.
    pub quiet_for: Duration,
}

/// The effect of a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is retried.
    Retry,
    /// It was too old for a retry, or is refused for good.
    GivenUp,
    /// Another process has taken it over or delivered it.
    Raced,
}

/// The state of one receiver.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DeliveryStatus {
    /// Its name.
    pub name: String,
    /// Undelivered messages.
    pub waiting: i64,
    /// When the oldest of them happened.
    pub oldest: Option<Timestamp>,
    /// Messages delivered in the last 24 hours.
    pub delivered_today: i64,
    /// Messages that were given up in the last 24 hours.
    pub given_up_today: i64,
    /// Why the newest of them was.
    pub given_up_error: Option<String>,
    /// Failures in a row.
    pub failures: i32,
    /// Start of these failures.
    pub failing_since: Option<Timestamp>,
    /// The error of the last failure.
    pub last_error: Option<String>,
}

/// Registers the receivers of this process.
///
/// # Errors
/// [`StoreError`].
pub async fn register(pool: &PgPool, receivers: &[Registration]) -> Result<(), StoreError> {
    for receiver in receivers {
        sqlx::query!(
            "INSERT INTO receivers AS r (name, kind, events) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, events = excluded.events, seen_at = now()",
            receiver.name,
            receiver.kind,
            &receiver.events,
        )
        .execute(pool)
        .await?;
    }
    Ok(())
}

/// Fans up to `limit` new events out to their receivers and returns how many events that were. A job chooses events and
/// receivers, a receiver chooses events; a halted signer goes to every receiver.
///
/// # Errors
/// [`StoreError`].
pub async fn fan_out(pool: &PgPool, limit: i64) -> Result<u64, StoreError> {
    let fanned = sqlx::query_scalar!(
        r#"WITH fresh AS (
               SELECT id, job_id, event, created_at FROM outbox WHERE fanned_out_at IS NULL
               ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
           ), fanned AS (
               UPDATE outbox o SET fanned_out_at = now() FROM fresh WHERE o.id = fresh.id RETURNING o.id
           ), told AS (
               INSERT INTO deliveries (outbox_id, receiver, happened_at)
               SELECT f.id, r.name, f.created_at
               FROM fresh f CROSS JOIN receivers r LEFT JOIN jobs j ON j.id = f.job_id
               WHERE f.created_at >= r.since AND r.seen_at > now() - make_interval(secs => $2)
                 AND (f.event = $3
                      OR (r.events && ARRAY['all', f.event]
                          AND coalesce(j.config #> '{notify,events}' ?| ARRAY['all', f.event], true)
                          AND coalesce(j.config #> '{notify,receivers}' ?| ARRAY['all', r.name], true)))
               ON CONFLICT DO NOTHING
           )
           SELECT count(*) AS "count!" FROM fanned"#,
        limit,
        GONE_AFTER.std().as_secs_f64(),
        Event::SignerHalted.to_string(),
    )
    .fetch_one(pool)
    .await?;
    unsigned("outbox.count", fanned)
}

/// Claims the oldest due message of a receiver for `lease`, unless the receiver is leased or its rate limit forbids it.
///
/// # Errors
/// [`StoreError`].
pub async fn claim(
    pool: &PgPool,
    receiver: &str,
    lease: Span,
    give_up_after: Span,
) -> Result<Option<ClaimedDelivery>, StoreError> {
    let row = sqlx::query_file!(
        "src/store/sql/deliveries_claim.sql",
        receiver,
        lease.std().as_secs_f64(),
        give_up_after.std().as_secs_f64(),
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let job = match (row.job_id, row.realm, row.chain, row.token) {
        (Some(id), Some(realm), Some(chain), Some(token)) => Some(JobSummary {
            id: JobId(id),
            realm: word("jobs.realm", &realm)?,
            chain,
            token,
            symbol: row.symbol.unwrap_or_default(),
            decimals: unsigned("jobs.token_decimals", row.decimals.unwrap_or_default().into())?,
            quote_symbol: row.quote_symbol.unwrap_or_default(),
            quote_decimals: unsigned(
                "jobs.quote_decimals",
                row.quote_decimals.unwrap_or_default().into(),
            )?,
        }),
        _ => None,
    };
    Ok(Some(ClaimedDelivery {
        delivery: DeliveryTry {
            outbox: row.outbox_id,
            number: unsigned("deliveries.attempts", row.attempts.into())?,
            lease: row.busy_until,
        },
        event: row.event,
        payload_version: unsigned("outbox.payload_version", row.payload_version.into())?,
        payload: row.payload,
        happened_at: row.happened_at,
        job,
    }))
}

/// Time until the receiver may get a message, or until its next one is due; `None` if none waits.
///
/// # Errors
/// [`StoreError`].
pub async fn next_due(
    pool: &PgPool,
    receiver: &str,
    give_up_after: Span,
) -> Result<Option<Duration>, StoreError> {
    let secs = sqlx::query_scalar!(
        r#"SELECT extract(epoch FROM
                      -- While it is not its turn there is no need to look at all that waits.
                      CASE WHEN greatest(r.busy_until, r.next_send_at) > clock_timestamp()
                           THEN greatest(r.busy_until, r.next_send_at)
                           ELSE (SELECT min(d.next_attempt_at) FROM deliveries d
                                 WHERE d.receiver = r.name AND d.status = 'waiting'
                                   AND d.happened_at >= clock_timestamp() - make_interval(secs => $2))
                      END - clock_timestamp())::float8
           FROM receivers r WHERE r.name = $1"#,
        receiver,
        give_up_after.std().as_secs_f64(),
    )
    .fetch_optional(pool)
    .await?
    .flatten();
    Ok(secs.map(|secs| Duration::try_from_secs_f64(secs.max(0.0)).unwrap_or_default()))
}

/// Records a delivered message; the next one may follow after `pause`, or later if the receiver asked for that
/// meanwhile. Releases only the lease of this try: another process may hold the receiver by now. Returns for how long
/// the receiver had been failing, if it had.
///
/// # Errors
/// [`StoreError`].
pub async fn delivered(
    pool: &PgPool,
    delivery: DeliveryTry,
    receiver: &str,
    pause: Span,
) -> Result<Option<TimeDelta>, StoreError> {
    let failing_since = sqlx::query_scalar!(
        r#"WITH ended AS (
               UPDATE deliveries SET status = 'delivered', ended_at = clock_timestamp(), last_error = NULL
               WHERE outbox_id = $1 AND receiver = $2 AND status <> 'delivered'
           ), before AS (
               SELECT name, failing_since FROM receivers WHERE name = $2 FOR UPDATE
           )
           UPDATE receivers r
           SET busy_until = CASE WHEN r.busy_until = $4 THEN '-infinity' ELSE r.busy_until END,
               failures = 0, failing_since = NULL,
               next_send_at = greatest(r.next_send_at, clock_timestamp() + make_interval(secs => $3))
           FROM before WHERE r.name = before.name
           RETURNING before.failing_since"#,
        delivery.outbox,
        receiver,
        pause.std().as_secs_f64(),
        delivery.lease,
    )
    .fetch_optional(pool)
    .await?
    .flatten();
    Ok(failing_since.map(|since| chrono::Utc::now() - since))
}

/// Records a failed try at its message, if no later try has claimed it, and at its receiver, if the message or the
/// lease is still of this try. Another process' lease is not touched.
///
/// # Errors
/// [`StoreError`].
pub async fn failed(
    pool: &PgPool,
    failure: &DeliveryFailure<'_>,
    give_up_after: Span,
) -> Result<Recorded, StoreError> {
    let status = sqlx::query_scalar!(
        r#"WITH noted AS (
               UPDATE deliveries
               SET last_error = $4, next_attempt_at = clock_timestamp() + make_interval(secs => $5),
                   status = CASE WHEN $9 OR happened_at < clock_timestamp() - make_interval(secs => $7)
                                 THEN 'given_up' ELSE status END,
                   ended_at = CASE WHEN $9 OR happened_at < clock_timestamp() - make_interval(secs => $7)
                                   THEN clock_timestamp() END
               WHERE outbox_id = $1 AND receiver = $2 AND attempts = $3 AND status = 'waiting'
               RETURNING status
           ), quiet AS (
               UPDATE receivers
               SET busy_until = CASE WHEN busy_until = $8 THEN '-infinity' ELSE busy_until END,
                   failures = failures + CASE WHEN $9 THEN 0 ELSE 1 END,
                   last_error = CASE WHEN $9 THEN last_error ELSE $4 END,
                   failing_since = CASE WHEN $9 THEN failing_since ELSE coalesce(failing_since, clock_timestamp()) END,
                   next_send_at = greatest(next_send_at, clock_timestamp() + make_interval(secs => $6))
               WHERE name = $2 AND (busy_until = $8 OR EXISTS (SELECT FROM noted))
           )
           SELECT status FROM noted"#,
        failure.delivery.outbox,
        failure.receiver,
        i32::try_from(failure.delivery.number).unwrap_or(i32::MAX),
        clean_text(failure.error),
        failure.retry_after.as_secs_f64(),
        failure.quiet_for.as_secs_f64(),
        give_up_after.std().as_secs_f64(),
        failure.delivery.lease,
        failure.refused_for_good,
    )
    .fetch_optional(pool)
    .await?;
    Ok(match status.as_deref() {
        Some("given_up") => Recorded::GivenUp,
        Some(_) => Recorded::Retry,
        None => Recorded::Raced,
    })
}

/// Gives up messages that are older than `give_up_after` or whose receiver is removed, and removes receivers that no
/// process has any more. Returns the number of given-up messages by receiver.
///
/// # Errors
/// [`StoreError`].
pub async fn sweep(pool: &PgPool, give_up_after: Span) -> Result<Vec<(String, u64)>, StoreError> {
    let gone = GONE_AFTER.std().as_secs_f64();
    sqlx::query!(
        "DELETE FROM receivers WHERE seen_at < now() - make_interval(secs => $1)",
        gone
    )
    .execute(pool)
    .await?;
    let rows = sqlx::query!(
        r#"WITH late AS (
               SELECT outbox_id, receiver FROM deliveries d
               WHERE status = 'waiting' AND next_attempt_at <= clock_timestamp()
                 AND (happened_at < now() - make_interval(secs => $1)
                      OR NOT EXISTS (SELECT 1 FROM receivers r WHERE r.name = d.receiver))
               ORDER BY outbox_id LIMIT 1000 FOR UPDATE SKIP LOCKED
           ), ended AS (
               UPDATE deliveries d SET status = 'given_up', ended_at = clock_timestamp(),
                      last_error = coalesce(d.last_error, 'not sent')
               FROM late WHERE d.outbox_id = late.outbox_id AND d.receiver = late.receiver
               RETURNING d.receiver
           )
           SELECT receiver AS "receiver!", count(*) AS "count!" FROM ended GROUP BY receiver"#,
        give_up_after.std().as_secs_f64(),
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.receiver, unsigned("deliveries.count", row.count)?)))
        .collect()
}

/// Receivers that jobs name, without the word for all.
///
/// # Errors
/// [`StoreError`].
pub async fn named_by_jobs(pool: &PgPool) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT DISTINCT name AS "name!" FROM jobs j
           CROSS JOIN LATERAL jsonb_array_elements_text(j.config #> '{notify,receivers}') name
           WHERE j.archived_at IS NULL AND name <> $1 ORDER BY 1"#,
        ALL
    )
    .fetch_all(pool)
    .await?)
}

/// The state of every receiver that a process has or that has undelivered messages.
///
/// # Errors
/// [`StoreError`].
pub async fn statuses(pool: &PgPool) -> Result<Vec<DeliveryStatus>, StoreError> {
    let rows = sqlx::query_as!(
        DeliveryStatus,
        r#"SELECT name AS "name!", coalesce(d.waiting, 0) AS "waiting!", d.oldest,
                  coalesce(d.delivered, 0) AS "delivered_today!", coalesce(d.given_up, 0) AS "given_up_today!",
                  d.given_up_error,
                  coalesce(r.failures, 0) AS "failures!", r.failing_since, r.last_error
           FROM receivers r
           FULL JOIN (
               SELECT receiver AS name,
                      count(*) FILTER (WHERE status = 'waiting') AS waiting,
                      min(happened_at) FILTER (WHERE status = 'waiting') AS oldest,
                      count(*) FILTER (WHERE status = 'delivered') AS delivered,
                      count(*) FILTER (WHERE status = 'given_up') AS given_up,
                      (array_agg(last_error ORDER BY ended_at DESC) FILTER (WHERE status = 'given_up'))[1] AS given_up_error
               FROM deliveries WHERE status = 'waiting' OR ended_at > now() - interval '24 hours'
               GROUP BY receiver
           ) d USING (name)
           ORDER BY name"#
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}
