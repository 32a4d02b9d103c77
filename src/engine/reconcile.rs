//! The ledger against the chain: what differs, and what evidence allows to repair.

mod gap;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use alloy_primitives::B256;

use super::{core::Engine, error::EngineError};
use crate::{
    domain::{
        ids::TradeId,
        job::{Account, JobId},
        onchain::{Asset, NonceUse},
        units::Amount,
    },
    ports::Market,
    store::{
        failure_watches, fill_watches, foreign,
        jobs::{self, CommandError, Filter, Job},
        repairs::{self, SignerRow},
    },
};

/// Most nonces of one signer that are looked up, one search through the blocks each.
const NONCES_MAX: u64 = 200;

/// What a signer's count looks like on both sides.
#[derive(Debug, Clone)]
pub struct SignerReport {
    /// The ledger's side.
    pub row: SignerRow,
    /// The chain's next nonce; why it is not known.
    pub chain_nonce: Result<u64, String>,
    /// Nonces that the chain has used and this database never gave out.
    pub unknown: Vec<UnknownNonce>,
    /// What repairing would do.
    pub remedy: Remedy,
}

/// A nonce that this database never gave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownNonce {
    /// The nonce.
    pub nonce: u64,
    /// Who used it; `None`: the block was not found.
    pub used: Option<NonceUse>,
    /// Whether that is deep enough to be final.
    pub settled: bool,
    /// Whether the hash is on record as ours all the same.
    pub ours: bool,
}

/// What repairing would do, and what keeps it from doing so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// Both sides agree.
    Nothing,
    /// Move the counter up to this nonce and release the signer.
    Advance(u64),
    /// Release the signer; the counters agree.
    Release,
    /// Set the counter back to the chain's: the nonces from there on were never on chain. What waits behind them ends.
    TakeBack {
        /// The chain's next nonce.
        to: u64,
        /// Open trades that end as expired.
        trades: Vec<TradeId>,
        /// Everything signed for the nonces that are reset, as evidence.
        hashes: Vec<B256>,
    },
    /// Not now, because.
    Not(String),
}

/// What all jobs of a wallet track of one token, and what the wallet holds.
#[derive(Debug, Clone)]
pub struct BalanceReport {
    /// The account.
    pub account: Account,
    /// Ticker.
    pub symbol: String,
    /// Digits.
    pub decimals: u8,
    /// The jobs that track it.
    pub jobs: Vec<JobId>,
    /// What they track together, base units.
    pub tracked: Amount,
    /// What the wallet holds, base units; why it is not known.
    pub held: Result<Amount, String>,
    /// What it holds beyond all that jobs track, base units; zero for what jobs pay with.
    pub surplus: Amount,
    /// Whether that may be the work of a trade that the ledger counts as failed or reversed.
    pub suspicious: bool,
    /// What repairing would do.
    pub remedy: BalanceRemedy,
}

/// What repairing would do to a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BalanceRemedy {
    /// The wallet holds what is tracked. Tokens beyond that were bought by no job, and stay with their owner.
    Nothing,
    /// Write the job's position down to what the wallet holds.
    WriteDown(JobId),
    /// Not now, because.
    Not(String),
}

/// Everything that was compared.
#[derive(Debug, Clone)]
pub struct Reconciliation {
    /// Signers, by account.
    pub signers: Vec<SignerReport>,
    /// Balances, by account and token.
    pub balances: Vec<BalanceReport>,
}

impl Engine {
    /// Compares the ledger with the chain. Changes nothing, except that fills and failures which are final by now,
    /// or were reorged out, are recorded as such.
    ///
    /// # Errors
    /// [`EngineError::Store`]; a chain that does not answer is part of the report.
    pub async fn reconcile(&self) -> Result<Reconciliation, EngineError> {
        self.watch(&fill_watches::all(&self.pool).await?).await?;
        self.watch_failures(&failure_watches::all(&self.pool).await?)
            .await?;
        let mut signers = Vec::new();
        for row in repairs::signers(&self.pool).await? {
            signers.push(self.compare_signer(row).await?);
        }
        Ok(Reconciliation {
            signers,
            balances: self.compare_balances().await?,
        })
    }

