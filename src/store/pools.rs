//! Pools that were found, so that a process that starts need not search again.

use alloy_primitives::Address;
use serde_json::json;
use sqlx::{PgConnection, PgPool};

use super::{StoreError, columns::lower, jobs, outbox, session::begin};
use crate::domain::{event::Event, job::JobId, pool::Pool, span::Span};

/// The pool that was found for a pair not longer than `age_max` ago.
///
/// # Errors
/// [`StoreError`].
pub async fn find(
    pool: &PgPool,
    chain: &str,
    (token, quote): (Address, Address),
    age_max: Span,
) -> Result<Option<Pool>, StoreError> {
    let seconds = age_max.std().as_secs_f64();
    let text = sqlx::query_scalar!(
        "SELECT pool FROM pools WHERE chain = $1 AND token = $2 AND quote = $3
            AND found_at > now() - make_interval(secs => $4)",
        chain,
        lower(token) as _,
        lower(quote) as _,
        seconds,
    )
    .fetch_optional(pool)
    .await?;
    let parse = |text: String| {
        text.parse().map_err(|_| StoreError::Corrupt {
            column: "pools.pool",
            value: text,
        })
    };
    text.map(parse).transpose()
}

/// Keeps what was found for a pair now. If that is another pool than before, the jobs that trade the pair and have not
/// pinned one get an event.
///
/// # Errors
/// [`StoreError`].
pub async fn remember(
    pool: &PgPool,
    chain: &str,
    (token, quote): (Address, Address),
    found: Pool,
) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    let before = sqlx::query_scalar!(
        "SELECT pool FROM pools WHERE chain = $1 AND token = $2 AND quote = $3 FOR UPDATE",
        chain,
        lower(token) as _,
        lower(quote) as _,
    )
    .fetch_optional(&mut *tx)
    .await?;
    sqlx::query!(
        "INSERT INTO pools (chain, token, quote, pool) VALUES ($1, $2, $3, $4)
         ON CONFLICT (chain, token, quote) DO UPDATE SET pool = EXCLUDED.pool, found_at = now()",
        chain,
        lower(token) as _,
        lower(quote) as _,
        found.to_string(),
    )
    .execute(&mut *tx)
    .await?;
    let found = found.to_string();
    if let Some(before) = before.filter(|before| *before != found) {
        tell(&mut tx, chain, (token, quote), (&before, &found)).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Writes an event for each job whose pool has changed.
async fn tell(
    connection: &mut PgConnection,
    chain: &str,
    (token, quote): (Address, Address),
    (before, after): (&str, &str),
) -> Result<(), StoreError> {
    let jobs = sqlx::query_scalar!(
        "SELECT id FROM jobs WHERE realm = 'live' AND chain = $1 AND token_address = $2 AND quote_address = $3
            AND archived_at IS NULL AND status <> 'IDLE' AND config -> 'venue' ->> 'pool' IS NULL ORDER BY id",
        chain,
        lower(token) as _,
        lower(quote) as _,
    )
    .fetch_all(&mut *connection)
    .await?;
    for job in jobs.into_iter().map(JobId) {
        let payload = json!({ "before": before, "after": after });
        let (old, new) = (json!({ "pool": before }), json!({ "pool": after }));
        jobs::event(connection, job, "engine", "pool_changed", Some(old), Some(new)).await?;
        outbox::write(connection, job, None, Event::JobPoolChanged, payload).await?;
    }
    Ok(())
}

/// What was found for a pair counts no more. It stays known, so that another pool in its place is an event.
///
/// # Errors
/// [`StoreError`].
pub async fn forget(
    pool: &PgPool,
    chain: &str,
    (token, quote): (Address, Address),
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE pools SET found_at = '-infinity' WHERE chain = $1 AND token = $2 AND quote = $3",
        chain,
        lower(token) as _,
        lower(quote) as _,
    )
    .execute(pool)
    .await?;
    Ok(())
}
