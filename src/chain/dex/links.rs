//! Single pools that routes through connectors are made of: which of them there are is read from the chain.

use std::collections::HashMap;

use alloy_primitives::{Address, U256};

use super::{
    api::{Dex, Route},
    assets::{Pair, erc20},
    uniswap_v2::{self, UniswapV2},
    uniswap_v3::{self, UniswapV3},
    uniswap_v4::{self, UniswapV4},
};
use crate::{
    chain::{
        contracts::{V2Pair, V3Pool},
        discovery::USUAL_V3_FEES,
        multicall::{Read, Reading, decode},
        pool_key,
        settings::ChainSpec,
    },
    domain::pool::{Hop, Pool},
};

/// Pools of the token and a connector that routes are made of besides those of the usual shapes, at most: anyone can
/// make as many as they like, with as much liquidity by number as they like. Half of them are the oldest, which nobody
/// can make afterwards, and half the deepest.
const FOUND_MAX: usize = 8;
/// V4 pools of the token that are looked at for routes, at most: the oldest, which nobody can make afterwards.
const V4_POOLS_MAX: usize = 64;

/// A pool that may be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) one: Address,
    pub(super) other: Address,
    pub(super) hop: Hop,
    /// Whether it is of a usual shape, of which there are few: such a pool is never passed over.
    usual: bool,
}

/// Pools between tokens, in both directions.
pub(super) type Links = HashMap<(Address, Address), Vec<Hop>>;

/// The tokens that routes of a pair may go through.
pub(super) fn connectors(spec: &ChainSpec, pair: Pair) -> Vec<Address> {
    let ends = [erc20(spec, pair.token), erc20(spec, pair.quote)];
    let mut connectors = Vec::new();
    for token in [spec.wrapped_native, spec.usdc].iter().chain(&spec.connectors) {
        if !ends.contains(token) && !connectors.contains(token) {
            connectors.push(*token);
        }
    }
    connectors
}

/// Every pool that a route of the pair may go through, without those between the two. `found`: V4 pools of the token,
/// the oldest first; `fees`: of V3, beyond the usual ones.
pub(super) fn candidates(spec: &ChainSpec, pair: Pair, found: &[Pool], fees: &[u32]) -> Vec<Link> {
    let (token, quote) = (erc20(spec, pair.token), erc20(spec, pair.quote));
    let connectors = connectors(spec, pair);
    let mut links = Vec::new();
    for (index, connector) in connectors.iter().enumerate() {
        links.extend(between(spec, token, *connector, fees));
        links.extend(between(spec, *connector, quote, &[]));
        let found = found.iter().take(V4_POOLS_MAX);
        let trades = |pool: &&Pool| UniswapV4.sides(spec, **pool, token, *connector).is_some();
        for hop in found.filter(trades).filter_map(uniswap_v4::hop) {
            let same = |link: &Link| (link.one, link.other, link.hop) == (token, *connector, hop);
            if !links.iter().any(same) {
                links.push(Link {
                    one: token,
                    other: *connector,
                    hop,
                    usual: false,
                });
            }
        }
        for other in connectors.iter().skip(index.saturating_add(1)) {
            links.extend(between(spec, *connector, *other, &[]));
        }
    }
    links
}

/// Pools of the usual shapes between two tokens.
fn between(spec: &ChainSpec, one: Address, other: Address, fees: &[u32]) -> Vec<Link> {
    let mut hops = Vec::new();
    let at = &spec.contracts;
    if uniswap_v3::is_there(at) {
        hops.extend(USUAL_V3_FEES.iter().chain(fees).map(|fee| Hop::V3(*fee)));
    }
    if !UniswapV2.candidates(spec, one, other).is_empty() {
        hops.push(Hop::V2);
    }
    let v4 = UniswapV4.candidates(spec, one, other);
    hops.extend(v4.iter().filter_map(uniswap_v4::hop));
    let link = |hop| Link {
        one,
        other,
        hop,
        usual: true,
    };
    hops.into_iter().map(link).collect()
}

impl Link {
    /// Reads its liquidity; `None` for a key that the contracts cannot take.
    pub(super) fn depth(&self, spec: &ChainSpec) -> Option<Read> {
        match self.hop {
            Hop::V2 => {
                let pair = uniswap_v2::address(spec, self.one, self.other);
                Some(Read::new(pair, &V2Pair::getReservesCall {}))
            }
            Hop::V3(fee) => {
                let pool = uniswap_v3::address(&spec.contracts, self.one, self.other, fee);
                Some(Read::new(pool, &V3Pool::liquidityCall {}))
            }
            Hop::V4(_) => pool_key::liquidity(spec, &self.hop.into()),
        }
    }

    /// What [`Link::depth`] read; zero if there is no such pool.
    pub(super) fn depth_of(&self, reading: &Reading) -> u128 {
        match self.hop {
            Hop::V2 => {
                let reserves = decode::<V2Pair::getReservesCall>(Some(reading));
                reserves.map_or(0, |reserves| {
                    let product = U256::from(reserves.reserve0).saturating_mul(U256::from(reserves.reserve1));
                    u128::try_from(product.root(2)).unwrap_or(u128::MAX)
                })
            }
            Hop::V3(_) => decode::<V3Pool::liquidityCall>(Some(reading)).unwrap_or_default(),
            Hop::V4(_) => pool_key::liquidity_of(reading),
        }
    }
}

/// The way through one pool.
pub(super) fn way(spec: &ChainSpec, hop: Hop, from: Address, to: Address) -> Option<Route> {
    let dex: &'static dyn Dex = match hop {
        Hop::V2 => &UniswapV2,
        Hop::V3(_) => &UniswapV3,
        Hop::V4(_) => &UniswapV4,
    };
    Route::through(dex, spec, hop.into(), from, to)
}

/// The pools that are there: all of the usual shapes, and of the others some. `depths`: of each of `links`.
pub(super) fn there(links: &[Link], depths: &[u128]) -> Links {
    let mut kept = Links::new();
    let mut found: HashMap<(Address, Address), Vec<(u128, Hop)>> = HashMap::new();
    for (link, depth) in links.iter().zip(depths).filter(|(_, depth)| **depth > 0) {
        let ends = (link.one, link.other);
        if link.usual {
            kept.entry(ends).or_default().push(link.hop);
        } else {
            found.entry(ends).or_default().push((*depth, link.hop));
        }
    }
    for (ends, mut oldest) in found {
        let mut others = oldest.split_off(oldest.len().min(FOUND_MAX.div_ceil(2)));
        others.sort_by_key(|(depth, _)| std::cmp::Reverse(*depth));
        let chosen = oldest.into_iter().chain(others).take(FOUND_MAX);
        kept.entry(ends).or_default().extend(chosen.map(|(_, hop)| hop));
    }
    let back = kept
        .iter()
        .map(|((one, other), hops)| ((*other, *one), hops.clone()));
    let back: Links = back.collect();
    kept.extend(back);
    kept
}
