//! Compares a wallet's transactions on the chain with our ledger: each swap must have happened exactly once, and
//! nothing else.

use std::collections::{BTreeMap, HashSet};

use alloy_primitives::{Address, B256};
use serde::Serialize;
use sqlx::PgPool;

use super::findings::Findings;
use crate::{
    app::{error::AppError, whole::Whole},
    domain::{
        job::{Account, JobId, Realm},
        onchain::{Asset, Lookup, Receipt},
        pool::NATIVE,
        units::{Amount, NATIVE_DECIMALS},
    },
    ports::{Chain, RpcError},
    store::{
        evidence::{self, Moved},
        jobs::{self, Filter, Job},
        signers, views,
    },
};

/// One balance on both sides, base units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Balance {
    /// Ticker.
    pub asset: String,
    /// Balance by the ledger.
    pub ledger: String,
    /// Balance on the chain.
    pub chain: String,
    /// Likewise in whole tokens.
    pub ledger_whole: Whole,
    /// Likewise in whole tokens.
    pub chain_whole: Whole,
}

/// Result of the comparison.
#[derive(Debug, Clone, Default)]
pub struct LiveFindings {
    /// Differences, as on paper.
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
    let paid_out = payments(pool, chain, account, &mut found).await?;
    nonces(pool, chain, account, &mut found).await?;
    let before = before.saturating_sub(paid_out);
    balances(chain, account, &jobs, before, pool, &mut found).await?;
    Ok(found)
}

/// Looks up every signed hash: at most one swap per slot was mined, and its fill equals its logs.
async fn swaps(
    pool: &PgPool,
    chain: &dyn Chain,
    account: &Account,
    found: &mut LiveFindings,
) -> Result<(), AppError> {
    let slots = evidence::slots_by_hash(pool).await?;
    let mut fills = evidence::fills_by_hash(pool).await?;
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
        // The logs show exactly the amounts of the fill.
        let same = fills.remove(hash).is_some_and(|fill| {
            let net = net(&receipt, account);
            let paid = net.values().any(|moved| moved.paid == fill.paid);
            paid && net.values().any(|moved| moved.received == fill.received)
        });
        found.findings.position_mismatches += u64::from(!same);
    }
    // A fill without a swap: the ledger has a trade that never happened.
    found.findings.position_mismatches += fills.len() as u64;
    Ok(())
}

/// Looks up everything that was signed for withdrawals: each was paid at most once, and exactly if the ledger says so.
/// The answer is the native coin that they took out, wei.
async fn payments(
    pool: &PgPool,
    chain: &dyn Chain,
    account: &Account,
    found: &mut LiveFindings,
) -> Result<Amount, AppError> {
    let payments = evidence::payments_by_hash(pool, account).await?;
    let hashes: Vec<B256> = payments.keys().copied().collect();
    let (mut paid, mut out) = (HashSet::new(), Amount::ZERO);
    for (payment, answer) in payments.values().zip(chain.lookup(&hashes).await) {
        let happened = match answer.map_err(network)? {
            Lookup::Mined(receipt) => {
                found.mined += 1;
                found.gas = found.gas.checked_add(receipt.gas_native).map_err(range)?;
                receipt.success && payment.pays
            }
            _ => false,
        };
        found.findings.position_mismatches += u64::from(happened != payment.paid);
        if happened {
            found.findings.duplicate_slots += u64::from(!paid.insert(payment.withdrawal));
            if payment.asset == Asset::Native {
                out = out.checked_add(payment.amount).map_err(range)?;
            }
        }
    }
    Ok(out)
}

/// No nonce is open, and every used nonce is ours.
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
        found.judge(
            &job.token.symbol,
            job.token.decimals,
            job.position.token_balance,
            held,
        );
    }
    let quotes: BTreeMap<_, _> = jobs
        .iter()
        .map(|job| (job.quote.address, job.quote.symbol.clone()))
        .collect();
    if quotes.keys().any(|quote| *quote != NATIVE) {
        return Ok(());
    }
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let flows = evidence::quote_flows(pool, &ids).await?;
    let expected = before
        .checked_add(flows.received)
        .map_err(range)?
        .saturating_sub(flows.paid)
        .saturating_sub(found.gas);
    let held = balance(chain, account, Asset::Native).await?;
    found.judge("native coin", NATIVE_DECIMALS, expected, held);
    Ok(())
}

impl LiveFindings {
    fn judge(&mut self, asset: &str, decimals: u8, ledger: Amount, chain: Amount) {
        self.findings.position_mismatches += u64::from(ledger != chain);
        self.balances.push(Balance {
            asset: asset.to_owned(),
            ledger: ledger.to_string(),
            chain: chain.to_string(),
            ledger_whole: Whole::new(ledger, decimals),
            chain_whole: Whole::new(chain, decimals),
        });
    }
}

async fn balance(chain: &dyn Chain, account: &Account, asset: Asset) -> Result<Amount, AppError> {
    let held = chain.balances(account.wallet, &[asset]).await.map_err(network)?;
    Ok(held.first().copied().unwrap_or_default())
}

/// What the wallet paid and received, by token.
fn net(receipt: &Receipt, account: &Account) -> BTreeMap<Address, Moved> {
    let mut sums: BTreeMap<Address, Moved> = BTreeMap::new();
    for transfer in &receipt.transfers {
        let sum = sums.entry(transfer.token).or_default();
        if transfer.to == account.wallet {
            sum.received = sum.received.checked_add(transfer.amount).unwrap_or(sum.received);
        }
        if transfer.from == account.wallet {
            sum.paid = sum.paid.checked_add(transfer.amount).unwrap_or(sum.paid);
        }
    }
    sums
}

/// Approvals and cancels move nothing; a swap moves something out and something in.
fn moved_both_ways(receipt: &Receipt, account: &Account) -> bool {
    let to = |transfer: &crate::domain::onchain::Transfer| transfer.to == account.wallet;
    let from = |transfer: &crate::domain::onchain::Transfer| transfer.from == account.wallet;
    receipt.success && receipt.transfers.iter().any(to) && receipt.transfers.iter().any(from)
}

fn network(error: RpcError) -> AppError {
    AppError::Network(error.to_string())
}

fn range(error: impl std::fmt::Display) -> AppError {
    AppError::Internal(error.to_string())
}
