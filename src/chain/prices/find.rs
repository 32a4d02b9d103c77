//! The pool that a token's price is read from: the best one for a hundred dollars, or, where that buys hardly a unit of
//! a token of few decimals, the best one for a sale of a few units.

use std::collections::HashMap;

use alloy_primitives::{Address, U256, U512};
use rust_decimal::Decimal;
use tracing::debug;

use super::{OnchainPrices, pair};
use crate::{
    chain::dex::{
        api::Route,
        assets::{Pair, erc20},
        offers::OFF_MAX,
        search::Asker,
    },
    domain::{
        config::SourceName,
        pool::Pool,
        units::{NATIVE_DECIMALS, Price, Rounding, Usd},
    },
    ports::PoolPriceRequest,
};

/// The best pool is the one that returns most for this input: a hundred dollars. A smaller probe would favour nearly
/// empty pools.
const PROBE_USDC: U256 = U256::from_limbs([100_000_000, 0, 0, 0]);
/// The probe in native coins if their price is unknown.
const PROBE_NATIVE: U256 = U256::from_limbs([30_000_000_000_000_000, 0, 0, 0]);
/// Answers of fewer units do not tell pools apart.
const COARSE_UNITS: U256 = U256::from_limbs([1_000, 0, 0, 0]);
/// Then this many times the units are sold, the first that a pool answers: one unit may be all that a V2 pair can pay
/// for, and V3 rounds its fee up to a unit.
const SOLD_TIMES: [U256; 2] = [U256::from_limbs([10, 0, 0, 0]), U256::from_limbs([1, 0, 0, 0])];

/// A search that a pool takes part in: the pair, its source, and the size, the first ones counting most.
type Place = (SourceName, Pair, usize);

/// A pool tells the price only if the probe gets at least this much of what a hundredth of it gets for each unit, per
/// cent: what little is in a pool with dust may be priced as its maker likes.
const DEEP_PCT: u32 = 95;
/// That share.
const SHARE: u32 = 100;
/// The pool that told the price before counts as giving this part more than it does: prices of one pool follow each
/// other better than prices of two.
const KEPT_PART: U256 = U256::from_limbs([50, 0, 0, 0]);

/// Millionths by which what a pool gives may differ from the price in its state, beyond its stated fee, before even a
/// nearly empty pool is the better source.
const OFF_FAR: u32 = 300_000;

/// A question to one candidate pool.
struct Asked {
    place: Place,
    amount: U256,
    route: Route,
}

/// A pool's output.
#[derive(Clone, Copy)]
struct Given {
    /// Whether the pool is deep enough for the amount; any is for a few units.
    deep: bool,
    amount: U256,
    /// The amount, and somewhat more for the pool of before.
    rank: U256,
    pool: Pool,
    route: Route,
    /// Millionths by which it differs from its own price; zero without a hook.
    off: u32,
}

impl Given {
    /// The better a source of the price the greater.
    fn worth(&self) -> (u8, U256) {
        let class = match (self.off, self.deep) {
            (..=OFF_MAX, true) => 3,
            (..=OFF_FAR, true) => 2,
            (..=OFF_MAX, false) => 1,
            _ => 0,
        };
        (class, self.rank)
    }
}

