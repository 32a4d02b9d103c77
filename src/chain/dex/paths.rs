//! Routes of two or three of Uniswap's pools through connectors: tokens that much else trades against. Which pools
//! there are between a token, the connectors and the quote is read from the chain, and what they give one after the
//! other for about a hundred dollars is asked of them; that is kept for a while. The best way through each pool of the
//! token is among the routes that are asked with every quote, so that a pool that quotes best and cannot be traded in
//! hides none that can.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, U256};

use super::{
    api::Route,
    assets::{Pair, erc20, is_foreign},
    links::{self, Link, Links},
    mixed,
    search::{FOUND_FOR, Search},
    uniswap_v3, uniswap_v4,
};
use crate::{
    chain::{
        error::CallError,
        multicall::{Read, read_all},
        settings::ChainSpec,
    },
    domain::pool::{Hop, Pool},
};

/// Routes that are asked for one pair, at most: each is a quote of several pools.
const PATHS_MAX: usize = 16;
/// Places of these for routes without hooks: what a hook quotes need not be there.
const PLAIN_MAX: usize = 8;
/// How long a pair is not asked again after nodes did not answer.
const FAILED_FOR: Duration = Duration::from_secs(30);
/// Ways to a connector that are followed further, at most: the best ones.
const WAYS_MAX: usize = 3;
/// What routes are compared with: a hundred dollars, or as much of a coin.
const PROBE_USDC: U256 = U256::from_limbs([100_000_000, 0, 0, 0]);
const PROBE_NATIVE: U256 = U256::from_limbs([30_000_000_000_000_000, 0, 0, 0]);

/// A route as far as it was asked, from the quote on.
#[derive(Debug, Clone)]
struct Part {
    hops: Vec<Hop>,
    /// The tokens that its pools lead to.
    tokens: Vec<Address>,
    /// Base units of the last of them.
    amount: U256,
}

impl Search {
    /// The routes of a pair through connectors. `found`: V4 pools of the token, the oldest first; `fees`: of V3 pools,
    /// beyond the usual ones.
    pub(super) async fn paths(&self, pair: Pair, found: &[Pool], fees: &[u32]) -> Vec<Pool> {
        if !is_foreign(&self.spec, pair.token) {
            return vec![];
        }
        if let Some((pools, until)) = self.paths.lock().await.get(&pair)
            && *until > Instant::now()
        {
            return pools.clone();
        }
        // Nothing is locked meanwhile: a slow answer for one pair keeps no other waiting.
        let (pools, kept) = match self.routes(pair, found, fees).await {
            Ok(pools) => (pools, FOUND_FOR),
            // The pools that trade the pair itself are asked all the same.
            Err(_) => (vec![], FAILED_FOR),
        };
        let mut known = self.paths.lock().await;
        let now = Instant::now();
        known.retain(|_, (_, until)| *until > now);
        known.insert(pair, (pools.clone(), now + kept));
        pools
    }

    async fn routes(&self, pair: Pair, found: &[Pool], fees: &[u32]) -> Result<Vec<Pool>, CallError> {
        let spec = &self.spec;
        let links = self.links(pair, found, fees).await?;
        let (token, quote) = (erc20(spec, pair.token), erc20(spec, pair.quote));
        let near: Vec<Address> = links::connectors(spec, pair)
            .into_iter()
            .filter(|connector| links.contains_key(&(*connector, token)))
            .collect();
        if near.is_empty() {
            return Ok(vec![]);
        }
        let probe = if quote == spec.usdc {
            PROBE_USDC
        } else {
            PROBE_NATIVE
        };
        let begin = Part {
            hops: vec![],
            tokens: vec![quote],
            amount: probe,
        };
        let all = links::connectors(spec, pair);
        let first = self.on(&links, &[begin], &all).await?;
        // Two pools, and three: what leads to a connector that trades the token itself.
        let mut ends = self.on(&links, &best(&first, WAYS_MAX), &[token]).await?;
        let second = self.on(&links, &best(&first, 1), &near).await?;
        ends.extend(self.on(&links, &best(&second, WAYS_MAX), &[token]).await?);
        let shunned = self.shunned_of(pair).await;
        Ok(chosen(spec, pair, ends, &shunned))
    }

