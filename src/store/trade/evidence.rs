//! What the ledger claims to have happened, by transaction hash, for a comparison with a venue.

use std::collections::HashMap;

use alloy_primitives::B256;
use sqlx::PgPool;

use crate::domain::{
    Timestamp,
    decision::Side,
    ids::WithdrawalId,
    job::{Account, JobId},
    onchain::Asset,
    trade::Purpose,
    units::Amount,
};
use crate::store::{
    StoreError,
    columns::{amount, hash, lower, numbers, word},
};

/// A job's slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JobSlot {
    /// The job.
    pub job: JobId,
    /// The slot's nominal time.
    pub slot: Timestamp,
}

/// What a fill moved, base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// Left the wallet.
    pub paid: Amount,
    /// Arrived in it.
    pub received: Amount,
}

/// Every signed transaction's slot.
///
/// # Errors
/// [`StoreError`] if the database cannot be read.
pub async fn slots_by_hash(pool: &PgPool) -> Result<HashMap<B256, JobSlot>, StoreError> {
    let rows = sqlx::query!(
        "SELECT a.hash, t.job_id, t.slot FROM attempts a JOIN transactions x ON x.id = a.transaction_id
         JOIN trades t ON t.id = x.trade_id"
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let slot = JobSlot {
                job: JobId(row.job_id),
                slot: row.slot,
            };
            Ok((hash("attempts.hash", &row.hash)?, slot))
        })
        .collect()
}

/// Fills that were not reversed.
///
/// # Errors
/// [`StoreError`] if the database cannot be read.
pub async fn fills_by_hash(pool: &PgPool) -> Result<HashMap<B256, Moved>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT tx_hash, side, base_amount::text AS "base!", quote_amount::text AS "quote!" FROM fills f
           WHERE kind = 'fill' AND NOT EXISTS (SELECT 1 FROM fills r WHERE r.trade_id = f.trade_id AND r.kind = 'reversal'
                                                 AND r.round = f.round)"#
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let (base, quote) = (
                amount("fills.base_amount", &row.base)?,
                amount("fills.quote_amount", &row.quote)?,
            );
            let moved = match word("fills.side", &row.side)? {
                Side::Buy => Moved {
                    paid: quote,
                    received: base,
                },
                Side::Sell => Moved {
                    paid: base,
                    received: quote,
                },
            };
            Ok((hash("fills.tx_hash", &row.tx_hash)?, moved))
        })
        .collect()
}

/// What all fills of these jobs paid and brought in quote units, reversals subtracted.
///
/// # Errors
/// [`StoreError`] if the database cannot be read.
pub async fn quote_flows(pool: &PgPool, jobs: &[JobId]) -> Result<Moved, StoreError> {
    let row = sqlx::query!(
        r#"SELECT coalesce(sum(quote_amount * CASE kind WHEN 'fill' THEN 1 ELSE -1 END) FILTER (WHERE side = 'BUY'), 0)::text AS "spent!",
                  coalesce(sum(quote_amount * CASE kind WHEN 'fill' THEN 1 ELSE -1 END) FILTER (WHERE side = 'SELL'), 0)::text AS "received!"
           FROM fills WHERE job_id = ANY($1)"#,
        &numbers(jobs)
    )
    .fetch_one(pool)
    .await?;
    Ok(Moved {
        paid: amount("fills.quote_amount", &row.spent)?,
        received: amount("fills.quote_amount", &row.received)?,
    })
}

/// One signed transaction of a withdrawal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The withdrawal.
    pub withdrawal: WithdrawalId,
    /// What it pays.
    pub asset: Asset,
    /// How much, base units.
    pub amount: Amount,
    /// Whether this transaction pays it; a cancel does not.
    pub pays: bool,
    /// Whether the ledger says that this transaction has paid it.
    pub paid: bool,
}

/// Every signed transaction of an account's withdrawals.
///
/// # Errors
/// [`StoreError`] if the database cannot be read.
pub async fn payments_by_hash(
    pool: &PgPool,
    account: &Account,
) -> Result<HashMap<B256, Payment>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT a.hash, a.purpose, w.id, w.asset, w.amount::text AS "amount!",
                  w.status = 'EXECUTED' AND w.tx_hash = a.hash AS "paid!"
           FROM withdrawals w JOIN transactions x ON x.withdrawal_id = w.id JOIN attempts a ON a.transaction_id = x.id
           WHERE w.realm = $1 AND w.chain = $2 AND w.wallet = $3"#,
        account.realm.to_string(),
        account.chain,
        lower(account.wallet) as _,
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let payment = Payment {
                withdrawal: WithdrawalId(row.id),
                asset: word("withdrawals.asset", &row.asset)?,
                amount: amount("withdrawals.amount", &row.amount)?,
                pays: word::<Purpose>("attempts.purpose", &row.purpose)? == Purpose::Transfer,
                paid: row.paid,
            };
            Ok((hash("attempts.hash", &row.hash)?, payment))
        })
        .collect()
}
