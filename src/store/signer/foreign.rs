//! Evidence that a foreign transaction used a nonce of one of our signers.

use alloy_primitives::B256;
use sqlx::PgPool;

use crate::domain::{ids::TradeId, job::Account, onchain::NonceUse};
use crate::store::{
    StoreError,
    columns::{lower, to_i64, unsigned},
    session::begin,
    signers,
};

/// Records which transaction used a nonce. With a `halt` the signer signs nothing new from then on, until
/// `reconcile` releases it.
///
/// # Errors
/// [`StoreError`]; the signer must be known.
pub async fn record(
    pool: &PgPool,
    account: &Account,
    nonce: u64,
    used: &NonceUse,
    trade: Option<TradeId>,
    halt: Option<&str>,
) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    sqlx::query!(
        "INSERT INTO foreign_transactions (realm, chain, signer, nonce, hash, block_number, block_hash, trade_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (realm, chain, signer, nonce, hash)
         DO UPDATE SET block_number = EXCLUDED.block_number, block_hash = EXCLUDED.block_hash, seen_at = now(),
                       trade_id = coalesce(foreign_transactions.trade_id, EXCLUDED.trade_id)",
        account.realm.to_string(),
        account.chain,
        lower(account.wallet) as _,
        to_i64("foreign_transactions.nonce", nonce)?,
        used.hash.as_slice(),
        to_i64("foreign_transactions.block_number", used.block_number)?,
        used.block_hash.as_slice(),
        trade.map(|trade| trade.0),
    )
    .execute(&mut *tx)
    .await?;
    if let Some(reason) = halt {
        signers::halt(&mut *tx, account, reason).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The nonces from `first` on that this database knows of, bound to a trade or proven to be foreign.
///
/// # Errors
/// [`StoreError`].
pub async fn known_nonces(pool: &PgPool, account: &Account, first: u64) -> Result<Vec<u64>, StoreError> {
    let nonces = sqlx::query_scalar!(
        r#"SELECT nonce AS "nonce!" FROM transactions
           WHERE realm = $1 AND chain = $2 AND signer = $3 AND nonce >= $4
           UNION SELECT nonce FROM foreign_transactions
           WHERE realm = $1 AND chain = $2 AND signer = $3 AND nonce >= $4
           ORDER BY 1"#,
        account.realm.to_string(),
        account.chain,
        lower(account.wallet) as _,
        to_i64("transactions.nonce", first)?,
    )
    .fetch_all(pool)
    .await?;
    nonces
        .into_iter()
        .map(|nonce| unsigned("transactions.nonce", nonce))
        .collect()
}

/// Whether a hash is one of our own attempts.
///
/// # Errors
/// [`StoreError`].
pub async fn is_ours(pool: &PgPool, hash: B256) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM attempts WHERE hash = $1) AS "ours!""#,
        hash.as_slice()
    )
    .fetch_one(pool)
    .await?)
}
