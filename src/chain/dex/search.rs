//! The best pool of a pair: every candidate is asked in one round trip, and the answer is kept for a while.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use alloy_primitives::{Address, U256};
use tokio::sync::{Mutex, OnceCell};
use tracing::info;

pub(crate) use super::offers::Offer;
use super::{
    api::{Dex, Route},
    assets::{Pair, is_foreign, pair_of},
    data_price::DataPrice,
    list::{DEXES, route},
    offers,
    reverted::Reverted,
    uniswap_v3,
};
use crate::{
    chain::{
        discovery::Discovery,
        error::CallError,
        multicall::{Read, Reading, read_all},
        pool_key,
        rpc::Rpc,
        settings::ChainSpec,
    },
    domain::{Timestamp, onchain::Launched, pool::Pool, router::ExtraRouter, span::Span},
    store::v4_pools::{FoundBy, V4Pool},
};

/// A pool found longer ago is searched for again.
pub(crate) const FOUND_FOR: Duration = Duration::from_secs(600);

/// How long a pool that failed where another one worked is no source of prices.
const SHUNNED_FOR: Duration = Duration::from_secs(3_600);

/// V4 pools of a pair that are asked, at most: anyone can make as many as they like. Half of them are the oldest, which
/// nobody can make afterwards, and half the deepest.
const V4_POOLS_MAX: usize = 48;

/// Pools by token and quote, and when they were found.
type Found = HashMap<Pair, (Pool, Instant)>;

/// Pools of a token and a quote that failed, and when.
type Shunned = HashMap<(Pair, Pool), Instant>;

/// For whom pools are looked at: a key signs for a router beyond Uniswap's only if its policy entry names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// For the owner, who wants to see all.
    Owner,
    /// For all wallets of the chain: what any of them may trade in.
    Chain,
    /// For one wallet.
    Wallet(Address),
}

/// Whether the policy names a router: for a wallet, or for any if there is none.
pub(crate) type RouterRule = Arc<dyn Fn(Option<Address>, ExtraRouter) -> bool + Send + Sync>;

/// Routes of pairs, and until when they count.
type Paths = HashMap<Pair, (Vec<Pool>, Instant)>;

/// What a unit of gas costs, and what data costs besides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GasPrice {
    /// Wei for a unit.
    pub(super) wei: U256,
    /// The coin's price by its feed, 10^-8 dollars; zero: not known. It only orders routes.
    pub(super) coin: U256,
    /// What an L2 takes for data; `None`: nothing, or not known.
    pub(super) data: Option<DataPrice>,
}

/// The price of gas, and when it was asked.
type GasKept = Option<(Instant, GasPrice)>;

/// Asks pools, and remembers the best in process.
#[derive(Clone)]
pub(crate) struct Search {
    pub(crate) rpc: Rpc,
    pub(crate) spec: Arc<ChainSpec>,
    found: Arc<Mutex<Found>>,
    /// Pools as this process wrote them into the ledger.
    recorded: Arc<Mutex<HashMap<Pair, Pool>>>,
    /// Pools that quote and cannot be traded in, and when that was seen.
    shunned: Arc<Mutex<Shunned>>,
    /// Pools that swaps were made for.
    reverted: Reverted,
    /// Routes through connectors.
    pub(super) paths: Arc<Mutex<Paths>>,
    /// What a unit of gas costs.
    pub(super) gas: Arc<Mutex<GasKept>>,
    members: Arc<[Member]>,
    /// What the policy says of routers; until it is set, any may be used.
    routers: Arc<OnceLock<RouterRule>>,
    pub(crate) discovery: Arc<Discovery>,
}

/// A DEX, and whether its precondition holds once that was read.
struct Member {
    dex: &'static dyn Dex,
    usable: OnceCell<bool>,
}

impl Search {
    pub(crate) fn new(rpc: Rpc, spec: Arc<ChainSpec>, discovery: Arc<Discovery>) -> Self {
        let members = DEXES.iter().map(|dex| Member {
            dex: *dex,
            usable: OnceCell::new(),
        });
        Self {
            rpc,
            spec,
            found: Arc::default(),
            recorded: Arc::default(),
            shunned: Arc::default(),
            reverted: Reverted::default(),
            paths: Arc::default(),
            gas: Arc::default(),
            members: members.collect(),
            routers: Arc::default(),
            discovery,
        }
    }

