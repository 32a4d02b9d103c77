//! A wallet's own transactions on the chain against our ledger: what really happened, once each, and nothing else.

use std::collections::{BTreeMap, HashSet};

use alloy_primitives::B256;
use serde::Serialize;
use sqlx::PgPool;

use super::{AppError, Findings, fills_by_hash, slots_by_hash};
use crate::{
    domain::{
        job::{Account, Realm},
        pool::NATIVE,
        units::Amount,
    },
    ports::{Asset, Chain, Lookup, Receipt, RpcError},
    store::{
        jobs::{self, Filter, Job},
        signers, views,
    },
};

/// One balance on both sides, base units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Balance {
    /// Ticker.
    pub asset: String,
    /// What the ledger says.
    pub ledger: String,
    /// What the chain says.
    pub chain: String,
}

/// Everything that was compared.
#[derive(Debug, Clone, Default)]
pub struct LiveFindings {
    /// As on paper.
    pub findings: Findings,
    /// Transactions of the wallet that were mined.
    pub mined: u64,
    /// Gas of all of them, wei.
    pub gas: Amount,
    /// Every asset the jobs touched.
    pub balances: Vec<Balance>,
    /// Hashes of the swaps, oldest first.
    pub swaps: Vec<B256>,
}

/// Compares everything. No trade may be open while this runs, and the wallet must have begun with `before` of the
/// native coin and with nothing else that its jobs trade.
///
/// # Errors
/// [`AppError`] if either side cannot be read.
pub async fn compare(
    pool: &PgPool,
    chain: &dyn Chain,
    account: &Account,
    before: Amount,
) -> Result<LiveFindings, AppError> {
    let jobs: Vec<Job> = jobs::list(pool, &Filter::default())
        .await?
        .into_iter()
        .filter(|job| job.account == *account && job.account.realm == Realm::Live)
        .collect();
    let totals = views::ledger_totals(pool).await?;
    let mut found = LiveFindings {
        findings: Findings {
            duplicate_slots: totals.duplicate_slots,
            position_mismatches: totals.unbalanced_jobs,
        },
        ..LiveFindings::default()
    };
    swaps(pool, chain, account, &mut found).await?;
    nonces(pool, chain, account, &mut found).await?;
    balances(chain, account, &jobs, before, pool, &mut found).await?;
    Ok(found)
}

/// Every hash that was ever signed: at most one swap a slot was mined, and its fill says what its logs say.
async fn swaps(
    pool: &PgPool,
    chain: &dyn Chain,
    account: &Account,
    found: &mut LiveFindings,
) -> Result<(), AppError> {
    let slots = slots_by_hash(pool).await?;
    let mut fills = fills_by_hash(pool).await?;
    let mut traded = HashSet::new();
    let hashes: Vec<B256> = slots.keys().copied().collect();
    for (hash, answer) in hashes.iter().zip(chain.lookup(&hashes).await) {
        let Lookup::Mined(receipt) = answer.map_err(network)? else {
            continue;
        };
        found.mined += 1;
        found.gas = found.gas.checked_add(receipt.gas_native).map_err(range)?;
        if !moved_both_ways(&receipt, account) {
            continue;
        }
        found.swaps.push(*hash);
        if let Some(slot) = slots.get(hash) {
            found.findings.duplicate_slots += u64::from(!traded.insert(*slot));
        }
        // What was filled went out of one token and into another by exactly these amounts.
        let same = fills.remove(hash).is_some_and(|(out, into)| {
            let net = net(&receipt, account);
            net.values().any(|(_, gone)| *gone == out) && net.values().any(|(come, _)| *come == into)
        });
        found.findings.position_mismatches += u64::from(!same);
    }
    // A fill without a swap: we remember a trade that never happened.
    found.findings.position_mismatches += fills.len() as u64;
    Ok(())
}

