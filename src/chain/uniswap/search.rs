//! The best pool of a pair: every candidate is asked in one round trip, and the answer is kept for a while.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, U256};
use tokio::sync::{Mutex, OnceCell};

use super::route::Route;
use crate::{
    chain::{
        contracts::SwapRouter,
        multicall::{Read, Reading, decode, read_all},
        rpc::{CallError, Rpc},
        settings::ChainSpec,
    },
    domain::{
        pool::Pool,
        units::{Amount, Rounding},
    },
};

/// A pool found longer ago is searched for again.
pub(crate) const FOUND_FOR: Duration = Duration::from_secs(600);

/// A pool that failed where another one worked is no source of prices for so long.
const SHUNNED_FOR: Duration = Duration::from_secs(3_600);

/// Impact is measured against the price that a thousandth gets.
const PROBE_SHARE: U256 = U256::from_limbs([1_000, 0, 0, 0]);
const BPS: u32 = 10_000;

/// A route and what it would give.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) route: Route,
    pub(crate) amount_out: U256,
    pub(crate) price_impact_bps: u32,
}

/// Pools by token and quote, and when they were found.
type Found = HashMap<(Address, Address), (Pool, Instant)>;

/// Asks pools, and remembers the best in process.
#[derive(Clone)]
pub(crate) struct Search {
    pub(crate) rpc: Rpc,
    pub(crate) spec: Arc<ChainSpec>,
    found: Arc<Mutex<Found>>,
    /// Pools that quote and cannot be traded in, and when that was seen.
    shunned: Arc<Mutex<HashMap<((Address, Address), Pool), Instant>>>,
    /// Whether SwapRouter02 computes pairs of the factory we know.
    v2_matches: Arc<OnceCell<bool>>,
}

impl Search {
    pub(crate) fn new(rpc: Rpc, spec: Arc<ChainSpec>) -> Self {
        Self {
            rpc,
            spec,
            found: Arc::default(),
            shunned: Arc::default(),
            v2_matches: Arc::default(),
        }
    }

    /// The pool that was found for a pair of token and quote lately.
    pub(crate) async fn known(&self, pair: (Address, Address)) -> Option<Pool> {
        let found = self.found.lock().await;
        found
            .get(&pair)
            .filter(|(_, at)| at.elapsed() < FOUND_FOR)
            .map(|(pool, _)| *pool)
    }

    /// Keeps what was found for a pair; does not make an older find younger.
    pub(crate) async fn keep(&self, pair: (Address, Address), pool: Pool) {
        let mut found = self.found.lock().await;
        match found.get(&pair) {
            Some((known, at)) if *known == pool && at.elapsed() < FOUND_FOR => {}
            _ => {
                found.insert(pair, (pool, Instant::now()));
            }
        }
    }

    /// A find that does not trade any more.
    pub(crate) async fn forget(&self, pair: (Address, Address)) {
        self.found.lock().await.remove(&pair);
    }

    /// Takes pools that failed where another worked from the pair's sources of prices: the best quote of all is often
    /// that of a pool that nobody can trade in.
    pub(crate) async fn shun(&self, pair: (Address, Address), pools: &[Pool]) {
        let mut shunned = self.shunned.lock().await;
        shunned.retain(|_, at| at.elapsed() < SHUNNED_FOR);
        shunned.extend(pools.iter().map(|pool| ((pair, *pool), Instant::now())));
        drop(shunned);
        if self.known(pair).await.is_some_and(|known| pools.contains(&known)) {
            self.forget(pair).await;
        }
    }

    /// Whether a pool failed lately where another worked.
    pub(crate) async fn is_shunned(&self, pair: (Address, Address), pool: Pool) -> bool {
        let shunned = self.shunned.lock().await;
        let at = shunned.get(&(pair, pool));
        at.is_some_and(|at| at.elapsed() < SHUNNED_FOR)
    }