    /// The pools that are there.
    async fn links(&self, pair: Pair, found: &[Pool], fees: &[u32]) -> Result<Links, CallError> {
        let links = links::candidates(&self.spec, pair, found, fees);
        let reads: Vec<(Link, Read)> = links
            .into_iter()
            .filter_map(|link| Some((link, link.depth(&self.spec)?)))
            .collect();
        let (links, reads): (Vec<Link>, Vec<Read>) = reads.into_iter().unzip();
        let readings = read_all(&self.rpc, self.spec.contracts.multicall3, &reads).await?;
        let depths: Vec<u128> = links
            .iter()
            .zip(&readings)
            .map(|(link, reading)| link.depth_of(reading))
            .collect();
        Ok(links::there(&links, &depths))
    }

    /// `parts` one pool further, through every pool to one of `targets` that they have not been at.
    async fn on(&self, links: &Links, parts: &[Part], targets: &[Address]) -> Result<Vec<Part>, CallError> {
        let (mut asked, mut further): (Vec<(Route, U256)>, Vec<Part>) = (vec![], vec![]);
        for part in parts {
            let Some(at) = part.tokens.last().copied() else {
                continue;
            };
            for target in targets.iter().filter(|target| !part.tokens.contains(target)) {
                for hop in links.get(&(at, *target)).into_iter().flatten() {
                    let Some(way) = links::way(&self.spec, *hop, at, *target) else {
                        continue;
                    };
                    asked.push((way, part.amount));
                    let mut next = part.clone();
                    next.hops.push(*hop);
                    next.tokens.push(*target);
                    further.push(next);
                }
            }
        }
        let amounts = self.amounts(&asked).await?;
        let given = further.into_iter().zip(amounts);
        Ok(given
            .filter_map(|(part, amount)| {
                Some(Part {
                    amount: amount?,
                    ..part
                })
            })
            .collect())
    }
}

/// Of each token that they lead to, at most this many of the parts that give most of it.
fn best(parts: &[Part], most: usize) -> Vec<Part> {
    let mut sorted = parts.to_vec();
    sorted.sort_by_key(|part| std::cmp::Reverse(part.amount));
    let mut taken: HashMap<Option<Address>, usize> = HashMap::new();
    sorted.retain(|part| {
        let count = taken.entry(part.tokens.last().copied()).or_default();
        *count = count.saturating_add(1);
        *count <= most
    });
    sorted
}

