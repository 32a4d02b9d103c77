//! Events of the whole installation: each is announced once, whatever crashes and however many processes notice it.
//! What was announced stands in the row of the installation, and moves with the event in one transaction.

use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};

use crate::domain::{
    Timestamp,
    calendar::Interval,
    event::{Event, Missing},
    summary::SummaryEvery,
};
use crate::store::{StoreError, columns::usd, session::begin};

/// Jobs that wait to be evaluated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Waiting {
    /// Jobs that have a next slot.
    pub jobs: i64,
    /// The earliest slot that is due and that no scheduler has claimed.
    pub unclaimed_since: Option<Timestamp>,
    /// Seconds since then.
    pub unclaimed_secs: Option<f64>,
}

/// What waits.
///
/// # Errors
/// [`StoreError`].
pub async fn waiting(pool: &PgPool) -> Result<Waiting, StoreError> {
    Ok(sqlx::query_as!(
        Waiting,
        r#"SELECT count(*) AS "jobs!", min(due_at) FILTER (WHERE open_slot IS NULL AND due_at < now()) AS unclaimed_since,
                  extract(epoch FROM now() - min(due_at) FILTER (WHERE open_slot IS NULL AND due_at < now()))::float8
                      AS unclaimed_secs
           FROM job_slots WHERE due_at IS NOT NULL"#
    )
    .fetch_one(pool)
    .await?)
}

/// Announces that a kind of process is missing, unless that is announced already. `true`: it is announced by this call.
///
/// # Errors
/// [`StoreError`].
pub async fn missing(pool: &PgPool, what: Missing, payload: &Value) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    let moved = sqlx::query!(
        "UPDATE installation SET announced = announced || jsonb_build_object($1::text, to_jsonb(now())) WHERE NOT announced ? $1",
        what.to_string(),
    )
    .execute(&mut *tx)
    .await?;
    if moved.rows_affected() != 1 {
        return Ok(false);
    }
    write(&mut tx, what.event(), payload).await?;
    tx.commit().await?;
    Ok(true)
}

/// Announces that it is back, if it was announced as missing. `true`: it is announced by this call.
///
/// # Errors
/// [`StoreError`].
pub async fn recovered(pool: &PgPool, what: Missing) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    let since = sqlx::query_scalar!(
        r#"WITH before AS (SELECT announced ->> $1 AS since FROM installation WHERE announced ? $1 FOR UPDATE)
           UPDATE installation SET announced = announced - $1::text FROM before RETURNING before.since AS "since""#,
        what.to_string(),
    )
    .fetch_optional(&mut *tx)
    .await?
    .flatten();
    let Some(since) = since else {
        return Ok(false);
    };
    let payload = json!({ "event": what.event().to_string(), "since": since });
    write(&mut tx, Event::ServiceRecovered, &payload).await?;
    tx.commit().await?;
    Ok(true)
}

/// Writes the summary of a period that has ended, once. The first call of all only notes where the summaries begin:
/// what was before it is not summed up. `true`: the event is written by this call.
///
/// # Errors
/// [`StoreError`].
pub async fn summary(
    pool: &PgPool,
    every: SummaryEvery,
    name: &str,
    period: &Interval,
) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    let key = every.to_string();
    let before = sqlx::query!(
        r#"WITH before AS (SELECT announced ->> $1 AS last FROM installation FOR UPDATE)
           UPDATE installation SET announced = announced || jsonb_build_object($1::text, $2::text) FROM before
           WHERE before.last IS NULL OR before.last < $2 RETURNING before.last AS "last""#,
        key,
        name,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(before) = before else {
        return Ok(false);
    };
    if before.last.is_some() {
        let realms = realms(&mut tx, period).await?;
        let payload = json!({
            "every": key, "period": name, "from": period.from, "until": period.until, "realms": realms,
        });
        write(&mut tx, Event::Summary, &payload).await?;
    }
    tx.commit().await?;
    Ok(before.last.is_some())
}

async fn write(connection: &mut PgConnection, event: Event, payload: &Value) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO outbox (event, payload) VALUES ($1, $2)",
        event.to_string(),
        payload,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What happened in each realm that has jobs, live first. The sums are those of `pnl`.
async fn realms(connection: &mut PgConnection, period: &Interval) -> Result<Vec<Value>, StoreError> {
    let rows = sqlx::query_file!("src/store/sql/summary.sql", period.from, period.until)
        .fetch_all(connection)
        .await?;
    rows.into_iter()
        .map(|row| {
            let money = |column, value| usd(column, value).map(|usd| usd.decimal().normalize().to_string());
            Ok(json!({
                "realm": row.realm, "trades": row.trades, "failed": row.failed, "running": row.running, "error": row.error,
                "realized_usd": money("fills.realized_usd", row.realized)?, "gas_usd": money("gas_paid.gas_usd", row.gas)?,
                "net_usd": money("fills.realized_usd", row.net)?,
                "taken_out_usd": money("withdrawals.value_usd", row.taken_out)?,
            }))
        })
        .collect()
}