    /// Every way from `token_in` to `token_out` there might be.
    pub(crate) async fn candidates(
        &self,
        token_in: Address,
        token_out: Address,
    ) -> Result<Vec<Route>, CallError> {
        let mut routes = Route::candidates(&self.spec, token_in, token_out);
        if routes.iter().any(|route| route.pool == Pool::V2) && !self.v2_matches().await? {
            routes.retain(|route| route.pool != Pool::V2);
        }
        Ok(routes)
    }

    /// The router has the V2 factory built in; another one's pairs it would never find.
    async fn v2_matches(&self) -> Result<bool, CallError> {
        let ask = || async {
            let contracts = &self.spec.contracts;
            let read = Read::new(contracts.swap_router, &SwapRouter::factoryV2Call {});
            let readings = read_all(&self.rpc, contracts.multicall3, &[read]).await?;
            let factory = decode::<SwapRouter::factoryV2Call>(readings.first());
            Ok(factory == Some(contracts.v2_factory))
        };
        self.v2_matches.get_or_try_init(ask).await.copied()
    }

    /// What each route gives for `amount`, the best first; routes that give nothing are left out. `besides` is read
    /// in the same round trip.
    pub(crate) async fn offers(
        &self,
        routes: &[Route],
        amount: U256,
        besides: &[Read],
    ) -> Result<(Vec<Offer>, Vec<Reading>), CallError> {
        let probe = amount.div_ceil(PROBE_SHARE);
        let asked: Vec<(Route, Read, Read)> = routes
            .iter()
            .filter_map(|route| {
                Some((
                    *route,
                    route.ask(&self.spec, amount)?,
                    route.ask(&self.spec, probe)?,
                ))
            })
            .collect();
        let mut reads = besides.to_vec();
        reads.extend(
            asked
                .iter()
                .flat_map(|(_, whole, probe)| [whole.clone(), probe.clone()]),
        );
        let mut readings = read_all(&self.rpc, self.spec.contracts.multicall3, &reads).await?;
        let answers = readings.split_off(besides.len());
        let mut offers: Vec<Offer> = asked
            .iter()
            .zip(answers.chunks(2))
            .filter_map(|((route, ..), pair)| {
                let amount_out = route.answer(amount, pair.first())?;
                let probe_out = route.answer(probe, pair.get(1)).unwrap_or_default();
                Some(Offer {
                    route: *route,
                    amount_out,
                    price_impact_bps: impact_bps((amount, amount_out), (probe, probe_out)),
                })
            })
            .collect();
        offers.sort_by_key(|offer| std::cmp::Reverse(offer.amount_out));
        Ok((offers, readings))
    }
}

/// By how much a unit of `whole` gets less than one of `probe`, rounded up. A probe that gives nothing proves nothing:
/// the whole price may be gone.
fn impact_bps((amount, amount_out): (U256, U256), (probe, probe_out): (U256, U256)) -> u32 {
    let fair = Amount::new(amount).mul_div(probe_out, probe, Rounding::Up);
    let kept =
        fair.and_then(|fair| Amount::new(amount_out).mul_div(U256::from(BPS), fair.units(), Rounding::Down));
    let kept = kept.map_or(0, |kept| u32::try_from(kept.units()).unwrap_or(u32::MAX));
    BPS.saturating_sub(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impact_is_rounded_up_and_never_more_than_all() {
        for (whole, probe, bps) in [
            ((1_000, 1_000), (1, 1), 0),
            ((1_000, 999), (1, 1), 10),
            ((1_000_000, 999_999), (1_000, 1_000), 1),
            ((1_000, 1), (1, 1), 9_990),
            ((1_000, 1_001), (1, 1), 0),
            ((1_000, 500), (1, 0), 10_000),
        ] {
            let wide = |(a, b): (u64, u64)| (U256::from(a), U256::from(b));
            assert_eq!(impact_bps(wide(whole), wide(probe)), bps, "{whole:?} {probe:?}");
        }
    }
}