    async fn compare_signer(&self, row: SignerRow) -> Result<SignerReport, EngineError> {
        let seen = match self.markets.market(&row.account).await {
            Ok(market) => chain_side(&market, &row).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let (chain_nonce, mut unknown) = match seen {
            Ok((nonce, unknown)) => (Ok(nonce), unknown),
            Err(error) => (Err(error), vec![]),
        };
        for unknown in &mut unknown {
            if let Some(used) = unknown.used {
                unknown.ours = foreign::is_ours(&self.pool, used.hash).await?;
            }
        }
        let remedy = match self.gap_remedy(&row, &chain_nonce).await? {
            Some(remedy) => remedy,
            None => signer_remedy(&row, &chain_nonce, &unknown),
        };
        Ok(SignerReport {
            row,
            chain_nonce,
            unknown,
            remedy,
        })
    }

    async fn compare_balances(&self) -> Result<Vec<BalanceReport>, EngineError> {
        let jobs = jobs::list(&self.pool, &Filter::default()).await?;
        let moving: HashSet<JobId> = repairs::jobs_in_motion(&self.pool).await?.into_iter().collect();
        let failed: HashSet<JobId> = repairs::jobs_with_failures(&self.pool)
            .await?
            .into_iter()
            .collect();
        let accounts: BTreeSet<&Account> = jobs.iter().map(|job| &job.account).collect();
        let mut reports = Vec::new();
        for account in accounts {
            let tracked = tracked_by(jobs.iter().filter(|job| job.account == *account));
            let mut assets: Vec<Asset> = tracked.keys().map(|address| Asset::of(*address)).collect();
            let mut wrapped = None;
            let held = match self.markets.market(account).await {
                Ok(market) => {
                    wrapped = market.chain.wrapped_native();
                    assets.extend(wrapped.map(Asset::of));
                    let balances = market.chain.balances(account.wallet, &assets).await;
                    balances.map_err(|error| error.to_string())
                }
                Err(error) => Err(error.to_string()),
            };
            let spare = spare_wrapped(wrapped, &tracked, held.as_deref().unwrap_or_default());
            for (index, tracked) in tracked.into_values().enumerate() {
                let held = held
                    .as_ref()
                    .map(|held| held.get(index).copied().unwrap_or_default());
                let mut report = tracked.report(account, held.map_err(Clone::clone), &moving, &failed);
                if assets.get(index) == Some(&Asset::Native) {
                    report.unwrap(spare, &moving);
                }
                reports.push(report);
            }
        }
        Ok(reports)
    }

    /// Repairs what the report says it would, as far as that is still so; says what was done, a line each.
    ///
    /// # Errors
    /// [`CommandError`]; what was done before it stays done.
    pub async fn repair(&self, report: &Reconciliation, actor: &str) -> Result<Vec<String>, CommandError> {
        let mut done = Vec::new();
        for signer in &report.signers {
            let to = match &signer.remedy {
                Remedy::Advance(to) => *to,
                Remedy::Release => signer.row.next_nonce,
                Remedy::Nothing | Remedy::Not(_) => continue,
                Remedy::TakeBack { to, trades, hashes } => {
                    done.push(self.take_back(&signer.row, *to, (trades, hashes), actor).await?);
                    continue;
                }
            };
            // Before the release: an unknown transaction may have bought what its jobs would buy again.
            done.extend(self.pause_unexplained(&signer.row.account, actor).await?);
            for unknown in signer.unknown.iter().filter(|unknown| !unknown.ours) {
                if let Some(used) = &unknown.used {
                    foreign::record(&self.pool, &signer.row.account, unknown.nonce, used, None, None).await?;
                }
            }
            let wallet = signer.row.account.wallet;
            done.push(if repairs::advance(&self.pool, &signer.row, to).await? {
                format!("signer {wallet}: continues with nonce {to}")
            } else {
                format!("signer {wallet}: it has changed meanwhile; run reconcile again")
            });
        }
        for balance in &report.balances {
            let (BalanceRemedy::WriteDown(job), Ok(held)) = (&balance.remedy, &balance.held) else {
                continue;
            };
            let written = repairs::write_down(&self.pool, *job, balance.tracked, *held, actor).await?;
            done.push(if written {
                let held = held.to_whole(balance.decimals);
                format!("job {job}: position written down to {held} {}", balance.symbol)
            } else {
                format!("job {job}: it has changed meanwhile; run reconcile again")
            });
        }
        Ok(done)
    }
}

async fn chain_side(
    market: &Market,
    row: &SignerRow,
) -> Result<(u64, Vec<UnknownNonce>), crate::ports::RpcError> {
    let latest = market.chain.nonces(row.account.wallet).await?.latest;
    let head = market.chain.agreed_head().await?;
    let required = market.chain.patience().required_depth;
    let mut unknown = Vec::new();
    for nonce in (row.next_nonce..latest).take(usize::try_from(NONCES_MAX).unwrap_or(usize::MAX)) {
        let used = market.chain.nonce_use(row.account.wallet, nonce).await?;
        let settled = used.is_some_and(|used| head.depth(used.block_number) >= required);
        unknown.push(UnknownNonce {
            nonce,
            used,
            settled,
            ours: false,
        });
    }
    Ok((latest, unknown))
}

fn signer_remedy(row: &SignerRow, chain: &Result<u64, String>, unknown: &[UnknownNonce]) -> Remedy {
    let Ok(chain) = chain else {
        return Remedy::Not("the chain does not answer".to_owned());
    };
    if *chain <= row.next_nonce && row.halted.is_none() {
        return Remedy::Nothing;
    }
    if let Some(open) = row.open_trades.first() {
        return Remedy::Not(format!(
            "trade {open} is open: it is carried on; run this again when it is final"
        ));
    }
    if *chain <= row.next_nonce {
        return Remedy::Release;
    }
    if chain.saturating_sub(row.next_nonce) > NONCES_MAX {
        return Remedy::Not(format!(
            "more than {NONCES_MAX} nonces are unknown: restore a newer backup, use another wallet, or accept them all with \
             `reconcile --adopt {} --chain {}`",
            row.account.wallet, row.account.chain
        ));
    }
    match unknown.iter().find(|unknown| !unknown.settled) {
        Some(UnknownNonce {
            nonce, used: None, ..
        }) => Remedy::Not(format!(
            "who used nonce {nonce} was not found; ask a node that keeps older state"
        )),
        Some(UnknownNonce { nonce, .. }) => Remedy::Not(format!(
            "the transaction that used nonce {nonce} is not deep enough in the chain; wait for its block to be final"
        )),
        None => Remedy::Advance(*chain),
    }
}

/// What jobs track of one token of a wallet.
struct Tracked {
    symbol: String,
    decimals: u8,
    jobs: Vec<JobId>,
    amount: Amount,
    is_quote: bool,
}

/// Positions, and the quote that jobs own, by token.
fn tracked_by<'a>(jobs: impl Iterator<Item = &'a Job>) -> BTreeMap<alloy_primitives::Address, Tracked> {
    let mut all = BTreeMap::new();
    for job in jobs {
        let parts = [
            (&job.token, job.position.token_balance, false),
            (&job.quote, job.position.quote_balance, true),
        ];
        for (token, amount, is_quote) in parts {
            if is_quote && !job.position.owns_quote {
                continue;
            }
            let tracked = all.entry(token.address).or_insert_with(|| Tracked {
                symbol: token.symbol.clone(),
                decimals: token.decimals,
                jobs: vec![],
                amount: Amount::ZERO,
                is_quote,
            });
            tracked.jobs.push(job.id);
            // More than all that there is cannot be held: the difference shows.
            tracked.amount = tracked.amount.checked_add(amount).unwrap_or(tracked.amount);
        }
    }
    all
}

