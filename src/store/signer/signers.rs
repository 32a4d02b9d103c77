//! Signers: the counter that nonces come from, and the transactions bound to them.

use alloy_primitives::{B256, Bytes};
use sqlx::{PgConnection, PgPool};

use crate::domain::{
    event::Event,
    ids::{TradeId, TransactionId, Version},
    job::Account,
    onchain::{AnswerKind, Fees, SignedTransaction},
    span::Span,
    trade::Purpose,
};
use crate::store::{
    StoreError, WAKE_CHANNEL,
    columns::{clean_text, lower, to_i64, unsigned},
    session::begin,
};

/// A signer's counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerState {
    /// The nonce the next transaction takes.
    pub next_nonce: u64,
    /// Grows with every settled trade; a balance is only as fresh as this number.
    pub settlements: i64,
    /// Why the signer must not be used.
    pub halted: Option<String>,
    /// An open trade whose newest bytes a node refused because the wallet cannot pay for them.
    pub unfunded: Option<TradeId>,
}

/// The signer's counter, if this database knows the signer.
///
/// # Errors
/// [`StoreError`].
pub async fn find(pool: &PgPool, account: &Account) -> Result<Option<SignerState>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT next_nonce, settlements, halted_reason,
                  -- Open trades are found by what they reserve: looking through all that are open takes longer the
                  -- more wallets there are, through all that the signer ever sent the longer it lives.
                  (SELECT t.id FROM reservations r
                   JOIN trades t ON t.id = r.trade_id
                   JOIN transactions x ON x.trade_id = t.id
                   CROSS JOIN LATERAL (SELECT answer_kind FROM attempts a WHERE a.transaction_id = x.id
                                       ORDER BY a.id DESC LIMIT 1) AS newest
                   WHERE (r.realm, r.chain, r.wallet) = (s.realm, s.chain, s.address)
                     AND t.status = 'SUBMITTED' AND newest.answer_kind = $4
                   LIMIT 1) AS unfunded
           FROM signers s WHERE realm = $1 AND chain = $2 AND address = $3"#,
        account.realm.to_string(),
        account.chain,
        lower(account.wallet) as _,
        AnswerKind::InsufficientFunds.to_string(),
    )
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        Ok(SignerState {
            next_nonce: unsigned("signers.next_nonce", row.next_nonce)?,
            settlements: row.settlements,
            halted: row.halted_reason,
            unfunded: row.unfunded.map(TradeId),
        })
    })
    .transpose()
}

/// Halts a signer: it signs nothing until `reconcile` releases it. The first reason stays, and is the one
/// that is announced, by the same statement.
///
/// # Errors
/// [`StoreError`].
pub async fn halt<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    account: &Account,
    reason: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "WITH halted AS (
             UPDATE signers SET halted_at = now(), halted_reason = $4
             WHERE realm = $1 AND chain = $2 AND address = $3 AND halted_at IS NULL
             RETURNING realm, chain, address, halted_reason)
         INSERT INTO outbox (event, payload)
         SELECT $5, jsonb_build_object('realm', realm, 'chain', chain, 'wallet', address, 'reason', halted_reason)
         FROM halted",
        account.realm.to_string(),
        account.chain,
        lower(account.wallet) as _,
        clean_text(reason),
        Event::SignerHalted.to_string(),
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Halts every live signer that is not halted yet, and announces it; which those are: chain and address.
///
/// # Errors
/// [`StoreError`].
pub async fn halt_live(pool: &PgPool, reason: &str) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query!(
        r#"WITH halted AS (
               UPDATE signers SET halted_at = now(), halted_reason = $1
               WHERE realm = 'live' AND halted_at IS NULL
               RETURNING realm, chain, address, halted_reason),
           announced AS (
               INSERT INTO outbox (event, payload)
               SELECT $2, jsonb_build_object('realm', realm, 'chain', chain, 'wallet', address, 'reason', halted_reason)
               FROM halted)
           SELECT chain, address::text AS "address!" FROM halted ORDER BY chain, address"#,
        reason,
        Event::SignerHalted.to_string(),
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.chain, row.address)).collect())
}

/// Gives back what a trade had reserved, makes every balance of its signer that was read before this stale, and wakes
/// the schedulers. The lock of the signer's row is held until the transaction ends.
///
/// # Errors
/// [`StoreError`].
pub(in crate::store) async fn settled(
    connection: &mut PgConnection,
    trade: TradeId,
    account: &Account,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"WITH freed AS (DELETE FROM reservations WHERE trade_id = $1
           ), moved AS (UPDATE signers SET settlements = settlements + 1
                        WHERE realm = $2 AND chain = $3 AND address = $4)
           SELECT pg_notify($5, 'trade')::text AS told"#,
        trade.0,
        account.realm.to_string(),
        account.chain,
        lower(account.wallet) as _,
        WAKE_CHANNEL,
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}

