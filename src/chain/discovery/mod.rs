//! Finds every Uniswap V4 pool of a token, without a key and without a third party: by the pool manager's own logs,
//! from the token's creation on, and by the views of launchpads. The logs of other exchanges' factories tell how old
//! their young pools are. What is found is kept in the database for good, since
//! a key never changes and is proven by its hash. A search takes a bounded number of requests at a time, and one
//! process does it for all.

mod factories;
mod fees;
mod logs;
mod proof;
mod ranges;
mod views;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex as StdMutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256};
use sqlx::PgPool;
use tokio::sync::OnceCell;
use tracing::{debug, warn};

pub(crate) use self::fees::USUAL as USUAL_V3_FEES;
use self::logs::{Progress, Scan};
use super::{rpc::Rpc, settings::ChainSpec};
use crate::{
    domain::{Timestamp, pool::NATIVE, span::Span},
    store::v4_pools::{self, FoundBy, V4Pool},
};

/// Requests of the first search of a token, and of each later one.
const FIRST_REQUESTS: u32 = 48;
const LATER_REQUESTS: u32 = 8;
/// Until the next search, while blocks are left to read, and when all were read.
const PAUSE_READING: Span = Span::from_secs(60);
const PAUSE_DONE: Span = Span::from_secs(600);
/// How long a caller waits for the first search of a token; it continues in the background.
const FIRST_PATIENCE: Duration = Duration::from_secs(20);

/// What is known of the pools of one chain. Shared by all that search there.
pub(crate) struct Discovery {
    rpc: Rpc,
    spec: Arc<ChainSpec>,
    /// `None`: nothing is searched or known.
    ledger: Option<PgPool>,
    tokens: StdMutex<HashMap<Address, Token>>,
    /// Blocks that one request may cover, as the nodes taught; zero: any.
    span: AtomicU64,
    fees: OnceCell<Vec<u32>>,
}

/// A token whose pools were asked for.
struct Token {
    pools: Arc<Vec<V4Pool>>,
    /// When young pools of other exchanges were made, by their addresses.
    made: Arc<HashMap<Address, Timestamp>>,
    /// When its pools are asked for again, of the database or of the chain.
    due: Instant,
    searched: bool,
}

impl Discovery {
    /// Discovery on `spec`'s chain through `rpc`, which `ledger` remembers.
    pub(crate) fn new(rpc: Rpc, spec: Arc<ChainSpec>, ledger: Option<PgPool>) -> Self {
        Self {
            rpc,
            spec,
            ledger,
            tokens: StdMutex::default(),
            span: AtomicU64::new(0),
            fees: OnceCell::new(),
        }
    }

    /// Every V4 pool that is known of `token`. The first call of a token searches; later ones search on in the
    /// background. Nothing for an asset that jobs pay with: half the chain's pools have it.
    pub(crate) async fn pools(self: &Arc<Self>, token: Address) -> Arc<Vec<V4Pool>> {
        let Some(ledger) = self.ledger.clone().filter(|_| self.is_searched(token)) else {
            return Arc::default();
        };
        let (known, due, searched) = self.known(token);
        if !due {
            return known;
        }
        let this = self.clone();
        let search = tokio::spawn(async move { this.look(&ledger, token).await });
        if searched {
            return known;
        }
        // The search continues if the caller leaves.
        match tokio::time::timeout(FIRST_PATIENCE, search).await {
            Ok(_) => self.known(token).0,
            Err(_) => known,
        }
    }