    /// Another search by the same rule and with the same knowledge of which pools there are.
    pub(crate) fn sibling(&self, rpc: Rpc, spec: Arc<ChainSpec>) -> Self {
        Self {
            routers: self.routers.clone(),
            ..Self::new(rpc, spec, self.discovery.clone())
        }
    }

    /// Pools are passed over whose router `rule` does not name; the first rule counts, for all copies of this search.
    pub(crate) fn obey(&self, rule: RouterRule) {
        // A second one would be the same policy again.
        let _ = self.routers.set(rule);
    }

    /// Whether `asker` may trade in `pool`, as far as its router is concerned.
    pub(crate) fn permits(&self, asker: Asker, pool: &Pool) -> bool {
        let (Some(router), Some(named)) = (pool.extra_router(), self.routers.get()) else {
            return true;
        };
        match asker {
            Asker::Owner => true,
            Asker::Chain => named(None, router),
            Asker::Wallet(wallet) => named(Some(wallet), router),
        }
    }

    /// The routers whose pools `asker` passes over between the two.
    pub(crate) fn passed_over(
        &self,
        asker: Asker,
        token_in: Address,
        token_out: Address,
    ) -> BTreeSet<ExtraRouter> {
        let pools = DEXES
            .iter()
            .flat_map(|dex| dex.candidates(&self.spec, token_in, token_out));
        pools
            .filter(|pool| !self.permits(asker, pool))
            .filter_map(|pool| pool.extra_router())
            .collect()
    }

    /// The pool recently found for a pair of token and quote.
    pub(crate) async fn known(&self, pair: Pair) -> Option<Pool> {
        let found = self.found.lock().await;
        found
            .get(&pair)
            .filter(|(_, at)| at.elapsed() < FOUND_FOR)
            .map(|(pool, _)| *pool)
    }

    /// The pool that was found last for a pair, however long ago.
    pub(crate) async fn last(&self, pair: Pair) -> Option<Pool> {
        self.found.lock().await.get(&pair).map(|(pool, _)| *pool)
    }

    /// Whether the ledger has `pool` as that of the pair, as far as this process knows; from now on it does.
    pub(crate) async fn record(&self, pair: Pair, pool: Pool) -> bool {
        self.recorded.lock().await.insert(pair, pool) == Some(pool)
    }

    /// Keeps what was found for a pair; does not make an older find younger.
    pub(crate) async fn keep(&self, pair: Pair, pool: Pool) {
        let mut found = self.found.lock().await;
        match found.get(&pair) {
            Some((known, at)) if *known == pool && at.elapsed() < FOUND_FOR => {}
            _ => {
                found.insert(pair, (pool, Instant::now()));
            }
        }
    }

    /// A find that does not trade any more.
    pub(crate) async fn forget(&self, pair: Pair) {
        self.found.lock().await.remove(&pair);
    }

    /// Takes pools that failed where another worked from the pair's sources of prices: the best quote of all is often
    /// that of a pool that cannot be traded in.
    pub(crate) async fn shun(&self, pair: Pair, pools: &[Pool]) {
        let mut shunned = self.shunned.lock().await;
        shunned.retain(|_, at| at.elapsed() < SHUNNED_FOR);
        shunned.extend(pools.iter().map(|pool| ((pair, *pool), Instant::now())));
        drop(shunned);
        if self.known(pair).await.is_some_and(|known| pools.contains(&known)) {
            self.forget(pair).await;
        }
    }

    /// Calls of a swap were made for this pool.
    pub(super) async fn made_for(&self, pair: Pair, pool: Pool) {
        self.reverted.made_for(pair, pool).await;
    }

    /// A swap of two assets reverted in a block: a pool to which that happens again comes last for a while.
    pub(super) async fn has_reverted(&self, pair: Pair) {
        if let Some(pool) = self.reverted.again(pair, Instant::now()).await {
            info!(
                ?pool,
                "swaps in this pool revert, although they work when they are tried: others come first"
            );
            self.shun(pair, &[pool]).await;
        }
    }

