//! Routes of two or three V3 pools through connectors: tokens that much else trades against. Which pools there are
//! between a token, the connectors and the quote is read in one round trip and kept for a while; of two tokens only the
//! pool with most liquidity counts, and the number of routes is bounded.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use alloy_primitives::Address;

use super::{
    assets::{Pair, erc20, is_foreign},
    search::{FOUND_FOR, Search},
    uniswap_v3,
};
use crate::{
    chain::{
        contracts::V3Pool,
        discovery::USUAL_V3_FEES,
        multicall::{Read, decode, read_all},
        settings::ChainSpec,
    },
    domain::pool::{Pool, TokenPath},
};

/// Routes that are asked for one pair, at most: each is a quote of several pools.
const PATHS_MAX: usize = 12;
/// How long a pair is not asked again after nodes did not answer.
const FAILED_FOR: Duration = Duration::from_secs(30);

/// A pool that may be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Link {
    one: Address,
    other: Address,
    fee: u32,
}

impl Search {
    /// The routes of a pair through connectors.
    pub(super) async fn paths(&self, pair: Pair) -> Vec<Pool> {
        if !is_foreign(&self.spec, pair.token) {
            return vec![];
        }
        if let Some((pools, until)) = self.paths.lock().await.get(&pair)
            && *until > Instant::now()
        {
            return pools.clone();
        }
        let links = links(&self.spec, pair);
        let reads: Vec<Read> = links
            .iter()
            .map(|link| {
                let pool = uniswap_v3::address(&self.spec.contracts, link.one, link.other, link.fee);
                Read::new(pool, &V3Pool::liquidityCall {})
            })
            .collect();
        // Nothing is locked meanwhile: a slow answer for one pair keeps no other waiting.
        let read = read_all(&self.rpc, self.spec.contracts.multicall3, &reads).await;
        let (pools, kept) = match read {
            Ok(readings) => {
                let depth = |reading| decode::<V3Pool::liquidityCall>(Some(reading)).unwrap_or_default();
                let depths: Vec<u128> = readings.iter().map(depth).collect();
                (through(&self.spec, pair, &deepest(&links, &depths)), FOUND_FOR)
            }
            // The pools that trade the pair itself are asked all the same.
            Err(_) => (vec![], FAILED_FOR),
        };
        let mut known = self.paths.lock().await;
        let now = Instant::now();
        known.retain(|_, (_, until)| *until > now);
        known.insert(pair, (pools.clone(), now + kept));
        pools
    }
}

/// The tokens that routes of a pair may go through.
fn connectors(spec: &ChainSpec, pair: Pair) -> Vec<Address> {
    let ends = [erc20(spec, pair.token), erc20(spec, pair.quote)];
    let mut connectors = Vec::new();
    for token in [spec.wrapped_native, spec.usdc].iter().chain(&spec.connectors) {
        if !ends.contains(token) && !connectors.contains(token) {
            connectors.push(*token);
        }
    }
    connectors
}

/// Every pool that a route of the pair may go through, without those between the two.
fn links(spec: &ChainSpec, pair: Pair) -> Vec<Link> {
    let (token, quote) = (erc20(spec, pair.token), erc20(spec, pair.quote));
    let connectors = connectors(spec, pair);
    let mut pairs = Vec::new();
    for (index, connector) in connectors.iter().enumerate() {
        pairs.push((token, *connector));
        pairs.push((*connector, quote));
        let others = connectors.iter().skip(index.saturating_add(1));
        pairs.extend(others.map(|other| (*connector, *other)));
    }
    let of_pair = |(one, other)| USUAL_V3_FEES.map(move |fee| Link { one, other, fee });
    pairs.into_iter().flat_map(of_pair).collect()
}

/// The fee of the pool with most liquidity of any two tokens, in both directions.
fn deepest(links: &[Link], depths: &[u128]) -> HashMap<(Address, Address), u32> {
    let mut most: HashMap<(Address, Address), (u128, u32)> = HashMap::new();
    for (link, depth) in links.iter().zip(depths).filter(|(_, depth)| **depth > 0) {
        let best = most.entry((link.one, link.other)).or_insert((*depth, link.fee));
        *best = (*best).max((*depth, link.fee));
    }
    let both = |((one, other), (_, fee))| [((one, other), fee), ((other, one), fee)];
    most.into_iter().flat_map(both).collect()
}

/// The routes that these pools make, the shorter ones first.
fn through(spec: &ChainSpec, pair: Pair, fees: &HashMap<(Address, Address), u32>) -> Vec<Pool> {
    let (token, quote) = (erc20(spec, pair.token), erc20(spec, pair.quote));
    let fee = |one: Address, other: Address| fees.get(&(one, other)).copied();
    let connectors = connectors(spec, pair);
    let (mut two, mut three) = (Vec::new(), Vec::new());
    for near in &connectors {
        let Some(first) = fee(token, *near) else {
            continue;
        };
        // These have a name of their own, and are asked with every fee.
        let usual = quote == spec.usdc && *near == spec.wrapped_native;
        two.extend(fee(*near, quote).filter(|_| !usual).map(|last| TokenPath {
            first: (first, *near),
            second: None,
            last,
        }));
        for far in connectors.iter().filter(|far| *far != near) {
            three.extend(
                fee(*near, *far)
                    .zip(fee(*far, quote))
                    .map(|(second, last)| TokenPath {
                        first: (first, *near),
                        second: Some((second, *far)),
                        last,
                    }),
            );
        }
    }
    let paths = two.into_iter().chain(three).take(PATHS_MAX);
    paths
        .filter_map(|path| uniswap_v3::path(&spec.contracts, path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chain::ChainFile, domain::pool::NATIVE};

    fn token(byte: u8) -> Address {
        Address::repeat_byte(byte)
    }

    fn spec(connectors: &[u8]) -> ChainSpec {
        let keys = ChainFile {
            connectors: Some(connectors.iter().map(|byte| token(*byte)).collect()),
            ..ChainFile::default()
        };
        ChainSpec::resolve("base", &keys).expect("built in")
    }

    #[test]
    fn one_round_trip_reads_every_pool_and_no_more_routes_than_allowed_are_asked() {
        let spec = spec(&[1, 2, 3, 4]);
        for quote in [NATIVE, spec.usdc] {
            let pair = Pair {
                token: token(0x70),
                quote,
            };
            let links = links(&spec, pair);
            assert!(
                links.len() <= crate::chain::multicall::READS_MAX,
                "{}",
                links.len()
            );
            let none = through(&spec, pair, &deepest(&links, &vec![0; links.len()]));
            assert_eq!(none, []);
            let all = through(&spec, pair, &deepest(&links, &vec![1; links.len()]));
            assert_eq!(all.len(), PATHS_MAX);
            let hops = |pool: &Pool| pool.to_string().matches('/').count();
            assert!(all.is_sorted_by_key(hops), "{all:?}");
        }
    }

    #[test]
    fn the_deepest_pool_of_two_tokens_counts_in_either_direction() {
        let links = [
            Link {
                one: token(1),
                other: token(2),
                fee: 100,
            },
            Link {
                one: token(1),
                other: token(2),
                fee: 3_000,
            },
            Link {
                one: token(1),
                other: token(2),
                fee: 10_000,
            },
        ];
        let fees = deepest(&links, &[5, 7, 6]);
        assert_eq!(fees.get(&(token(1), token(2))), Some(&3_000));
        assert_eq!(fees.get(&(token(2), token(1))), Some(&3_000));
    }
}
