//! The markets of live accounts: a chain, its venue and an unlocked key.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use sqlx::PgPool;
use tokio::sync::{Mutex, OnceCell};

use super::{
    evm::EvmChain,
    keystore::{KeyError, KeySource, SecretText},
    prices::OnchainPrices,
    rpc::Rpc,
    settings::{ChainSpec, InvalidChain},
    signer::LocalSigner,
    uniswap::UniswapVenue,
};
use crate::{
    domain::job::{Account, Realm},
    ports::{Chain, Market, Markets, NoMarket, Venue},
};

/// One chain that this process can trade on.
#[derive(Clone)]
pub struct LiveChain {
    /// What it is.
    pub spec: Arc<ChainSpec>,
    /// Its nodes.
    pub rpc: Rpc,
    /// Where transactions settle.
    pub chain: Arc<EvmChain>,
    /// Where swaps are quoted.
    pub venue: Arc<dyn Venue>,
    /// What its pools and feeds say of prices.
    pub prices: Arc<OnchainPrices>,
}

/// Every chain with a node to ask, by name.
pub type LiveChains = BTreeMap<String, LiveChain>;

/// Makes the chains of `specs`; no node is asked anything yet. `ledger` remembers pools.
///
/// # Errors
/// [`reqwest::Error`] if the system's certificates cannot be used.
pub fn open_chains(specs: Vec<Arc<ChainSpec>>, ledger: &PgPool) -> Result<LiveChains, reqwest::Error> {
    let mut chains = LiveChains::new();
    for spec in specs {
        let (rpc, private) = (Rpc::new(&spec)?, Rpc::private(&spec)?);
        let prices = Arc::new(OnchainPrices::new(rpc.clone(), spec.clone()));
        let live = LiveChain {
            chain: Arc::new(EvmChain::new(rpc.clone(), private, spec.clone(), prices.clone())),
            venue: Arc::new(UniswapVenue::new(rpc.clone(), spec.clone(), ledger.clone())),
            prices,
            spec,
            rpc,
        };
        chains.insert(live.spec.name.clone(), live);
    }
    Ok(chains)
}

/// The markets of all live accounts.
pub struct LiveMarkets {
    chains: LiveChains,
    keys: KeySource,
    /// A password that somebody typed.
    typed: OnceLock<SecretText>,
    /// Opening a keystore takes a while on purpose; each is opened once.
    open: Mutex<HashMap<Account, Arc<OnceCell<Market>>>>,
}

/// What is missing for a live account.
#[derive(Debug, thiserror::Error)]
enum LiveError {
    /// No node.
    #[error(transparent)]
    Chain(#[from] InvalidChain),
    /// No key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl LiveMarkets {
    /// Markets on `chains` with the keys of `keys`; nothing is opened yet.
    #[must_use]
    pub fn new(chains: LiveChains, keys: KeySource) -> Self {
        Self {
            chains,
            keys,
            typed: OnceLock::new(),
            open: Mutex::default(),
        }
    }

    /// Where keys are.
    #[must_use]
    pub const fn keys(&self) -> &KeySource {
        &self.keys
    }

    /// Takes a password that was typed; the first one stays.
    pub fn take_password(&self, password: SecretText) {
        // A second one would be for the same keystore.
        let _ = self.typed.set(password);
    }

    /// Every chain there is a node for.
    #[must_use]
    pub const fn chains(&self) -> &LiveChains {
        &self.chains
    }

    /// The chain called `name`.
    ///
    /// # Errors
    /// [`InvalidChain::NoRpc`] if nobody can be asked.
    pub fn chain(&self, name: &str) -> Result<&LiveChain, InvalidChain> {
        self.chains
            .get(name)
            .ok_or_else(|| InvalidChain::NoRpc(name.to_owned()))
    }

    async fn open(&self, account: &Account) -> Result<Market, LiveError> {
        let live = self.chain(&account.chain)?;
        let mut keys = self.keys.clone();
        if let Some(typed) = self.typed.get() {
            keys.password = Some(typed.clone());
        }
        let wallet = account.wallet;
        let signer = match keys.kms.get(&wallet) {
            Some(kms) => LocalSigner::with(kms.open(wallet).await?, live.spec.chain_id),
            None => {
                // Key derivation would hold up every other task of its thread.
                let key = tokio::task::spawn_blocking(move || keys.unlock(wallet)).await;
                let key = key.unwrap_or(Err(KeyError::NoPassword(wallet)))?;
                LocalSigner::new(key, live.spec.chain_id)
            }
        };
        Ok(Market {
            chain: live.chain.clone() as Arc<dyn Chain>,
            venue: live.venue.clone(),
            signer: Arc::new(signer),
        })
    }
}

#[async_trait]
impl Markets for LiveMarkets {
    async fn market(&self, account: &Account) -> Result<Market, NoMarket> {
        // The lock is not held while a key is derived: other wallets go on.
        let place = self.open.lock().await.entry(account.clone()).or_default().clone();
        let market = place.get_or_try_init(|| self.open(account)).await;
        market.cloned().map_err(|error| NoMarket {
            account: account.clone(),
            detail: error.to_string(),
        })
    }
}

/// Paper and live side by side: an account's realm says which.
pub struct Realms {
    /// Invented money.
    pub paper: Arc<dyn Markets>,
    /// Real money.
    pub live: Arc<LiveMarkets>,
}

#[async_trait]
impl Markets for Realms {
    async fn market(&self, account: &Account) -> Result<Market, NoMarket> {
        match account.realm {
            Realm::Paper => self.paper.market(account).await,
            Realm::Live => self.live.market(account).await,
        }
    }
}