/// The routes that are asked with every quote: of each pool of the token the best way through it, and then what gives
/// most. Those that failed recently where another one worked come last.
fn chosen(spec: &ChainSpec, pair: Pair, mut ends: Vec<Part>, shunned: &[Pool]) -> Vec<Pool> {
    ends.sort_by_key(|part| std::cmp::Reverse(part.amount));
    let (mut plain, mut firsts, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let (mut pools, mut last) = (Vec::new(), Vec::new());
    for end in &ends {
        let Some(pool) = pool(spec, pair, end) else {
            continue;
        };
        if shunned.contains(&pool) {
            last.push(pool);
            continue;
        }
        let through = (end.hops.last(), end.tokens.iter().rev().nth(1));
        if pools.contains(&through) {
            others.push(pool);
            continue;
        }
        pools.push(through);
        if plain.len() < PLAIN_MAX && !end.hops.iter().any(is_hooked) {
            plain.push(pool);
        } else {
            firsts.push(pool);
        }
    }
    let all = plain.into_iter().chain(firsts).chain(others).chain(last);
    all.take(PATHS_MAX).collect()
}

fn is_hooked(hop: &Hop) -> bool {
    uniswap_v4::hook(&Pool::from(*hop)).is_some()
}

/// The name of a whole route, which goes from the token to the quote; `None` if it has one by itself.
fn pool(spec: &ChainSpec, pair: Pair, end: &Part) -> Option<Pool> {
    let hops: Vec<Hop> = end.hops.iter().rev().copied().collect();
    let inner = end.tokens.iter().rev().skip(1);
    let through: Vec<Address> = inner.take(hops.len().saturating_sub(1)).copied().collect();
    let Some(fees) = fees(&hops) else {
        return mixed::through(spec, &hops, &through);
    };
    // These have a name of their own, and are asked with every fee.
    let usual = erc20(spec, pair.quote) == spec.usdc && through == [spec.wrapped_native];
    if usual {
        return None;
    }
    uniswap_v3::through(&spec.contracts, &fees, &through)
}

/// The fees of a route that goes through pools of V3 alone.
fn fees(hops: &[Hop]) -> Option<Vec<u32>> {
    let fee = |hop: &Hop| match hop {
        Hop::V3(fee) => Some(*fee),
        Hop::V2 | Hop::V4(_) => None,
    };
    hops.iter().map(fee).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::ChainFile;

    fn token(byte: u8) -> Address {
        Address::repeat_byte(byte)
    }

    fn spec() -> ChainSpec {
        let keys = ChainFile {
            connectors: Some([1, 2, 3, 4].map(token).to_vec()),
            ..ChainFile::default()
        };
        ChainSpec::resolve("base", &keys).expect("built in")
    }

    fn part(hops: &[Hop], tokens: &[Address], amount: u64) -> Part {
        Part {
            hops: hops.to_vec(),
            tokens: tokens.to_vec(),
            amount: U256::from(amount),
        }
    }

    #[test]
    fn the_best_way_through_each_pool_of_the_token_comes_first_and_no_more_than_allowed_are_asked() {
        let spec = spec();
        let (foreign, quote) = (token(0x70), spec.wrapped_native);
        let pair = Pair {
            token: foreign,
            quote: crate::domain::pool::NATIVE,
        };
        let mut ends = Vec::new();
        // A pool of the token that quotes best, by twenty ways, and one that quotes least.
        for fee in 0..20 {
            let hops = [Hop::V3(fee), Hop::V2];
            ends.push(part(&hops, &[quote, token(1), foreign], 1_000 + u64::from(fee)));
        }
        ends.push(part(&[Hop::V2, Hop::V3(500)], &[quote, token(2), foreign], 1));
        let three = [Hop::V3(1), Hop::V3(2), Hop::V3(3)];
        ends.push(part(&three, &[quote, token(1), token(2), foreign], 500));
        let chosen = chosen(&spec, pair, ends, &[]);
        assert_eq!(chosen.len(), PATHS_MAX);
        let (one, two) = (token(1), token(2));
        let texts: Vec<String> = chosen.iter().take(3).map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                format!("v2/{one:#x}/v3:19"),
                format!("v3:3/{two:#x}/2/{one:#x}/1"),
                format!("v3:500/{two:#x}/v2"),
            ]
        );
    }

    #[test]
    fn a_route_that_has_a_name_of_its_own_is_not_asked_twice() {
        let spec = spec();
        let pair = Pair {
            token: token(0x70),
            quote: spec.usdc,
        };
        let through = |hops: &[Hop]| {
            let tokens = [spec.usdc, spec.wrapped_native, token(0x70)];
            chosen(&spec, pair, vec![part(hops, &tokens, 1)], &[]).len()
        };
        assert_eq!(through(&[Hop::V3(500), Hop::V3(3_000)]), 0);
        assert_eq!(through(&[Hop::V3(500), Hop::V2]), 1);
    }

    #[test]
    fn neither_hooks_that_quote_best_nor_routes_that_failed_take_the_places_of_others() {
        let spec = spec();
        let (foreign, quote) = (token(0x70), spec.wrapped_native);
        let pair = Pair {
            token: foreign,
            quote: crate::domain::pool::NATIVE,
        };
        let hooked = |fee| {
            Hop::V4(crate::domain::pool::PoolKey {
                currency0: token(1),
                currency1: foreign,
                fee,
                tick_spacing: 60,
                hooks: token(0x5e),
            })
        };
        let tokens = [quote, token(1), foreign];
        let mut ends: Vec<Part> = (0..20)
            .map(|fee| part(&[Hop::V3(500), hooked(fee)], &tokens, 1_000))
            .collect();
        ends.push(part(&[Hop::V3(500), Hop::V2], &tokens, 1));
        let first = chosen(&spec, pair, ends.clone(), &[]);
        let plain = *first.first().expect("a route");
        assert!(plain.to_string().starts_with("v2/"), "{plain}");
        assert_eq!(first.len(), PATHS_MAX);
        let failed = first.get(1..).expect("the others").to_vec();
        let then = chosen(&spec, pair, ends, &failed);
        let again: Vec<usize> = failed
            .iter()
            .filter_map(|pool| then.iter().position(|other| other == pool))
            .collect();
        assert!(
            again.iter().all(|place| *place > 5),
            "after the other five: {again:?}"
        );
    }

    #[test]
    fn of_each_connector_the_ways_that_give_most_are_followed() {
        let way = |fee: u32, to: u8, amount| part(&[Hop::V3(fee)], &[token(9), token(to)], amount);
        let best = best(&[way(1, 1, 5), way(2, 1, 9), way(3, 2, 7), way(4, 1, 8)], 2);
        let amounts: Vec<U256> = best.iter().map(|part| part.amount).collect();
        assert_eq!(amounts, [9, 8, 7].map(U256::from));
    }
}