/// What the wallet holds of the wrapped coin beyond what its jobs track of it.
fn spare_wrapped(
    wrapped: Option<alloy_primitives::Address>,
    tracked: &BTreeMap<alloy_primitives::Address, Tracked>,
    held: &[Amount],
) -> Amount {
    let of_jobs = wrapped.and_then(|token| tracked.get(&token));
    let of_jobs = of_jobs.map_or(Amount::ZERO, |tracked| tracked.amount);
    match (wrapped, held.last()) {
        (Some(_), Some(held)) => held.saturating_sub(of_jobs),
        _ => Amount::ZERO,
    }
}

impl BalanceReport {
    /// Advises to unwrap where spare wrapped coin covers what is missing: a wallet whose code refuses coins is paid in
    /// it, and its jobs count that as the coin.
    fn unwrap(&mut self, spare: Amount, moving: &HashSet<JobId>) {
        let Ok(held) = &self.held else { return };
        let missing = self.tracked.saturating_sub(*held);
        if missing.is_zero() || spare < missing || self.jobs.iter().any(|job| moving.contains(job)) {
            return;
        }
        let amount = missing.to_whole(self.decimals);
        self.remedy = BalanceRemedy::Not(format!(
            "the wallet has that much spare W{symbol}, in which a wallet is paid whose code refuses coins: unwrap {amount} \
             W{symbol}, or send {symbol}",
            symbol = self.symbol
        ));
    }
}

impl Tracked {
    fn report(
        self,
        account: &Account,
        held: Result<Amount, String>,
        moving: &HashSet<JobId>,
        failed: &HashSet<JobId>,
    ) -> BalanceReport {
        let surplus = match &held {
            Ok(held) if !self.is_quote => held.saturating_sub(self.amount),
            _ => Amount::ZERO,
        };
        let suspicious = !surplus.is_zero() && self.jobs.iter().any(|job| failed.contains(job));
        let remedy = match (&held, self.jobs.as_slice()) {
            (Err(_), _) => BalanceRemedy::Not("the chain does not answer".to_owned()),
            (Ok(held), _) if *held >= self.amount => BalanceRemedy::Nothing,
            (Ok(_), jobs) if jobs.iter().any(|job| moving.contains(job)) => {
                BalanceRemedy::Not("a trade is open, or its end is not final yet".to_owned())
            }
            (Ok(_), [job]) if !self.is_quote => BalanceRemedy::WriteDown(*job),
            (Ok(_), _) => BalanceRemedy::Not(format!(
                "send {} to the wallet, or edit the jobs' budgets",
                self.symbol
            )),
        };
        BalanceReport {
            account: account.clone(),
            symbol: self.symbol,
            decimals: self.decimals,
            jobs: self.jobs,
            tracked: self.amount,
            held,
            surplus,
            suspicious,
            remedy,
        }
    }
}