impl OnchainPrices {
    /// Searches the best pools of pairs that were not searched recently, in as few round trips as possible.
    pub(super) async fn find(&self, requests: &[PoolPriceRequest]) -> Result<(), String> {
        let mut unknown = Vec::new();
        for request in requests {
            if self.pool(request).await.is_none() {
                unknown.push(request);
            }
        }
        // What the probe is worth is asked only if there is something to search.
        if unknown.is_empty() {
            return Ok(());
        }
        let native = self.native().await.ok().and_then(|native| native.price.ok());
        let native = native.map(|price| price.usd);
        let (mut wanted, mut asked) = (Vec::new(), Vec::new());
        for request in unknown {
            let Some(probe) = self.probe(request.quote, native) else {
                continue;
            };
            wanted.push(request);
            let routes = self.open(request, request.quote, request.token).await?;
            asked.extend(self.questions(request, &routes, 0, probe));
        }
        let bought = self.best(&asked).await?;
        let mut asked = Vec::new();
        for request in &wanted {
            let bought = bought.get(&(request.source, pair(request), 0));
            let units = bought.map_or(U256::ZERO, |given| given.amount);
            if units >= COARSE_UNITS {
                continue;
            }
            let routes = self.open(request, request.token, request.quote).await?;
            for (size, times) in SOLD_TIMES.into_iter().enumerate() {
                let amount = units.max(U256::from(1)).saturating_mul(times);
                asked.extend(self.questions(request, &routes, size, amount));
            }
        }
        let sold = self.best(&asked).await?;
        for request in wanted {
            let place = |size| (request.source, pair(request), size);
            let sold = (0..SOLD_TIMES.len()).find_map(|size| sold.get(&place(size)));
            if let Some(Given { pool, .. }) = sold.or_else(|| bought.get(&place(0))) {
                self.search(request.source).keep(pair(request), *pool).await;
            }
        }
        Ok(())
    }

    /// The ways through pools whose price may be used for `request`.
    async fn open(
        &self,
        request: &PoolPriceRequest,
        token_in: Address,
        token_out: Address,
    ) -> Result<Vec<Route>, String> {
        let search = self.search(request.source);
        let routes = search.candidates(Asker::Chain, token_in, token_out).await;
        let mut routes = routes.map_err(|error| error.to_string())?;
        if request.source == SourceName::Twap {
            routes.retain(|route| route.dex.has_history());
        }
        let mut open = Vec::with_capacity(routes.len());
        for route in &routes {
            if !search.is_shunned(pair(request), route.pool).await {
                open.push(*route);
            }
        }
        // If all failed, all are used: the price of an untradable pool still explains a hold.
        Ok(if open.is_empty() { routes } else { open })
    }

    fn questions(
        &self,
        request: &PoolPriceRequest,
        routes: &[Route],
        size: usize,
        amount: U256,
    ) -> Vec<Asked> {
        let place = (request.source, pair(request), size);
        let asked = routes.iter().map(|route| Asked {
            place,
            amount,
            route: *route,
        });
        asked.collect()
    }

    /// The pool that gives most in each place, of those whose own price bears it out.
    async fn best(&self, asked: &[Asked]) -> Result<HashMap<Place, Given>, String> {
        // For the amount, and for a hundredth of it.
        let both =
            |asked: &Asked| [asked.amount, hundredth(asked.amount)].map(|amount| (asked.route, amount));
        let questions: Vec<(Route, U256)> = asked.iter().flat_map(both).collect();
        let said = self.spot.amounts(&questions).await;
        let said = said.map_err(|error| error.to_string())?;
        let mut given: HashMap<Place, (U256, Vec<Given>)> = HashMap::new();
        for (asked, said) in asked.iter().zip(said.chunks(2)) {
            let Asked {
                place, amount, route, ..
            } = asked;
            let part = hundredth(*amount);
            let (Some(Some(out)), small) = (said.first().copied(), said.get(1)) else {
                continue;
            };
            let small = small.copied().flatten().unwrap_or_default();
            let before = self.search(place.0).last(place.1).await;
            let more = if before == Some(route.pool) {
                out / KEPT_PART
            } else {
                U256::ZERO
            };
            let (_, pools) = given.entry(*place).or_insert((*amount, vec![]));
            pools.push(Given {
                deep: is_deep((*amount, out), (part, small)),
                amount: out,
                rank: out.saturating_add(more),
                pool: route.pool,
                route: *route,
                off: 0,
            });
        }
        let mut best = HashMap::new();
        for (place, (amount, pools)) in given {
            if let Some(chosen) = self.believed(pools, amount).await? {
                best.insert(place, chosen);
            }
        }
        Ok(best)
    }

