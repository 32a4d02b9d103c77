//! Compares the paper venue's own records with our ledger: each swap must have happened exactly once, and nothing else.

use std::collections::HashSet;

use sqlx::PgPool;

use super::findings::Findings;
use crate::{
    app::error::AppError,
    domain::{job::Realm, onchain::Asset, units::Amount},
    paper::audit::{self, PaperStatus},
    store::{
        evidence,
        jobs::{self, Filter},
        views,
    },
};

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
    let slots = evidence::slots_by_hash(pool).await?;
    let mut fills = evidence::fills_by_hash(pool).await?;
    let mut traded = HashSet::new();
    let mut jobs = jobs::list(pool, &Filter::default()).await?;
    jobs.retain(|job| job.account.realm == Realm::Paper);
    let wallets: HashSet<_> = jobs.iter().map(|job| job.account.wallet).collect();
    for wallet in wallets {
        for swap in audit::records(pool, None, wallet).await? {
            if swap.status != PaperStatus::Mined {
                continue;
            }
            // A swap whose hash we never recorded moved money without our knowledge.
            let Some(slot) = slots.get(&swap.hash) else {
                findings.position_mismatches += 1;
                continue;
            };
            findings.duplicate_slots += u64::from(!traded.insert(*slot));
            let same = fills
                .remove(&swap.hash)
                .is_some_and(|fill| (fill.paid, fill.received) == (swap.amount_in, swap.amount_out));
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
    // A fill without a swap: the ledger has a trade that never happened.
    findings.position_mismatches += fills.len() as u64;
    Ok(findings)
}
