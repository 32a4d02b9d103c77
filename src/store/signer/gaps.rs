//! What never reaches the chain: bytes that a node accepts and does not forward, nonces that were counted and never
//! assigned, and the reset of a counter before them.

use alloy_primitives::B256;
use serde_json::Value;
use sqlx::PgPool;

use crate::domain::{ids::TradeId, job::Account, onchain::SignedTransaction};
use crate::store::{
    StoreError,
    columns::{hash, lower, to_i64, unsigned},
    repairs::SignerRow,
    session::begin,
    signers,
};

/// How many nonces from `chain`, the chain's next one, up to the signer's counter belong to no transaction on record,
/// of ours or a foreign one.
///
/// # Errors
/// [`StoreError`].
pub async fn unexplained(pool: &PgPool, account: &Account, chain: u64) -> Result<u64, StoreError> {
    let missing = sqlx::query_scalar!(
        r#"SELECT greatest(s.next_nonce - $4, 0) - (
               SELECT count(*) FROM (
                   SELECT nonce FROM transactions x
                   WHERE (x.realm, x.chain, x.signer) = (s.realm, s.chain, s.address) AND nonce >= $4 AND nonce < s.next_nonce
                   UNION
                   SELECT nonce FROM foreign_transactions f
                   WHERE (f.realm, f.chain, f.signer) = (s.realm, s.chain, s.address) AND nonce >= $4 AND nonce < s.next_nonce
               ) AS known) AS "missing!"
           FROM signers s WHERE realm = $1 AND chain = $2 AND address = $3"#,
        account.realm.to_string(),
        account.chain,
        lower(account.wallet) as _,
        to_i64("signers.next_nonce", chain)?,
    )
    .fetch_optional(pool)
    .await?;
    unsigned("signers.next_nonce", missing.unwrap_or_default().max(0))
}

/// A transaction on record whose nonce the chain has not reached.
#[derive(Debug, Clone)]
pub struct Stranded {
    /// Its nonce.
    pub nonce: u64,
    /// Its trade; `None`: a withdrawal's.
    pub trade: Option<TradeId>,
    /// Whether its calldata is refused by now.
    pub past_deadline: bool,
    /// Everything that was signed for it.
    pub signed: Vec<SignedTransaction>,
}

/// What is on record from nonce `chain` on, in nonce order.
///
/// # Errors
/// [`StoreError`].
pub async fn stranded(pool: &PgPool, account: &Account, chain: u64) -> Result<Vec<Stranded>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT x.nonce, x.trade_id, x.deadline < now() AS "past_deadline!", a.hash, a.raw
           FROM transactions x JOIN attempts a ON a.transaction_id = x.id
           WHERE x.realm = $1 AND x.chain = $2 AND x.signer = $3 AND x.nonce >= $4 ORDER BY x.nonce, a.id"#,
        account.realm.to_string(),
        account.chain,
        lower(account.wallet) as _,
        to_i64("transactions.nonce", chain)?,
    )
    .fetch_all(pool)
    .await?;
    let mut stranded: Vec<Stranded> = Vec::new();
    for row in rows {
        let nonce = unsigned("transactions.nonce", row.nonce)?;
        let signed = SignedTransaction {
            hash: hash("attempts.hash", &row.hash)?,
            raw: row.raw.into(),
        };
        match stranded.last_mut() {
            Some(last) if last.nonce == nonce => last.signed.push(signed),
            _ => stranded.push(Stranded {
                nonce,
                trade: row.trade_id.map(TradeId),
                past_deadline: row.past_deadline,
                signed: vec![signed],
            }),
        }
    }
    Ok(stranded)
}

/// Transactions of open trades whose bytes were accepted this often or more, all attempts together, and are not
/// settled: trade, hash of the newest attempt, times.
///
/// # Errors
/// [`StoreError`].
pub async fn swallowed(
    pool: &PgPool,
    account: &Account,
    times: i64,
) -> Result<Vec<(TradeId, B256, i64)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT t.id, (array_agg(a.hash ORDER BY a.id DESC))[1] AS "hash!", sum(a.sends) AS "sends!"
           FROM trades t JOIN transactions x ON x.trade_id = t.id JOIN attempts a ON a.transaction_id = x.id
           WHERE t.status = 'SUBMITTED' AND x.realm = $1 AND x.chain = $2 AND x.signer = $3
             AND a.answer_kind IN ('accepted', 'already_known')
           GROUP BY t.id, x.id HAVING sum(a.sends) >= $4 ORDER BY x.id"#,
        account.realm.to_string(),
        account.chain,
        lower(account.wallet) as _,
        times,
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| Ok((TradeId(row.id), hash("attempts.hash", &row.hash)?, row.sends)))
        .collect()
}

/// Resets a counter to `to`, the chain's next nonce, and releases the signer, if the counter and the halt are still
/// what was seen and no trade of it is open. The evidence is kept permanently.
///
/// # Errors
/// [`StoreError`]; the answer is `false` if something has changed, and nothing is done then.
pub async fn take_back(
    pool: &PgPool,
    seen: &SignerRow,
    to: u64,
    evidence: &Value,
    actor: &str,
) -> Result<bool, StoreError> {
    let (realm, wallet) = (seen.account.realm.to_string(), lower(seen.account.wallet));
    let mut tx = begin(pool).await?;
    sqlx::query!(
        "INSERT INTO nonce_repairs (realm, chain, signer, from_nonce, to_nonce, evidence, actor)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        realm,
        seen.account.chain,
        wallet as _,
        to_i64("signers.next_nonce", seen.next_nonce)?,
        to_i64("signers.next_nonce", to)?,
        evidence,
        actor,
    )
    .execute(&mut *tx)
    .await?;
    let moved = sqlx::query!(
        "UPDATE signers s SET next_nonce = $5, halted_at = NULL, halted_reason = NULL, settlements = settlements + 1
         WHERE realm = $1 AND chain = $2 AND address = $3 AND next_nonce = $4 AND halted_reason IS NOT DISTINCT FROM $6
           AND NOT EXISTS (SELECT 1 FROM trades t JOIN transactions x ON x.trade_id = t.id
                           WHERE t.status = 'SUBMITTED' AND (x.realm, x.chain, x.signer) = (s.realm, s.chain, s.address))
           AND NOT EXISTS (SELECT 1 FROM withdrawals w
                           WHERE w.status = 'SUBMITTED' AND (w.realm, w.chain, w.wallet) = (s.realm, s.chain, s.address))",
        realm,
        seen.account.chain,
        wallet as _,
        to_i64("signers.next_nonce", seen.next_nonce)?,
        to_i64("signers.next_nonce", to)?,
        seen.halted,
    )
    .execute(&mut *tx)
    .await?;
    if moved.rows_affected() != 1 {
        return Ok(false);
    }
    signers::wake(&mut tx).await?;
    tx.commit().await?;
    Ok(true)
}

/// The hashes of everything that was signed, for the evidence.
#[must_use]
pub fn hashes(stranded: &[Stranded]) -> Vec<B256> {
    let signed = stranded.iter().flat_map(|stranded| &stranded.signed);
    signed.map(|signed| signed.hash).collect()
}