    /// The best source among pools that give something for `amount`. Those with a hook are held against the price in
    /// their state first, as far as one of them would be taken.
    async fn believed(&self, pools: Vec<Given>, amount: U256) -> Result<Option<Given>, String> {
        let is_hooked = |given: &Given| self.spot.is_hooked(&given.route);
        let (mut hooked, plain): (Vec<Given>, Vec<Given>) = pools.into_iter().partition(is_hooked);
        let plain = plain.into_iter().max_by_key(Given::worth);
        hooked.retain(|given| plain.is_none_or(|plain| given.worth() > plain.worth()));
        if hooked.is_empty() {
            return Ok(plain);
        }
        let routes: Vec<Route> = hooked.iter().map(|given| given.route).collect();
        let offers = self.spot.offers(&routes, amount, &[]).await;
        let (offers, _) = offers.map_err(|error| error.to_string())?;
        for given in &mut hooked {
            let offer = offers.iter().find(|offer| offer.route.pool == given.pool);
            given.off = offer.map_or(u32::MAX, |offer| offer.off);
            if given.off > OFF_MAX {
                let (pool, off) = (given.pool, given.off);
                debug!(%pool, off, "what a pool quotes differs from its own price: it is no source of prices");
            }
        }
        Ok(hooked.into_iter().chain(plain).max_by_key(Given::worth))
    }

    /// Input of the probe; `None`: the quote has no known price.
    pub(super) fn probe(&self, quote: Address, native: Option<Price>) -> Option<U256> {
        if quote == self.spec().usdc {
            Some(PROBE_USDC)
        } else {
            (erc20(self.spec(), quote) == self.spec().wrapped_native).then(|| probe_native(native))
        }
    }
}

fn hundredth(amount: U256) -> U256 {
    amount.div_ceil(U256::from(SHARE))
}

/// Whether a swap gets nearly as much for each unit as a hundredth of it does. Answers of a few units say nothing, and
/// then no pool is taken for empty.
fn is_deep((amount, out): (U256, U256), (part, small): (U256, U256)) -> bool {
    if small < U256::from(SHARE) {
        return true;
    }
    let whole = U512::from(out) * U512::from(part) * U512::from(100);
    let least = U512::from(small) * U512::from(amount) * U512::from(DEEP_PCT);
    whole >= least
}

/// A hundred dollars in native coins.
fn probe_native(price: Option<Price>) -> U256 {
    let worth = Usd::rounded(Decimal::ONE_HUNDRED, Rounding::Down);
    let coins = price.and_then(|price| worth.to_amount(NATIVE_DECIMALS, price, Rounding::Up).ok());
    coins.map_or(PROBE_NATIVE, |coins| coins.units())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_of_dust_is_told_from_a_deep_one_and_a_few_units_tell_nothing() {
        let units = |amount: u64| U256::from(amount);
        let deep = |out, small| is_deep((units(100_000_000), units(out)), (units(1_000_000), units(small)));
        assert!(deep(9_900_000, 100_000) && deep(9_500_000, 100_000));
        assert!(!deep(9_499_999, 100_000) && !deep(50_000, 100_000));
        assert!(deep(5, 1) && deep(0, 99), "too few units to say");
        assert!(!is_deep((U256::MAX, U256::from(1)), (U256::MAX, U256::MAX)));
    }

    #[test]
    fn the_probe_is_worth_a_hundred_dollars_whatever_the_coin_is_worth() {
        let coin = U256::from(1_000_000_000_000_000_000_u64);
        let at = |price: Decimal| probe_native(Price::new(price).ok());
        assert_eq!(at(Decimal::new(4, 1)), coin * U256::from(250), "of 0.4 dollars");
        assert_eq!(at(Decimal::from(2_500)), coin / U256::from(25));
        assert_eq!(probe_native(None), PROBE_NATIVE);
    }
}
