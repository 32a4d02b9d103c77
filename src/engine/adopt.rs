//! A wallet with a past that this database does not know: a restored or lost database, or a wallet that was used
//! elsewhere. Only its owner can check and accept it.

use alloy_primitives::Address;

use super::{core::Engine, error::EngineError, withdraw::owned_as_wrapped};
use crate::{
    domain::{
        job::{Account, JobId, JobStatus},
        onchain::Asset,
        units::{Amount, Usd},
    },
    ports::Market,
    store::{
        StoreError,
        adoption::{self, Adjusted, Adoption},
        jobs::{self, CommandError, Filter, Job},
        orders::{self, Order},
        repairs, signers,
    },
};

/// Tokens of a job that the wallet holds and the ledger does not explain.
#[derive(Debug, Clone)]
pub struct Unexplained {
    /// The job that trades them.
    pub job: Job,
    /// What the wallet holds beyond what the job tracks, base units, above zero.
    pub surplus: Amount,
}

impl Unexplained {
    /// The surplus in whole tokens, with the ticker.
    #[must_use]
    pub fn whole(&self) -> String {
        let token = &self.job.token;
        format!("{} {}", self.surplus.to_whole(token.decimals), token.symbol)
    }
}

/// The history and balances of a wallet, next to what this database knows.
#[derive(Debug, Clone)]
pub struct Past {
    /// The account.
    pub account: Account,
    /// Transactions that the chain has of it.
    pub chain_nonce: u64,
    /// The nonce this database would take next; `None`: it does not know the wallet.
    pub ours: Option<u64>,
    /// Native coins, base units.
    pub native: Amount,
    /// Tokens that no job explains.
    pub unexplained: Vec<Unexplained>,
}

impl Past {
    /// Whether the chain has transactions of the wallet that this database does not know.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.chain_nonce > self.ours.unwrap_or_default()
    }
}

impl Engine {
    /// Looks at a wallet's past. Transactions that are still pending are an error: what they do is not known yet.
    ///
    /// # Errors
    /// [`CommandError::Chain`] if the chain does not say, or transactions are pending; [`CommandError`].
    pub async fn past(&self, account: &Account) -> Result<Past, CommandError> {
        let market = self.markets.market(account).await.map_err(unreadable)?;
        let first = market.chain.first_nonce(account.wallet).await;
        let Some(chain_nonce) = first.map_err(unreadable)? else {
            return Err(CommandError::Chain(format!(
                "transactions of wallet {} are pending; wait until they are mined",
                account.wallet
            )));
        };
        let balances = market.chain.balances(account.wallet, &[Asset::Native]).await;
        let native = balances.map_err(unreadable)?.first().copied().unwrap_or_default();
        let known = signers::find(&self.pool, account).await?;
        Ok(Past {
            account: account.clone(),
            chain_nonce,
            ours: known.map(|known| known.next_nonce),
            native,
            unexplained: self.unexplained(account, &market).await?,
        })
    }

    /// Takes a wallet's past over: its next nonce is the chain's. Jobs that run and whose tokens the ledger does not
    /// explain are paused before. Says what was done, a line each.
    ///
    /// # Errors
    /// [`CommandError`]; what was done before it stays done.
    pub async fn adopt(&self, past: &Past, actor: &str) -> Result<Vec<String>, CommandError> {
        let mut done = self.pause_unexplained(&past.account, actor).await?;
        adoption::register(&self.pool, &past.account, past.chain_nonce).await?;
        let rows = repairs::signers(&self.pool).await?;
        let row = rows.into_iter().find(|row| row.account == past.account);
        let wallet = past.account.wallet;
        let moved = match row {
            Some(row) if row.next_nonce < past.chain_nonce || row.halted.is_some() => {
                let to = past.chain_nonce.max(row.next_nonce);
                repairs::advance(&self.pool, &row, to).await?
            }
            Some(_) => true,
            None => false,
        };
        done.push(if moved {
            format!("wallet {wallet}: continues with nonce {}", past.chain_nonce)
        } else {
            format!("wallet {wallet}: a trade of it is open, or it has changed meanwhile; run this again")
        });
        Ok(done)
    }

    /// Pauses the jobs of a wallet that run and whose tokens the ledger does not explain: a transaction that this
    /// database does not know may have bought them, and the job would buy them again. Says so, a line each.
    ///
    /// # Errors
    /// [`CommandError`].
    pub(super) async fn pause_unexplained(
        &self,
        account: &Account,
        actor: &str,
    ) -> Result<Vec<String>, CommandError> {
        let market = self.markets.market(account).await.map_err(unreadable)?;
        let mut done = Vec::new();
        for found in self.unexplained(account, &market).await? {
            let job = found.job.id;
            let paused = matches!(found.job.status, JobStatus::Running);
            if paused {
                orders::order(&self.pool, job, Order::Pause, actor).await?;
            }
            done.push(format!(
                "job {job}: {}the wallet holds {} more than it tracks, which a transaction that this database does not \
                 know may have bought. If they are this job's: `lgi-mm reconcile --count-in {job} --cost USD`; if they \
                 are not, `lgi-mm resume {job}` continues without them",
                if paused { "PAUSED, because " } else { "" },
                found.whole()
            ));
        }
        Ok(done)
    }