/// No nonce is open, and none was used by anything that we do not know.
async fn nonces(
    pool: &PgPool,
    chain: &dyn Chain,
    account: &Account,
    found: &mut LiveFindings,
) -> Result<(), AppError> {
    let ours = signers::find(pool, account)
        .await?
        .map(|signer| signer.next_nonce);
    let theirs = chain.nonces(account.wallet).await.map_err(network)?;
    let same = theirs.latest == theirs.pending && ours.is_none_or(|ours| ours == theirs.latest);
    found.findings.position_mismatches += u64::from(!same);
    Ok(())
}

async fn balances(
    chain: &dyn Chain,
    account: &Account,
    jobs: &[Job],
    before: Amount,
    pool: &PgPool,
    found: &mut LiveFindings,
) -> Result<(), AppError> {
    for job in jobs {
        let held = balance(chain, account, Asset::of(job.token.address)).await?;
        found.judge(&job.token.symbol, job.position.token_balance, held);
    }
    let quotes: BTreeMap<_, _> = jobs
        .iter()
        .map(|job| (job.quote.address, job.quote.symbol.clone()))
        .collect();
    if quotes.keys().any(|quote| *quote != NATIVE) {
        return Ok(());
    }
    let (spent, received) = quote_flows(pool, jobs).await?;
    let expected = before
        .checked_add(received)
        .map_err(range)?
        .saturating_sub(spent)
        .saturating_sub(found.gas);
    let held = balance(chain, account, Asset::Native).await?;
    found.judge("native coin", expected, held);
    Ok(())
}

impl LiveFindings {
    fn judge(&mut self, asset: &str, ledger: Amount, chain: Amount) {
        self.findings.position_mismatches += u64::from(ledger != chain);
        self.balances.push(Balance {
            asset: asset.to_owned(),
            ledger: ledger.to_string(),
            chain: chain.to_string(),
        });
    }
}

/// What fills took out of the quote, and what they brought.
async fn quote_flows(pool: &PgPool, jobs: &[Job]) -> Result<(Amount, Amount), AppError> {
    let ids: Vec<i64> = jobs.iter().map(|job| job.id.0).collect();
    let row = sqlx::query!(
        r#"SELECT coalesce(sum(quote_amount * CASE kind WHEN 'fill' THEN 1 ELSE -1 END) FILTER (WHERE side = 'BUY'), 0)::text AS "spent!",
                  coalesce(sum(quote_amount * CASE kind WHEN 'fill' THEN 1 ELSE -1 END) FILTER (WHERE side = 'SELL'), 0)::text AS "received!"
           FROM fills WHERE job_id = ANY($1)"#,
        &ids
    )
    .fetch_one(pool)
    .await?;
    let read = |text: &str| text.parse::<Amount>().map_err(range);
    Ok((read(&row.spent)?, read(&row.received)?))
}

async fn balance(chain: &dyn Chain, account: &Account, asset: Asset) -> Result<Amount, AppError> {
    let held = chain.balances(account.wallet, &[asset]).await.map_err(network)?;
    Ok(held.first().copied().unwrap_or_default())
}

/// What came in and what went out, by token.
fn net(receipt: &Receipt, account: &Account) -> BTreeMap<alloy_primitives::Address, (Amount, Amount)> {
    let mut sums: BTreeMap<_, (Amount, Amount)> = BTreeMap::new();
    for transfer in &receipt.transfers {
        let sum = sums.entry(transfer.token).or_default();
        if transfer.to == account.wallet {
            sum.0 = sum.0.checked_add(transfer.amount).unwrap_or(sum.0);
        }
        if transfer.from == account.wallet {
            sum.1 = sum.1.checked_add(transfer.amount).unwrap_or(sum.1);
        }
    }
    sums
}

/// Approvals and cancels move nothing; a swap moves something out and something in.
fn moved_both_ways(receipt: &Receipt, account: &Account) -> bool {
    let to = |transfer: &crate::ports::Transfer| transfer.to == account.wallet;
    let from = |transfer: &crate::ports::Transfer| transfer.from == account.wallet;
    receipt.success && receipt.transfers.iter().any(to) && receipt.transfers.iter().any(from)
}

fn network(error: RpcError) -> AppError {
    AppError::Network(error.to_string())
}

fn range(error: impl std::fmt::Display) -> AppError {
    AppError::Internal(error.to_string())
}
