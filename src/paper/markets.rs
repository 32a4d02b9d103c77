//! Paper wallets: opened and funded on first use.

use std::{collections::HashMap, sync::Arc};

use alloy_primitives::{Address, keccak256};
use async_trait::async_trait;
use sqlx::{PgConnection, PgPool};
use tokio::sync::{Mutex, RwLock};

use super::{
    chain::PaperChain,
    error::{PaperError, text},
    faults::Faults,
    lock::lock,
    mine::{self, balances, write_balances},
    node::Node,
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
    nodes: Mutex<HashMap<&'static str, Arc<Node>>>,
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
            nodes: Mutex::default(),
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
        self.node(chains::find(chain)?).await.open_all(&[wallet]).await?;
        let mut transaction = begin(&self.pool).await?;
        let mut locked = lock(&mut transaction, chain, &[wallet], true).await?;
        mine::mine(&mut transaction, chain, &mut locked).await?;
        let Some(locked) = locked.first() else {
            return Err(sqlx::Error::RowNotFound.into());
        };
        let held = balances(&mut transaction, chain, &[wallet], [asset]).await?;
        let held = held.get(&wallet).and_then(|held| held.get(&asset)).copied();
        let held = held.unwrap_or(Amount::ZERO);
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

    /// The one node of a chain: all its wallets share it.
    async fn node(&self, chain: &'static ChainInfo) -> Arc<Node> {
        let mut nodes = self.nodes.lock().await;
        let new = || Arc::new(Node::new(self.pool.clone(), chain, self.settings.clone()));
        Arc::clone(nodes.entry(chain.name).or_insert_with(new))
    }

    async fn open_market(&self, account: &Account) -> Result<Market, String> {
        let chain = chains::find(&account.chain).map_err(|error| error.to_string())?;
        let node = self.node(chain).await;
        node.open(account.wallet).await.map_err(|error| error.detail)?;
        Ok(Market {
            chain: Arc::new(PaperChain::new(node.clone())),
            venue: Arc::new(PaperVenue::new(node)),
            signer: Arc::new(PaperSigner::new(&account.chain, account.wallet)),
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
        let market = self.open_market(account).await.map_err(no_market)?;
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
