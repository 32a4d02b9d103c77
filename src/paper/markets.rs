//! Paper wallets: opened and funded on first use.

use std::{collections::HashMap, sync::Arc};

use alloy_primitives::{Address, keccak256};
use async_trait::async_trait;
use chrono::DateTime;
use sqlx::{PgConnection, PgPool};
use tokio::sync::{Mutex, RwLock};

use super::{
    chain::PaperChain,
    error::{PaperError, text, to_i64},
    faults::Faults,
    gauge::Gauge,
    mine::{self, balances, write_balances},
    settings::PaperSettings,
    signer::PaperSigner,
    venue::PaperVenue,
};
use crate::store::session::begin;
use crate::{
    domain::{
        Timestamp,
        chains::{self, ChainInfo},
        job::{Account, Realm},
        onchain::Asset,
        units::Amount,
    },
    ports::{Market, Markets, Missing, NoMarket},
};

/// 2020-01-01: block 0 of every paper chain.
const GENESIS_UNIX_SECS: i64 = 1_577_836_800;

/// The wallet of paper jobs that name no other.
#[must_use]
pub fn default_wallet() -> Address {
    Address::from_word(keccak256("lgi-mm paper wallet"))
}

/// How [`PaperMarkets::fund`] changes a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Funding {
    /// Adds this, base units.
    Add(Amount),
    /// Sets this, base units.
    Set(Amount),
}

/// The markets of all paper accounts.
pub struct PaperMarkets {
    pool: PgPool,
    settings: PaperSettings,
    /// Wallets that this process has seen opened.
    open: RwLock<HashMap<Account, Market>>,
    gauges: Mutex<HashMap<String, Arc<Gauge>>>,
}

impl PaperMarkets {
    /// The paper ledger behind `pool`, which should be a pool of its own: the ledger is as far from ours as a
    /// chain is. `settings` must have passed [`PaperSettings::validate`].
    #[must_use]
    pub fn new(pool: PgPool, settings: PaperSettings) -> Self {
        Self {
            pool,
            settings,
            open: RwLock::default(),
            gauges: Mutex::default(),
        }
    }

    /// Injects faults.
    #[must_use]
    pub fn faults(&self) -> Faults {
        Faults::new(self.pool.clone())
    }

    /// Changes a wallet's balance, opening the wallet if needed; returns the new balance.
    ///
    /// # Errors
    /// [`PaperError`]; [`PaperError::Balance`] if the balance would leave its range.
    pub async fn fund(
        &self,
        chain: &str,
        wallet: Address,
        asset: Asset,
        funding: Funding,
    ) -> Result<Amount, PaperError> {
        self.open_wallet(chains::find(chain)?, wallet).await?;
        let mut transaction = begin(&self.pool).await?;
        let Some(mut locked) = mine::lock(&mut transaction, chain, wallet, true).await? else {
            return Err(sqlx::Error::RowNotFound.into());
        };
        locked.mine(&mut transaction).await?;
        let held = balances(&mut transaction, chain, wallet, &[asset]).await?;
        let held = held.get(&asset).copied().unwrap_or(Amount::ZERO);
        let amount = match funding {
            Funding::Add(more) => held.checked_add(more)?,
            Funding::Set(amount) => amount,
        };
        write_balances(&mut transaction, chain, wallet, [(asset, amount)].into_iter()).await?;
        // A transaction that could not pay its gas until now must not appear in a block already read.
        let next_block = locked.clock.next_after(locked.now);
        not_before(&mut transaction, chain, wallet, next_block).await?;
        transaction.commit().await?;
        Ok(amount)
    }

    /// Creates and funds a wallet unless it exists.
    async fn open_wallet(&self, chain: &ChainInfo, wallet: Address) -> Result<(), PaperError> {
        let mut transaction = begin(&self.pool).await?;
        let millis = u64::try_from(self.settings.block_time.std().as_millis()).unwrap_or(u64::MAX);
        sqlx::query!(
            "INSERT INTO paper.chains (name, genesis, block_millis) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
            chain.name,
            DateTime::from_timestamp(GENESIS_UNIX_SECS, 0).unwrap_or(Timestamp::UNIX_EPOCH),
            to_i64("chains.block_millis", millis)?
        )
        .execute(&mut *transaction)
        .await?;
        let opened = sqlx::query!(
            "INSERT INTO paper.wallets (chain, address, next_block_at) VALUES ($1, $2, now())
             ON CONFLICT (chain, address) DO NOTHING",
            chain.name,
            text(wallet)
        )
        .execute(&mut *transaction)
        .await?;
        if opened.rows_affected() == 1 {
            let funds = [
                (Asset::Native, self.settings.wallet_native()),
                (Asset::Token(chain.usdc), self.settings.wallet_usdc()),
            ];
            write_balances(&mut transaction, chain.name, wallet, funds.into_iter()).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// The one gauge of a chain: all its wallets share it.
    async fn gauge(&self, chain: &str) -> Arc<Gauge> {
        let mut gauges = self.gauges.lock().await;
        let gauge = gauges.entry(chain.to_owned());
        Arc::clone(gauge.or_insert_with(|| Arc::new(Gauge::new(self.pool.clone(), chain))))
    }

    async fn open_market(&self, account: &Account) -> Result<Market, PaperError> {
        self.open_wallet(chains::find(&account.chain)?, account.wallet)
            .await?;
        let (pool, chain) = (&self.pool, account.chain.as_str());
        let settings = || self.settings.clone();
        let gauge = self.gauge(chain).await;
        Ok(Market {
            chain: Arc::new(PaperChain::new(pool.clone(), chain, settings(), gauge.clone())),
            venue: Arc::new(PaperVenue::new(pool.clone(), chain, settings(), gauge)),
            signer: Arc::new(PaperSigner::new(chain, account.wallet)),
        })
    }
}

#[async_trait]
impl Markets for PaperMarkets {
    async fn market(&self, account: &Account) -> Result<Market, NoMarket> {
        let no_market = |detail: String| NoMarket {
            account: account.clone(),
            missing: Missing::Chain,
            detail,
        };
        if account.realm != Realm::Paper {
            return Err(no_market("the paper venue trades paper accounts only".into()));
        }
        if let Some(market) = self.open.read().await.get(account) {
            return Ok(market.clone());
        }
        let market = self
            .open_market(account)
            .await
            .map_err(|error| no_market(error.to_string()))?;
        self.open.write().await.insert(account.clone(), market.clone());
        Ok(market)
    }
}

async fn not_before(
    conn: &mut PgConnection,
    chain: &str,
    wallet: Address,
    instant: Timestamp,
) -> Result<(), PaperError> {
    sqlx::query!(
        "UPDATE paper.wallets SET next_block_at = GREATEST(next_block_at, $3) WHERE chain = $1 AND address = $2",
        chain,
        text(wallet),
        instant
    )
    .execute(conn)
    .await?;
    Ok(())
}
