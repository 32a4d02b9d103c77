//! Uniswap V4 pools of tokens, young pools of other exchanges, and how far the logs that tell of them were read.

use alloy_primitives::{Address, B256};
use sqlx::PgPool;

use super::{
    StoreError,
    columns::{hash, lower, to_i64, unsigned, word},
};
use crate::domain::{Timestamp, pool::Pool, span::Span};

/// How a pool became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum FoundBy {
    /// The pool manager's own log of its creation.
    Log,
    /// A launchpad's contract.
    Launchpad,
    /// An API that lists pools.
    Listing,
    /// The log of another exchange's factory. Such a pool is kept for its age alone.
    Factory,
}

/// A pool of Uniswap V4, or a young one of another exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct V4Pool {
    /// The hash of its key; of another exchange's pool its address behind twelve zeros.
    pub id: B256,
    /// Its key; of another exchange its name in settings, which says nothing of its tokens.
    pub pool: Pool,
    /// Its two currencies.
    pub currencies: (Address, Address),
    /// When it was created; `None`: unknown, and long ago.
    pub created_at: Option<Timestamp>,
    /// How it became known.
    pub found_by: FoundBy,
}

/// Every pool that is known of `token`.
///
/// # Errors
/// [`StoreError`].
pub async fn of_token(pool: &PgPool, chain: &str, token: Address) -> Result<Vec<V4Pool>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT id, currency0 AS "currency0: String", currency1 AS "currency1: String", pool, created_at, found_by
           FROM v4_pools WHERE chain = $1 AND (currency0 = $2 OR currency1 = $2) ORDER BY found_at, id"#,
        chain,
        lower(token) as _,
    )
    .fetch_all(pool)
    .await?;
    let read = rows.into_iter().map(|row| {
        Ok(V4Pool {
            id: hash("v4_pools.id", &row.id)?,
            pool: word("v4_pools.pool", &row.pool)?,
            currencies: (
                word("v4_pools.currency0", &row.currency0)?,
                word("v4_pools.currency1", &row.currency1)?,
            ),
            created_at: row.created_at,
            found_by: word("v4_pools.found_by", &row.found_by)?,
        })
    });
    read.collect()
}

/// Keeps a pool. One that is known gets the time of its creation if that was not known.
///
/// # Errors
/// [`StoreError`].
pub async fn keep(pool: &PgPool, chain: &str, found: &V4Pool) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO v4_pools (chain, id, currency0, currency1, pool, created_at, found_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (chain, id) DO UPDATE SET created_at = EXCLUDED.created_at
            WHERE v4_pools.created_at IS NULL AND EXCLUDED.created_at IS NOT NULL",
        chain,
        found.id.as_slice(),
        lower(found.currencies.0) as _,
        lower(found.currencies.1) as _,
        found.pool.to_string(),
        found.created_at,
        found.found_by.to_string(),
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A turn at reading a token's logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The next block to read; `None`: nothing was read yet.
    pub next_block: Option<u64>,
}

/// Takes the turn to read on for `token`, which nobody else gets for `pause`; `None`: it is not due.
///
/// # Errors
/// [`StoreError`].
pub async fn take_turn(
    pool: &PgPool,
    chain: &str,
    token: Address,
    pause: Span,
) -> Result<Option<Turn>, StoreError> {
    let seconds = pause.std().as_secs_f64();
    let row = sqlx::query_scalar!(
        r#"INSERT INTO v4_scans AS scan (chain, token, due_at) VALUES ($1, $2, now() + make_interval(secs => $3))
           ON CONFLICT (chain, token) DO UPDATE SET due_at = EXCLUDED.due_at WHERE scan.due_at <= now()
           RETURNING next_block AS "next_block?""#,
        chain,
        lower(token) as _,
        seconds,
    )
    .fetch_optional(pool)
    .await?;
    let Some(next_block) = row else { return Ok(None) };
    let next_block = next_block.map(|block| unsigned("v4_scans.next_block", block));
    Ok(Some(Turn {
        next_block: next_block.transpose()?,
    }))
}

/// How far the logs of `token` were read; `None`: nothing was read yet.
///
/// # Errors
/// [`StoreError`].
pub async fn read_to(pool: &PgPool, chain: &str, token: Address) -> Result<Option<u64>, StoreError> {
    let row = sqlx::query_scalar!(
        "SELECT next_block FROM v4_scans WHERE chain = $1 AND token = $2",
        chain,
        lower(token) as _,
    )
    .fetch_optional(pool)
    .await?;
    let block = row.flatten().map(|block| unsigned("v4_scans.next_block", block));
    block.transpose()
}

/// Records how far the logs of `token` were read, and when they are read on. It never goes back.
///
/// # Errors
/// [`StoreError`].
pub async fn advance(
    pool: &PgPool,
    chain: &str,
    token: Address,
    next_block: u64,
    pause: Span,
) -> Result<(), StoreError> {
    let seconds = pause.std().as_secs_f64();
    sqlx::query!(
        "UPDATE v4_scans SET next_block = GREATEST(next_block, $3), due_at = now() + make_interval(secs => $4)
         WHERE chain = $1 AND token = $2",
        chain,
        lower(token) as _,
        to_i64("v4_scans.next_block", next_block)?,
        seconds,
    )
    .execute(pool)
    .await?;
    Ok(())
}