    /// Whether a pool recently failed where another worked.
    pub(crate) async fn is_shunned(&self, pair: Pair, pool: Pool) -> bool {
        let shunned = self.shunned.lock().await;
        let at = shunned.get(&(pair, pool));
        at.is_some_and(|at| at.elapsed() < SHUNNED_FOR)
    }

    /// The pools of a pair that recently failed where another one worked.
    pub(super) async fn shunned_of(&self, pair: Pair) -> Vec<Pool> {
        let shunned = self.shunned.lock().await;
        let recent = shunned.iter().filter(|(_, at)| at.elapsed() < SHUNNED_FOR);
        let own = recent.filter(|((of, _), _)| *of == pair);
        own.map(|((_, pool), _)| *pool).collect()
    }

    /// `pool` as a way from `token_in` to `token_out`; `None` if it does not trade them.
    pub(crate) fn route(&self, pool: Pool, token_in: Address, token_out: Address) -> Option<Route> {
        route(&self.spec, pool, token_in, token_out)
    }

    /// Every way from `token_in` to `token_out` there might be for `asker`.
    pub(crate) async fn candidates(
        &self,
        asker: Asker,
        token_in: Address,
        token_out: Address,
    ) -> Result<Vec<Route>, CallError> {
        let mut routes = Vec::new();
        for member in self.members.iter() {
            let mut pools = member.dex.candidates(&self.spec, token_in, token_out);
            pools.retain(|pool| self.permits(asker, pool));
            if pools.is_empty() || !self.is_usable(member).await? {
                continue;
            }
            let through = |pool| Route::through(member.dex, &self.spec, pool, token_in, token_out);
            routes.extend(pools.into_iter().filter_map(through));
        }
        let pair = pair_of(&self.spec, token_in, token_out);
        for pool in self.discovered(pair).await {
            let known = routes.iter().any(|route| route.pool == pool);
            routes.extend(self.route(pool, token_in, token_out).filter(|_| !known));
        }
        Ok(routes)
    }

    /// Whether a hook decides what is given anywhere on the route.
    pub(crate) fn is_hooked(&self, route: &Route) -> bool {
        offers::is_hooked(&self.spec, route)
    }

    /// When the youngest pool of `token` on each of these routes was made, where that was seen.
    pub(crate) async fn created(&self, token: Address, routes: &[Route]) -> HashMap<Pool, Timestamp> {
        if !is_foreign(&self.spec, token) {
            return HashMap::new();
        }
        let (found, made) = (self.discovery.pools(token).await, self.discovery.made(token));
        let of = |hop: &Route| {
            let known = found.iter().find(|found| found.pool == hop.pool);
            let addresses = hop.dex.addresses(&self.spec, hop);
            let others = addresses.iter().filter_map(|address| made.get(address).copied());
            known
                .and_then(|known| known.created_at)
                .into_iter()
                .chain(others)
                .max()
        };
        let youngest = |route: &Route| {
            let hops = route.dex.hops(&self.spec, route);
            Some((route.pool, hops.iter().filter_map(of).max()?))
        };
        routes.iter().filter_map(youngest).collect()
    }

    /// The routes of a pair on which a pool was made not long ago.
    pub(crate) async fn launched(&self, pair: Pair, routes: &[Route]) -> HashMap<Pool, Launched> {
        let (created, now) = (self.created(pair.token, routes).await, chrono::Utc::now());
        let launched = |route: &Route| {
            let created = created.get(&route.pool)?;
            let age = (now - *created).to_std().unwrap_or_default();
            let launched = Launched {
                age: Span::from_secs(age.as_secs()),
                hooked: self.is_hooked(route),
            };
            Some((route.pool, launched))
        };
        routes.iter().filter_map(launched).collect()
    }

