//! What `reconcile` reads and what it may change: counters, halts and positions, each guarded by what was seen.

use sqlx::PgPool;

use crate::domain::{
    accounting,
    ids::TradeId,
    job::{Account, JobId},
    units::Amount,
};
use crate::store::{
    StoreError,
    columns::{address, lower, to_i64, unsigned, word},
    jobs::{self, CommandError},
    leaving::{Leaving, in_motion, take_out},
    session::begin,
    signers,
};

/// A signer as the ledger knows it.
#[derive(Debug, Clone)]
pub struct SignerRow {
    /// The account.
    pub account: Account,
    /// The nonce the next transaction takes.
    pub next_nonce: u64,
    /// Why it must not be used.
    pub halted: Option<String>,
    /// Trades with a nonce of it that are not final.
    pub open_trades: Vec<TradeId>,
}

/// All signers, by account.
///
/// # Errors
/// [`StoreError`].
pub async fn signers(pool: &PgPool) -> Result<Vec<SignerRow>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT realm, chain, address::text AS "address!", next_nonce, halted_reason,
                  array(SELECT DISTINCT t.id FROM trades t JOIN transactions x ON x.trade_id = t.id
                        WHERE t.status = 'SUBMITTED' AND (x.realm, x.chain, x.signer) = (s.realm, s.chain, s.address)
                        ORDER BY t.id) AS "open!"
           FROM signers s ORDER BY realm, chain, address"#
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(SignerRow {
                account: Account {
                    realm: word("signers.realm", &row.realm)?,
                    chain: row.chain,
                    wallet: address("signers.address", &row.address)?,
                },
                next_nonce: unsigned("signers.next_nonce", row.next_nonce)?,
                halted: row.halted_reason,
                open_trades: row.open.into_iter().map(TradeId).collect(),
            })
        })
        .collect()
}

/// Jobs that have an open trade, or a fill that a reorg may still undo: their balance may still change.
///
/// # Errors
/// [`StoreError`].
pub async fn jobs_in_motion(pool: &PgPool) -> Result<Vec<JobId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"SELECT job_id AS "job!" FROM trades WHERE status IN ('PENDING', 'SUBMITTED')
           UNION SELECT f.job_id FROM fill_watches w JOIN fills f ON f.id = w.fill_id
           UNION SELECT t.job_id FROM failure_watches w JOIN trades t ON t.id = w.trade_id"#
    )
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().map(JobId).collect())
}

/// Jobs of which a trade that was sent failed, or of which a fill was reversed: tokens beyond the ledger may be theirs.
///
/// # Errors
/// [`StoreError`].
pub async fn jobs_with_failures(pool: &PgPool) -> Result<Vec<JobId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"SELECT job_id AS "job!" FROM trades WHERE status = 'FAILED' AND tx_hash IS NOT NULL
           UNION SELECT job_id FROM fills WHERE kind = 'reversal'"#
    )
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().map(JobId).collect())
}

/// Moves a counter up to the chain's and releases the signer, if the counter is still `from`, the halt is the
/// one that was seen, and no trade of it is open.
///
/// # Errors
/// [`StoreError`]; the answer is `false` if something has changed, and nothing is done then.
pub async fn advance(pool: &PgPool, seen: &SignerRow, to: u64) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    let moved = sqlx::query!(
        "UPDATE signers s SET next_nonce = $5, halted_at = NULL, halted_reason = NULL, settlements = settlements + 1
         WHERE realm = $1 AND chain = $2 AND address = $3 AND next_nonce = $4 AND halted_reason IS NOT DISTINCT FROM $6
           AND NOT EXISTS (SELECT 1 FROM trades t JOIN transactions x ON x.trade_id = t.id
                           WHERE t.status = 'SUBMITTED' AND (x.realm, x.chain, x.signer) = (s.realm, s.chain, s.address))
           AND NOT EXISTS (SELECT 1 FROM withdrawals w
                           WHERE w.status = 'SUBMITTED' AND (w.realm, w.chain, w.wallet) = (s.realm, s.chain, s.address))",
        seen.account.realm.to_string(),
        seen.account.chain,
        lower(seen.account.wallet) as _,
        to_i64("signers.next_nonce", seen.next_nonce)?,
        to_i64("signers.next_nonce", to)?,
        seen.halted,
    )
    .execute(&mut *tx)
    .await?;
    signers::wake(&mut tx).await?;
    tx.commit().await?;
    Ok(moved.rows_affected() == 1)
}

/// Writes a position down to what the wallet holds, if it is still what was seen and nothing of it is in motion.
///
/// # Errors
/// [`CommandError`]; the answer is `false` if something has changed, and nothing is done then.
pub async fn write_down(
    pool: &PgPool,
    job: JobId,
    seen: Amount,
    held: Amount,
    actor: &str,
) -> Result<bool, CommandError> {
    let mut tx = begin(pool).await?;
    let locked = jobs::lock(&mut tx, job).await?;
    let moving = in_motion(&mut tx, job).await?;
    let missing = seen.saturating_sub(held);
    if moving.is_some() || locked.position.token_balance != seen || missing.is_zero() {
        return Ok(false);
    }
    let taken = accounting::withdraw(locked.position, missing).map_err(|error| StoreError::Corrupt {
        column: "jobs.cost_basis",
        value: error.to_string(),
    })?;
    let why = Leaving {
        kind: "withdraw",
        note: "the wallet holds less than the job tracked",
        key: None,
    };
    take_out(&mut tx, &locked, missing, &taken, &why).await?;
    let before = serde_json::json!({ "token_balance": seen });
    let after = serde_json::json!({ "token_balance": taken.position.token_balance, "cost_basis_taken": taken.cost_sold });
    jobs::event(&mut tx, job, actor, "reconcile", Some(before), Some(after)).await?;
    tx.commit().await?;
    Ok(true)
}
