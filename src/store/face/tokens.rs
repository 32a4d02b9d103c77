//! Bearer tokens of the HTTP API.

use std::collections::HashSet;

use serde_json::json;
use sqlx::PgPool;

use crate::{
    domain::{
        Timestamp,
        ids::TokenId,
        role::{Role, TokenKind},
        span::Span,
    },
    store::{
        StoreError,
        columns::word,
        trail::{self, TrailEntry},
    },
};

/// SHA-256 of a token.
pub type Digest = [u8; 32];

/// A token to create.
#[derive(Debug, Clone, Copy)]
pub struct NewToken<'a> {
    /// Its name in lists and in the trail.
    pub name: &'a str,
    /// What it may do.
    pub role: Role,
    /// What it is used with.
    pub kind: TokenKind,
    /// Of the token.
    pub hash: &'a Digest,
    /// From now, by the database's clock.
    pub lasts: Span,
}

/// A token as it is listed. Nothing here opens the API.
#[derive(Debug, Clone)]
pub struct TokenRow {
    /// The row.
    pub id: TokenId,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// What it is used with.
    pub kind: TokenKind,
    /// When it was created.
    pub created_at: Timestamp,
    /// From then on it opens nothing.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// Who presented a token that is valid now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The token's number.
    pub id: TokenId,
    /// The token's name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// What it is used with.
    pub kind: TokenKind,
}

/// Creates a token, with its audit row. `None`: a token that was not revoked has this name.
///
/// # Errors
/// [`StoreError`].
pub async fn create(
    pool: &PgPool,
    new: NewToken<'_>,
    actor: &str,
    action: &str,
) -> Result<Option<TokenRow>, StoreError> {
    let mut transaction = pool.begin().await?;
    let made = sqlx::query!(
        "INSERT INTO api_tokens (name, role, hash, expires_at, kind)
         VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4::bigint), $5)
         ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING
         RETURNING id, created_at, expires_at",
        new.name,
        new.role.to_string(),
        new.hash.as_slice(),
        i64::try_from(new.lasts.std().as_secs()).unwrap_or(i64::MAX),
        new.kind.to_string(),
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(made) = made else { return Ok(None) };
    let detail = json!({ "token": made.id, "role": new.role, "expires_at": made.expires_at });
    let entry = TrailEntry {
        actor,
        action,
        subject: new.name,
        detail: &detail,
    };
    trail::record(&mut *transaction, entry).await?;
    transaction.commit().await?;
    Ok(Some(TokenRow {
        id: TokenId(made.id),
        name: new.name.to_owned(),
        role: new.role,
        kind: new.kind,
        created_at: made.created_at,
        expires_at: made.expires_at,
        revoked_at: None,
        last_used_at: None,
    }))
}

/// Revokes the token of this name, with its audit row. `None`: there is none that was not revoked.
///
/// # Errors
/// [`StoreError`].
pub async fn revoke(
    pool: &PgPool,
    name: &str,
    actor: &str,
    action: &str,
) -> Result<Option<TokenRow>, StoreError> {
    let mut transaction = pool.begin().await?;
    let row = sqlx::query!(
        "UPDATE api_tokens SET revoked_at = clock_timestamp() WHERE name = $1 AND revoked_at IS NULL
         RETURNING id, role, kind, created_at, expires_at, revoked_at, last_used_at",
        name
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let detail = json!({ "token": row.id, "role": row.role });
    let entry = TrailEntry {
        actor,
        action,
        subject: name,
        detail: &detail,
    };
    trail::record(&mut *transaction, entry).await?;
    transaction.commit().await?;
    Ok(Some(TokenRow {
        id: TokenId(row.id),
        name: name.to_owned(),
        role: word("api_tokens.role", &row.role)?,
        kind: word("api_tokens.kind", &row.kind)?,
        created_at: row.created_at,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        last_used_at: row.last_used_at,
    }))
}

/// All tokens, revoked and expired ones too, newest first; and the database's time.
///
/// # Errors
/// [`StoreError`].
pub async fn list(pool: &PgPool) -> Result<Vec<TokenRow>, StoreError> {
    let rows = sqlx::query!(
        "SELECT id, name, role, kind, created_at, expires_at, revoked_at, last_used_at FROM api_tokens ORDER BY id DESC"
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(TokenRow {
                id: TokenId(row.id),
                name: row.name,
                role: word("api_tokens.role", &row.role)?,
                kind: word("api_tokens.kind", &row.kind)?,
                created_at: row.created_at,
                expires_at: row.expires_at,
                revoked_at: row.revoked_at,
                last_used_at: row.last_used_at,
            })
        })
        .collect()
}

/// Hashes of all tokens, links and sessions that are valid now, the newest 4096.
///
/// # Errors
/// [`StoreError`].
pub async fn valid(pool: &PgPool) -> Result<HashSet<Digest>, StoreError> {
    let rows = sqlx::query_scalar!(
        "SELECT hash FROM api_tokens WHERE revoked_at IS NULL AND expires_at > clock_timestamp()
         ORDER BY id DESC LIMIT 4096"
    )
    .fetch_all(pool)
    .await?;
    // The column has 32 bytes, by its CHECK.
    Ok(rows.into_iter().filter_map(|hash| hash.try_into().ok()).collect())
}

/// Who holds the token of this hash and kind, if it is valid now by the database's clock. Its use is noted once a
/// minute.
///
/// # Errors
/// [`StoreError`].
pub async fn bearer(pool: &PgPool, kind: TokenKind, hash: &Digest) -> Result<Option<Bearer>, StoreError> {
    let row = sqlx::query!(
        r#"WITH valid AS (
               SELECT id, name, role, last_used_at FROM api_tokens
               WHERE hash = $1 AND kind = $2 AND revoked_at IS NULL AND expires_at > clock_timestamp()
           ), used AS (
               UPDATE api_tokens t SET last_used_at = date_trunc('minute', clock_timestamp()) FROM valid v
               WHERE t.id = v.id
                     AND (v.last_used_at IS NULL OR v.last_used_at < clock_timestamp() - interval '1 minute')
           )
           SELECT id AS "id!", name AS "name!", role AS "role!" FROM valid"#,
        hash.as_slice(),
        kind.to_string(),
    )
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        Ok(Bearer {
            id: TokenId(row.id),
            name: row.name,
            role: word("api_tokens.role", &row.role)?,
            kind,
        })
    })
    .transpose()
}

/// Whether a token is valid now, by the database's clock.
///
/// # Errors
/// [`StoreError`].
pub async fn is_valid(pool: &PgPool, token: TokenId) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM api_tokens
                          WHERE id = $1 AND revoked_at IS NULL AND expires_at > clock_timestamp()) AS "valid!""#,
        token.0
    )
    .fetch_one(pool)
    .await?)
}