    /// Pools of a pair that no DEX knows by itself: V4 pools of any shape, V3 pools of fees that only this factory has,
    /// and routes through connectors.
    async fn discovered(&self, pair: Pair) -> Vec<Pool> {
        let (mut pools, mut of_token) = (Vec::new(), Vec::new());
        if is_foreign(&self.spec, pair.token) {
            let found = self.discovery.pools(pair.token).await;
            let mut oldest = found.to_vec();
            // An unknown time is long ago, but for what only a listing tells: anyone can have a new pool listed.
            oldest.sort_by_key(|found| {
                let listed = found.created_at.is_none() && found.found_by == FoundBy::Listing;
                (listed, found.created_at)
            });
            of_token = oldest.iter().map(|found| found.pool).collect();
            let trades = |found: &V4Pool| self.route(found.pool, pair.token, pair.quote).is_some();
            oldest.retain(trades);
            pools = self.most_likely(pair, oldest).await;
        }
        let fees = self.discovery.odd_v3_fees().await;
        pools.extend(uniswap_v3::of_fees(&self.spec, pair, &fees));
        pools.extend(self.paths(pair, &of_token, &fees).await);
        pools
    }

    /// At most [`V4_POOLS_MAX`] of the pools, which come with the oldest first, the one that was traded in last among
    /// them.
    async fn most_likely(&self, pair: Pair, found: Vec<V4Pool>) -> Vec<Pool> {
        if found.len() <= V4_POOLS_MAX {
            return found.into_iter().map(|found| found.pool).collect();
        }
        let known = self.known(pair).await;
        let mut chosen: Vec<Pool> = found.iter().map(|found| found.pool).collect();
        let younger = chosen.split_off(V4_POOLS_MAX.div_ceil(2));
        let deepest = self.by_depth(&younger).await;
        chosen.extend(
            deepest
                .into_iter()
                .take(V4_POOLS_MAX.saturating_sub(chosen.len())),
        );
        match known {
            Some(known) if !chosen.contains(&known) && younger.contains(&known) => {
                chosen.pop();
                chosen.push(known);
            }
            _ => {}
        }
        chosen
    }

    /// Pools with most liquidity first; in their order if that cannot be read.
    async fn by_depth(&self, pools: &[Pool]) -> Vec<Pool> {
        let reads: Vec<Read> = pools
            .iter()
            .filter_map(|pool| pool_key::liquidity(&self.spec, pool))
            .collect();
        if reads.len() != pools.len() {
            return pools.to_vec();
        }
        let Ok(readings) = read_all(&self.rpc, self.spec.contracts.multicall3, &reads).await else {
            return pools.to_vec();
        };
        let depth = readings.iter().map(pool_key::liquidity_of);
        let mut ranked: Vec<(u128, Pool)> = depth.zip(pools.iter().copied()).collect();
        ranked.sort_by_key(|(depth, _)| std::cmp::Reverse(*depth));
        ranked.into_iter().map(|(_, pool)| pool).collect()
    }

    /// Whether a DEX's precondition holds; asked once.
    async fn is_usable(&self, member: &Member) -> Result<bool, CallError> {
        let ask = || async {
            let Some(read) = member.dex.precondition(&self.spec) else {
                return Ok(true);
            };
            let readings = read_all(&self.rpc, self.spec.contracts.multicall3, &[read]).await?;
            Ok(member.dex.holds(&self.spec, readings.first()))
        };
        member.usable.get_or_try_init(ask).await.copied()
    }

    /// How many pools of each DEX are among `routes`, in words.
    pub(crate) fn asked(&self, routes: &[Route]) -> String {
        let of = |member: &Member| {
            let pools = routes.iter().map(|route| route.pool);
            let own: Vec<Pool> = pools.filter(|pool| member.dex.has(pool)).collect();
            member.dex.asked(&self.spec, &own)
        };
        let asked = self.members.iter().map(of);
        asked
            .filter(|asked| !asked.is_empty())
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// What each route gives for `amount`, the best first; routes that give nothing are left out. `extra` is read
    /// in the same round trip.
    pub(crate) async fn offers(
        &self,
        routes: &[Route],
        amount: U256,
        extra: &[Read],
    ) -> Result<(Vec<Offer>, Vec<Reading>), CallError> {
        offers::offers(&self.rpc, &self.spec, routes, amount, extra).await
    }

    /// What each route gives for its amount, base units; `None` if that is nothing.
    pub(crate) async fn amounts(&self, questions: &[(Route, U256)]) -> Result<Vec<Option<U256>>, CallError> {
        offers::amounts(&self.rpc, &self.spec, questions).await
    }
}