    /// Counts the tokens that a job's wallet holds beyond the ledger into the job's position, at `cost` in USD.
    ///
    /// # Errors
    /// [`CommandError`]; nothing changes then.
    pub async fn count_in(&self, job: JobId, cost: Usd, actor: &str) -> Result<String, CommandError> {
        let surplus = self.surplus(job).await?;
        let adoption = Adoption {
            seen: surplus.job.position.token_balance,
            tokens: surplus.surplus,
            cost,
            is_buy: true,
            key: None,
        };
        Ok(match adoption::adopt(&self.pool, job, &adoption, actor).await? {
            Adjusted::Done | Adjusted::Before(_) => format!(
                "job {job}: {} counted in at a cost of {cost} USD",
                surplus.whole()
            ),
            Adjusted::Changed => {
                format!("job {job}: a trade of it is open, or it has changed meanwhile; run this again")
            }
        })
    }

    /// What a wallet holds of a token, as far as a quorum of nodes attests it, and what open transactions may
    /// take of that.
    ///
    /// # Errors
    /// [`CommandError::Chain`] if the chain does not say.
    pub async fn attested(
        &self,
        account: &Account,
        token: Address,
    ) -> Result<(Amount, Amount), CommandError> {
        let market = self.markets.market(account).await.map_err(unreadable)?;
        let asset = Asset::Token(token);
        let held = market.chain.attested_balance(account.wallet, asset).await;
        // Read afterwards: what is reserved meanwhile was still in the balance.
        let reserved = self.reserved(account).await?;
        let reserved = reserved.get(&asset).copied().unwrap_or_default();
        let mut held = held.map_err(unreadable)?;
        let wrapped = (asset, market.chain.wrapped_native());
        if wrapped.1 == Some(token) {
            let balances = market.chain.balances(account.wallet, &[Asset::Native]).await;
            let native = balances.map_err(unreadable)?.first().copied().unwrap_or_default();
            let jobs = jobs::list(&self.pool, &Filter::default()).await?;
            held =
                held.saturating_sub(owned_as_wrapped(&jobs, account, wrapped, native).map_err(unreadable)?);
        }
        Ok((held, reserved))
    }

    /// What a wallet holds of an asset, the native coin by its own address, as one look says, and what open
    /// transactions may take of that: for what is shown, never for what is signed.
    ///
    /// # Errors
    /// [`CommandError::Chain`] if the chain does not say.
    pub async fn wallet_holds(
        &self,
        account: &Account,
        asset: Address,
    ) -> Result<(Amount, Amount), CommandError> {
        let market = self.markets.market(account).await.map_err(unreadable)?;
        let asset = Asset::of(asset);
        let held = market
            .chain
            .balances(account.wallet, &[asset])
            .await
            .map_err(unreadable)?;
        let reserved = self.reserved(account).await?;
        let of_asset = reserved.get(&asset).copied().unwrap_or_default();
        Ok((held.first().copied().unwrap_or_default(), of_asset))
    }

    /// The tokens that a job's wallet holds beyond the ledger.
    ///
    /// # Errors
    /// [`CommandError`] if there are none, or the chain does not answer.
    pub async fn surplus(&self, job: JobId) -> Result<Unexplained, CommandError> {
        let mut jobs = jobs::by_ids(&self.pool, &[job]).await?;
        let read = jobs.pop().ok_or_else(|| StoreError::NoSuchJob(job.to_string()))?;
        let found = read.map_err(|(_, error)| error)?;
        let market = self.markets.market(&found.account).await.map_err(unreadable)?;
        let unexplained = self.unexplained(&found.account, &market).await?;
        let surplus = unexplained.into_iter().find(|other| other.job.id == job);
        surplus.ok_or_else(|| {
            CommandError::Chain(format!(
                "the wallet holds no more {} than job {job} tracks: there is nothing to count in",
                found.token.symbol
            ))
        })
    }

    async fn unexplained(
        &self,
        account: &Account,
        market: &Market,
    ) -> Result<Vec<Unexplained>, CommandError> {
        let jobs = jobs::list(&self.pool, &Filter::default()).await?;
        let jobs: Vec<Job> = jobs.into_iter().filter(|job| job.account == *account).collect();
        let assets: Vec<Asset> = jobs.iter().map(|job| Asset::Token(job.token.address)).collect();
        if assets.is_empty() {
            return Ok(Vec::new());
        }
        let held = market.chain.balances(account.wallet, &assets).await;
        let held = held.map_err(unreadable)?;
        let found = jobs.into_iter().zip(held).map(|(job, held)| Unexplained {
            surplus: held.saturating_sub(job.position.token_balance),
            job,
        });
        Ok(found.filter(|found| !found.surplus.is_zero()).collect())
    }
}

fn unreadable(error: impl Into<EngineError>) -> CommandError {
    CommandError::Chain(format!(
        "the chain cannot be read: {}; nothing was changed",
        error.into()
    ))
}