/// Makes every balance of this signer that was read before this stale.
///
/// # Errors
/// [`StoreError`].
pub(in crate::store) async fn balances_moved(
    connection: &mut PgConnection,
    account: &Account,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE signers SET settlements = settlements + 1 WHERE realm = $1 AND chain = $2 AND address = $3",
        account.realm.to_string(),
        account.chain,
        lower(account.wallet) as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// One signed transaction to record.
#[derive(Debug, Clone)]
pub struct Signed {
    /// What it is for.
    pub purpose: Purpose,
    /// Hash and bytes.
    pub signed: SignedTransaction,
    /// What it pays.
    pub fees: Fees,
    /// Units.
    pub gas_limit: u64,
}

/// Takes `count` nonces, if the counter and the balances are still those that were `seen`.
pub(in crate::store) async fn take_nonces(
    connection: &mut PgConnection,
    account: &Account,
    seen: &SignerState,
    count: usize,
) -> Result<bool, StoreError> {
    let taken = sqlx::query!(
        "UPDATE signers SET next_nonce = next_nonce + $6
         WHERE realm = $1 AND chain = $2 AND address = $3 AND next_nonce = $4 AND settlements = $5
           AND halted_at IS NULL",
        account.realm.to_string(),
        account.chain,
        lower(account.wallet) as _,
        to_i64("signers.next_nonce", seen.next_nonce)?,
        seen.settlements,
        to_i64("signers.next_nonce", count)?,
    )
    .execute(connection)
    .await?;
    Ok(taken.rows_affected() == 1)
}

pub(in crate::store) async fn insert_attempt(
    connection: &mut PgConnection,
    transaction: TransactionId,
    attempt: &Signed,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO attempts (transaction_id, purpose, hash, raw, max_fee_per_gas, max_priority_fee_per_gas, gas_limit)
         VALUES ($1, $2, $3, $4, $5::text::numeric, $6::text::numeric, $7)",
        transaction.0,
        attempt.purpose.to_string(),
        attempt.signed.hash.as_slice(),
        attempt.signed.raw.as_ref(),
        attempt.fees.max_fee_per_gas.to_string(),
        attempt.fees.max_priority_fee_per_gas.to_string(),
        to_i64("attempts.gas_limit", attempt.gas_limit)?,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records one more attempt of a transaction whose trade is still SUBMITTED at `version`. `false`: another
/// worker moved the trade first, and nothing was recorded.
///
/// # Errors
/// [`StoreError`].
pub async fn record_attempt(
    pool: &PgPool,
    trade: TradeId,
    version: Version,
    transaction: TransactionId,
    attempt: &Signed,
) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    let moved = sqlx::query!(
        "UPDATE trades SET version = version + 1, next_check_at = now()
         WHERE id = $1 AND status = 'SUBMITTED' AND version = $2",
        trade.0,
        version.0,
    )
    .execute(&mut *tx)
    .await?;
    if moved.rows_affected() != 1 {
        return Ok(false);
    }
    insert_attempt(&mut tx, transaction, attempt).await?;
    tx.commit().await?;
    Ok(true)
}

/// Notes that an attempt's bytes were sent, and what the node said. Returns how many times bytes for its nonce were
/// sent before this time. `again`: its trade, if it is still open, is looked at again after this long; `None` leaves
/// that time as it is.
///
/// # Errors
/// [`StoreError`].
pub async fn note_sent(
    pool: &PgPool,
    hash: B256,
    kind: AnswerKind,
    answer: &str,
    again: Option<Span>,
) -> Result<i64, StoreError> {
    let sends = sqlx::query_scalar!(
        r#"WITH sent AS (
               UPDATE attempts a SET sent_at = clock_timestamp(), sends = sends + 1, last_answer = $2, answer_kind = $3
               WHERE hash = $1 RETURNING a.transaction_id
           ), later AS (
               UPDATE trades t SET next_check_at = clock_timestamp() + make_interval(secs => $4::float8)
               FROM sent JOIN transactions x ON x.id = sent.transaction_id
               WHERE $4::float8 IS NOT NULL AND t.id = x.trade_id AND t.status IN ('PENDING', 'SUBMITTED'))
           SELECT (SELECT sum(sends) FROM attempts b WHERE b.transaction_id = sent.transaction_id) AS "sends!" FROM sent"#,
        hash.as_slice(),
        clean_text(answer),
        kind.to_string(),
        again.map(|span| span.std().as_secs_f64()),
    )
    .fetch_optional(pool)
    .await?;
    Ok(sends.unwrap_or_default())
}

/// The stored bytes of an attempt.
///
/// # Errors
/// [`StoreError`].
pub async fn raw(pool: &PgPool, hash: B256) -> Result<Bytes, StoreError> {
    let raw = sqlx::query_scalar!("SELECT raw FROM attempts WHERE hash = $1", hash.as_slice())
        .fetch_one(pool)
        .await?;
    Ok(Bytes::from(raw))
}

/// Wakes the schedulers.
///
/// # Errors
/// [`StoreError`].
pub async fn wake(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!("SELECT pg_notify($1, 'trade')", WAKE_CHANNEL)
        .execute(connection)
        .await?;
    Ok(())
}
