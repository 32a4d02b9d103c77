//! Sessions of browsers: each was a link that was opened once.

use serde_json::json;
use sqlx::PgPool;

use super::tokens::{Bearer, Digest};
use crate::{
    domain::{Timestamp, ids::TokenId, role::TokenKind, span::Span},
    store::{
        StoreError,
        columns::word,
        trail::{self, TrailEntry},
    },
};

/// A link to open.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// SHA-256 of what the link brought.
    pub link: &'a Digest,
    /// SHA-256 of what the browser keeps.
    pub session: &'a Digest,
    /// From now, by the database's clock.
    pub lasts: Span,
    /// What the audit calls it.
    pub action: &'a str,
}

/// Makes a link a session, with its audit row: the link is gone then. `None`: there is no such link now.
///
/// # Errors
/// [`StoreError`].
pub async fn open(
    pool: &PgPool,
    opening: Opening<'_>,
    actor: impl FnOnce(&str) -> String,
) -> Result<Option<(Bearer, Timestamp)>, StoreError> {
    let mut transaction = pool.begin().await?;
    let row = sqlx::query!(
        "UPDATE api_tokens SET kind = 'session', hash = $2,
                expires_at = clock_timestamp() + make_interval(secs => $3::bigint)
         WHERE hash = $1 AND kind = 'link' AND revoked_at IS NULL AND expires_at > clock_timestamp()
         RETURNING id, name, role, expires_at",
        opening.link.as_slice(),
        opening.session.as_slice(),
        i64::try_from(opening.lasts.std().as_secs()).unwrap_or(i64::MAX),
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let bearer = Bearer {
        id: TokenId(row.id),
        name: row.name,
        role: word("api_tokens.role", &row.role)?,
        kind: TokenKind::Session,
    };
    let detail = json!({ "token": bearer.id, "role": bearer.role, "expires_at": row.expires_at });
    let entry = TrailEntry {
        actor: &actor(&bearer.name),
        action: opening.action,
        subject: &bearer.name,
        detail: &detail,
    };
    trail::record(&mut *transaction, entry).await?;
    transaction.commit().await?;
    Ok(Some((bearer, row.expires_at)))
}

/// When a session ends; `None`: it is over.
///
/// # Errors
/// [`StoreError`].
pub async fn expires(pool: &PgPool, session: TokenId) -> Result<Option<Timestamp>, StoreError> {
    Ok(sqlx::query_scalar!(
        "SELECT expires_at FROM api_tokens WHERE id = $1 AND revoked_at IS NULL",
        session.0
    )
    .fetch_optional(pool)
    .await?)
}
