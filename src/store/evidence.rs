//! What the ledger claims to have happened, by transaction hash, for a comparison with a venue.

use std::collections::HashMap;

use alloy_primitives::B256;
use sqlx::PgPool;

use super::{
    StoreError,
    columns::{amount, hash, numbers, word},
};
use crate::domain::{Timestamp, decision::Side, job::JobId, units::Amount};

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