    /// When young pools of `token` were made on other exchanges, by their addresses, as far as [`Discovery::pools`] has
    /// searched. One that is not named is old, or unknown.
    pub(crate) fn made(&self, token: Address) -> Arc<HashMap<Address, Timestamp>> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens
            .get(&token)
            .map(|token| token.made.clone())
            .unwrap_or_default()
    }

    /// Searches on for `token` until all blocks are read or the requests are used up, whether or not it is due.
    /// Returns how far the logs were read.
    pub(crate) async fn search_now(self: &Arc<Self>, token: Address) -> SearchState {
        let Some(ledger) = self.ledger.clone().filter(|_| self.is_searched(token)) else {
            return SearchState::default();
        };
        let done = self.read_on(&ledger, token, FIRST_REQUESTS).await;
        self.reload(&ledger, token).await;
        match done {
            Ok(state) => state,
            Err(error) => SearchState {
                problem: Some(error),
                ..SearchState::default()
            },
        }
    }

    /// Takes ids of pools that an API lists, and keeps those whose key is found and proven.
    pub(crate) async fn hint(self: &Arc<Self>, token: Address, ids: &[B256]) {
        let Some(ledger) = self.ledger.clone().filter(|_| self.is_searched(token)) else {
            return;
        };
        match views::by_id(&self.rpc, &self.spec, ids).await {
            Ok(found) if found.is_empty() => {}
            Ok(found) => {
                self.keep(&ledger, token, &found).await;
                self.reload(&ledger, token).await;
            }
            Err(error) => debug!(%token, error, "the pools that a listing names cannot be read"),
        }
    }

    /// The fees that the V3 factory enabled beyond the usual ones, hundredths of a basis point; asked once a process.
    pub(crate) async fn odd_v3_fees(&self) -> Vec<u32> {
        if self.ledger.is_none() {
            return Vec::new();
        }
        let ask = || fees::odd(&self.rpc, &self.spec);
        match self.fees.get_or_try_init(ask).await {
            Ok(fees) => fees.clone(),
            Err(error) => {
                debug!(error, "the fees of V3 pools cannot be read");
                Vec::new()
            }
        }
    }

    fn is_searched(&self, token: Address) -> bool {
        let paid_with = [NATIVE, self.spec.wrapped_native, self.spec.usdc];
        !self.spec.contracts.v4_pool_manager.is_zero() && !paid_with.contains(&token)
    }

    /// What is known, and whether it is time to ask again; only one caller gets that answer.
    fn known(&self, token: Address) -> (Arc<Vec<V4Pool>>, bool, bool) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let known = tokens.entry(token).or_insert_with(|| Token {
            pools: Arc::default(),
            made: Arc::default(),
            due: now,
            searched: false,
        });
        let due = known.due <= now;
        if due {
            known.due = now + PAUSE_READING.std();
        }
        (known.pools.clone(), due, known.searched)
    }

    /// One search, if no other process has just done it, and what all of them found.
    async fn look(&self, ledger: &PgPool, token: Address) {
        match v4_pools::take_turn(ledger, &self.spec.name, token, PAUSE_READING).await {
            Ok(Some(turn)) => {
                let most = match turn.next_block {
                    None => FIRST_REQUESTS,
                    Some(_) => LATER_REQUESTS,
                };
                if let Err(error) = self.read_on(ledger, token, most).await {
                    debug!(%token, error, "the logs of pools cannot be read now");
                }
            }
            Ok(None) => {}
            Err(error) => warn!(%error, "the pools of a token cannot be searched"),
        }
        self.reload(ledger, token).await;
    }

    async fn reload(&self, ledger: &PgPool, token: Address) {
        match v4_pools::of_token(ledger, &self.spec.name, token).await {
            Ok(pools) => {
                let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(known) = tokens.get_mut(&token) {
                    let (others, pools): (Vec<V4Pool>, Vec<V4Pool>) = pools
                        .into_iter()
                        .partition(|pool| pool.found_by == FoundBy::Factory);
                    let made = |pool: &V4Pool| Some((Address::from_word(pool.id), pool.created_at?));
                    known.made = Arc::new(others.iter().filter_map(made).collect());
                    known.pools = Arc::new(pools);
                    known.searched = true;
                }
            }
            Err(error) => warn!(%error, "the pools of a token cannot be read"),
        }
    }

    async fn read_on(&self, ledger: &PgPool, token: Address, requests: u32) -> Result<SearchState, String> {
        let chain = &self.spec.name;
        let from = v4_pools::read_to(ledger, chain, token).await;
        let from = from.map_err(|error| error.to_string())?;
        if from.is_none() {
            let found = views::launchpads(&self.rpc, &self.spec, token).await;
            match found {
                Ok(found) => self.keep(ledger, token, &found).await,
                Err(error) => debug!(%token, error, "launchpads cannot be asked"),
            }
        }
        let scan = Scan {
            rpc: &self.rpc,
            spec: &self.spec,
            token,
            requests,
            span: self.span.load(Ordering::Relaxed),
        };
        let Progress {
            found,
            next_block,
            head,
            span,
            problem,
        } = scan.run(from).await?;
        self.span.store(span, Ordering::Relaxed);
        self.keep(ledger, token, &found).await;
        let done = next_block.is_some_and(|next| next > head.saturating_sub(logs::UNSETTLED));
        if let Some(next) = next_block {
            let pause = if done { PAUSE_DONE } else { PAUSE_READING };
            // Blocks that may still be reorged out are read again.
            let settled = next.min(head.saturating_sub(logs::UNSETTLED));
            let advanced = v4_pools::advance(ledger, chain, token, settled, pause).await;
            advanced.map_err(|error| error.to_string())?;
        }
        Ok(SearchState {
            next_block,
            head,
            done,
            problem,
        })
    }

    async fn keep(&self, ledger: &PgPool, token: Address, found: &[V4Pool]) {
        for pool in found {
            let (one, other) = pool.currencies;
            if one != token && other != token {
                continue;
            }
            if let Err(error) = v4_pools::keep(ledger, &self.spec.name, pool).await {
                warn!(%error, "a pool that was found cannot be kept");
            }
        }
    }
}

/// How far a search is.
#[derive(Debug, Clone, Default)]
pub struct SearchState {
    /// The next block to read; `None`: no log could be read.
    pub next_block: Option<u64>,
    /// The newest block.
    pub head: u64,
    /// Whether all blocks were read.
    pub done: bool,
    /// Why the logs could not be read on.
    pub problem: Option<String>,
}
