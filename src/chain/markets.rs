//! Markets of live accounts: chain, venue and unlocked key.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex as StdMutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use alloy_primitives::Address;
use async_trait::async_trait;
use sqlx::PgPool;
use tokio::sync::{Mutex, OnceCell};
use tracing::error;

use super::{
    dex::BestOf,
    evm::EvmChain,
    keystore::{KeyError, KeySource, SecretText},
    policy::{PolicyBook, PolicySigner, appraiser::Appraiser},
    prices::OnchainPrices,
    rpc::Rpc,
    settings::{ChainSpec, InvalidChain},
    signer::LocalSigner,
};
use crate::{
    domain::job::{Account, Realm},
    ports::{Chain, Market, Markets, Missing, NoMarket, PoolPrices, Venue},
};

/// Delay before a key that failed to open is tried again. Each attempt costs about a second of CPU, and every slot of
/// every job of the wallet would repeat it.
const SHUT: Duration = Duration::from_secs(30);

/// One chain that this process can trade on.
#[derive(Clone)]
pub struct LiveChain {
    /// Settings.
    pub spec: Arc<ChainSpec>,
    /// Its nodes.
    pub rpc: Rpc,
    /// The relay that takes its transactions instead.
    pub private: Option<Rpc>,
    /// Chain port.
    pub chain: Arc<EvmChain>,
    /// Venue port.
    pub venue: Arc<dyn Venue>,
    /// The same venue, for looking at pools.
    pub pools: BestOf,
    /// Prices from its pools and feeds.
    pub prices: Arc<OnchainPrices>,
}

/// Chains that have an RPC URL, by name.
pub type LiveChains = BTreeMap<String, LiveChain>;

/// Builds the chains of `specs` without contacting a node. `ledger` stores known pools.
///
/// # Errors
/// [`reqwest::Error`] if the system's certificates cannot be used.
pub fn open_chains(specs: Vec<Arc<ChainSpec>>, ledger: &PgPool) -> Result<LiveChains, reqwest::Error> {
    let mut chains = LiveChains::new();
    for spec in specs {
        let (rpc, private) = (Rpc::new(&spec)?, Rpc::private(&spec)?);
        let venue = BestOf::new(rpc.clone(), spec.clone(), ledger.clone());
        let prices = OnchainPrices::sharing(venue.search(), rpc.clone(), spec.clone());
        let prices = Arc::new(prices);
        let live = LiveChain {
            chain: Arc::new(EvmChain::new(
                rpc.clone(),
                private.clone(),
                spec.clone(),
                prices.clone(),
            )),
            pools: venue.clone(),
            venue: Arc::new(venue),
            prices,
            spec,
            rpc,
            private,
        };
        chains.insert(live.spec.name.clone(), live);
    }
    Ok(chains)
}

/// The single nodes of each chain with real money, as price sources: two of them must agree on a price that has only
/// one source. Custom chains, such as the devnet, need none.
///
/// # Errors
/// [`reqwest::Error`] if the system's certificates cannot be used.
pub fn price_witnesses(
    chains: &LiveChains,
) -> Result<BTreeMap<String, Vec<Arc<dyn PoolPrices>>>, reqwest::Error> {
    let mut witnesses = BTreeMap::new();
    for (name, live) in chains.iter().filter(|(_, live)| live.spec.is_known()) {
        let mut nodes: Vec<Arc<dyn PoolPrices>> = Vec::new();
        for spec in live.spec.node_by_node() {
            let spec = Arc::new(spec);
            nodes.push(Arc::new(live.prices.witness(Rpc::new(&spec)?, spec)));
        }
        witnesses.insert(name.clone(), nodes);
    }
    Ok(witnesses)
}

/// Opens the markets of live accounts.
pub struct LiveMarkets {
    chains: LiveChains,
    keys: KeySource,
    policy: Arc<PolicyBook>,
    /// Password typed on the terminal.
    typed: OnceLock<SecretText>,
    /// Opened keys. Key derivation is slow by design, so each keystore is opened once.
    open: Mutex<HashMap<Account, Arc<OnceCell<Market>>>>,
    /// Keys that recently failed to open: when and why.
    shut: StdMutex<HashMap<Address, (Instant, String)>>,
}

