//! The paper venue's own records against our ledger: what really happened, once each, and nothing else.

pub mod live;

use std::collections::{HashMap, HashSet};

use alloy_primitives::B256;
use sqlx::PgPool;

use super::AppError;
use crate::{
    domain::{job::Realm, units::Amount},
    paper::audit::{self, PaperStatus},
    ports::Asset,
    store::{
        jobs::{self, Filter},
        views,
    },
};

/// What was found. All zeros: nothing was lost and nothing was doubled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Findings {
    /// Slots with more than one swap at the venue, or decided more than once by us.
    pub duplicate_slots: u64,
    /// Swaps that only one side knows, amounts that differ, and positions that are not what the venue says.
    pub position_mismatches: u64,
}

/// Compares everything. No trade may be open while this runs.
///
/// # Errors
/// [`AppError`] if either side cannot be read.
pub async fn compare(pool: &PgPool) -> Result<Findings, AppError> {
    let totals = views::ledger_totals(pool).await?;
    let mut findings = Findings {
        duplicate_slots: totals.duplicate_slots,
        position_mismatches: totals.unbalanced_jobs,
    };
    let slots = slots_by_hash(pool).await?;
    let mut fills = fills_by_hash(pool).await?;
    let mut traded = HashSet::new();
    let mut jobs = jobs::list(pool, &Filter::default()).await?;
    jobs.retain(|job| job.account.realm == Realm::Paper);
    let wallets: HashSet<_> = jobs.iter().map(|job| job.account.wallet).collect();
    for wallet in wallets {
        for swap in audit::records(pool, None, wallet).await? {
            if swap.status != PaperStatus::Mined {
                continue;
            }
            // A swap whose hash we never recorded is money that moved behind our back.
            let Some(slot) = slots.get(&swap.hash) else {
                findings.position_mismatches += 1;
                continue;
            };
            findings.duplicate_slots += u64::from(!traded.insert(*slot));
            let same = fills
                .remove(&swap.hash)
                .is_some_and(|fill| fill == (swap.amount_in, swap.amount_out));
            findings.position_mismatches += u64::from(!same);
        }
        let held = audit::net_balances(pool, None, wallet).await?;
        for job in jobs.iter().filter(|job| job.account.wallet == wallet) {
            let ours = |net: &&audit::NetBalance| {
                net.chain == job.account.chain && net.asset == Asset::Token(job.token.address)
            };
            let venue = held
                .iter()
                .find(ours)
                .map_or(Amount::ZERO, |net| net.received.saturating_sub(net.spent));
            findings.position_mismatches += u64::from(venue != job.position.token_balance);
        }
    }
    // A fill without a swap: we remember a trade that never happened.
    findings.position_mismatches += fills.len() as u64;
    Ok(findings)
}

async fn slots_by_hash(
    pool: &PgPool,
) -> Result<HashMap<B256, (i64, chrono::DateTime<chrono::Utc>)>, AppError> {
    let rows = sqlx::query!(
        "SELECT a.hash, t.job_id, t.slot FROM attempts a JOIN transactions x ON x.id = a.transaction_id
         JOIN trades t ON t.id = x.trade_id"
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (B256::from_slice(&row.hash), (row.job_id, row.slot)))
        .collect())
}

/// What went in and came out, by our fills.
async fn fills_by_hash(pool: &PgPool) -> Result<HashMap<B256, (Amount, Amount)>, AppError> {
    let rows = sqlx::query!(
        r#"SELECT tx_hash, side, base_amount::text AS "base!", quote_amount::text AS "quote!" FROM fills f
           WHERE kind = 'fill' AND NOT EXISTS (SELECT 1 FROM fills r WHERE r.trade_id = f.trade_id AND r.kind = 'reversal'
                                                 AND r.round = f.round)"#
    )
    .fetch_all(pool)
    .await?;
    let amount = |text: &str| {
        text.parse::<Amount>()
            .map_err(|error| AppError::Internal(error.to_string()))
    };
    rows.into_iter()
        .map(|row| {
            let (base, quote) = (amount(&row.base)?, amount(&row.quote)?);
            let moved = if row.side == "BUY" {
                (quote, base)
            } else {
                (base, quote)
            };
            Ok((B256::from_slice(&row.tx_hash), moved))
        })
        .collect()
}
