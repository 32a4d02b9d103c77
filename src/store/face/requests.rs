//! Writes of the HTTP API by their Idempotency-Key.

use sqlx::PgPool;

use super::tokens::Digest;
use crate::{
    domain::ids::TokenId,
    store::{StoreError, columns::unsigned},
};

/// A key of one token.
#[derive(Debug, Clone, Copy)]
pub struct RequestKey<'a> {
    /// Whose key it is: two tokens may use the same text.
    pub token: TokenId,
    /// As it was given.
    pub key: &'a str,
}

/// What is known of a request with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing: this one is the first, and noted as begun.
    First,
    /// The same request was answered.
    Answered {
        /// HTTP status.
        status: u16,
        /// The body.
        answer: String,
    },
    /// The same request was begun, and is not answered.
    Begun,
    /// Another request has this key.
    Another,
}

/// Notes a request as begun, unless its key is known.
///
/// # Errors
/// [`StoreError`].
pub async fn begin(pool: &PgPool, key: RequestKey<'_>, request: &Digest) -> Result<Known, StoreError> {
    let noted = sqlx::query!(
        "INSERT INTO api_requests (token_id, key, request) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        key.token.0,
        key.key,
        request.as_slice(),
    )
    .execute(pool)
    .await?;
    if noted.rows_affected() == 1 {
        return Ok(Known::First);
    }
    let row = sqlx::query!(
        "SELECT request, status, answer FROM api_requests WHERE token_id = $1 AND key = $2",
        key.token.0,
        key.key
    )
    .fetch_optional(pool)
    .await?;
    // It was given up between the two statements: the caller sends it once more.
    let Some(row) = row else { return Ok(Known::Begun) };
    if row.request != request.as_slice() {
        return Ok(Known::Another);
    }
    Ok(match row.status.zip(row.answer) {
        Some((status, answer)) => Known::Answered {
            status: unsigned("api_requests.status", i64::from(status))?,
            answer,
        },
        None => Known::Begun,
    })
}

/// Keeps the answer to a request.
///
/// # Errors
/// [`StoreError`].
pub async fn answered(
    pool: &PgPool,
    key: RequestKey<'_>,
    status: u16,
    answer: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE api_requests SET status = $3, answer = $4 WHERE token_id = $1 AND key = $2",
        key.token.0,
        key.key,
        i16::try_from(status).unwrap_or(i16::MAX),
        answer,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Forgets a request that changed nothing: its key may be used again.
///
/// # Errors
/// [`StoreError`].
pub async fn forget(pool: &PgPool, key: RequestKey<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        "DELETE FROM api_requests WHERE token_id = $1 AND key = $2 AND status IS NULL",
        key.token.0,
        key.key
    )
    .execute(pool)
    .await?;
    Ok(())
}