impl LiveMarkets {
    /// Markets on `chains` with the keys of `keys`, which sign what `policy` allows. Opens nothing yet.
    #[must_use]
    pub fn new(chains: LiveChains, keys: KeySource, policy: Arc<PolicyBook>) -> Self {
        for (name, live) in &chains {
            let (name, policy) = (name.clone(), policy.clone());
            let named = move |wallet, router| policy.names(&name, wallet, router);
            live.pools.search().obey(Arc::new(named));
        }
        Self {
            chains,
            keys,
            policy,
            typed: OnceLock::new(),
            open: Mutex::default(),
            shut: StdMutex::default(),
        }
    }

    /// Source of keys.
    #[must_use]
    pub const fn keys(&self) -> &KeySource {
        &self.keys
    }

    /// The signing policy.
    #[must_use]
    pub const fn policy(&self) -> &Arc<PolicyBook> {
        &self.policy
    }

    /// Accepts a typed password; only the first one is kept.
    pub fn take_password(&self, password: SecretText) {
        // Further passwords would be for the same keystore.
        let _ = self.typed.set(password);
    }

    /// All chains that have an RPC URL.
    #[must_use]
    pub const fn chains(&self) -> &LiveChains {
        &self.chains
    }

    /// The chain called `name`.
    ///
    /// # Errors
    /// [`InvalidChain::NoRpc`] if no node is configured.
    pub fn chain(&self, name: &str) -> Result<&LiveChain, InvalidChain> {
        self.chains
            .get(name)
            .ok_or_else(|| InvalidChain::NoRpc(name.to_owned()))
    }

    async fn open(&self, account: &Account) -> Result<Market, NoMarket> {
        let missing = |missing, detail: String| NoMarket {
            account: account.clone(),
            missing,
            detail,
        };
        let live = self
            .chain(&account.chain)
            .map_err(|error| missing(Missing::Chain, error.to_string()))?;
        let signer = self
            .signer(account.wallet, live.spec.chain_id)
            .await
            .map_err(|detail| missing(Missing::Key, detail))?;
        Ok(Market {
            chain: live.chain.clone() as Arc<dyn Chain>,
            venue: live.venue.clone(),
            // The policy applies to every kind of key.
            signer: Arc::new(PolicySigner::new(
                Arc::new(signer),
                self.policy.clone(),
                live.spec.name.clone(),
                live.spec.chain_id,
                live.prices.clone() as Arc<dyn Appraiser>,
            )),
        })
    }

    /// The signer of the wallet, or why it cannot be opened.
    async fn signer(&self, wallet: Address, chain_id: u64) -> Result<LocalSigner, String> {
        if let Some(why) = self.known_shut(wallet) {
            return Err(why);
        }
        let mut keys = self.keys.clone();
        if let Some(typed) = self.typed.get() {
            keys.password = Some(typed.clone());
        }
        let opened = match keys.kms.get(&wallet) {
            Some(kms) => kms.open(wallet).await.map(|key| LocalSigner::with(key, chain_id)),
            None => {
                // Key derivation would block other tasks of this thread.
                let key = tokio::task::spawn_blocking(move || keys.unlock(wallet)).await;
                let key = key.unwrap_or(Err(KeyError::Stopped(wallet)));
                key.map(|key| LocalSigner::new(key, chain_id))
            }
        };
        opened.map_err(|error| {
            let why = error.to_string();
            error!(%wallet, error = why, "the key cannot be used: jobs of this wallet hold, all others continue");
            let mut shut = self.shut.lock().unwrap_or_else(PoisonError::into_inner);
            shut.insert(wallet, (Instant::now(), why.clone()));
            why
        })
    }

    fn known_shut(&self, wallet: Address) -> Option<String> {
        let shut = self.shut.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, why) = shut.get(&wallet)?;
        (at.elapsed() < SHUT).then(|| why.clone())
    }
}

#[async_trait]
impl Markets for LiveMarkets {
    async fn market(&self, account: &Account) -> Result<Market, NoMarket> {
        // The lock is not held during key derivation, so other wallets continue.
        let place = self.open.lock().await.entry(account.clone()).or_default().clone();
        place.get_or_try_init(|| self.open(account)).await.cloned()
    }
}

/// Selects paper or live markets by the account's realm.
pub struct Realms {
    /// Simulated trading.
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
