//! Pools that were found, so that a process that starts need not search again.

use alloy_primitives::Address;
use sqlx::PgPool;

use super::{StoreError, columns::lower};
use crate::domain::{pool::Pool, span::Span};

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

/// Keeps what was found for a pair now.
///
/// # Errors
/// [`StoreError`].
pub async fn remember(
    pool: &PgPool,
    chain: &str,
    (token, quote): (Address, Address),
    found: Pool,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO pools (chain, token, quote, pool) VALUES ($1, $2, $3, $4)
         ON CONFLICT (chain, token, quote) DO UPDATE SET pool = EXCLUDED.pool, found_at = now()",
        chain,
        lower(token) as _,
        lower(quote) as _,
        found.to_string(),
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Drops what was found for a pair.
///
/// # Errors
/// [`StoreError`].
pub async fn forget(
    pool: &PgPool,
    chain: &str,
    (token, quote): (Address, Address),
) -> Result<(), StoreError> {
    sqlx::query!(
        "DELETE FROM pools WHERE chain = $1 AND token = $2 AND quote = $3",
        chain,
        lower(token) as _,
        lower(quote) as _,
    )
    .execute(pool)
    .await?;
    Ok(())
}
