//! Routes through pools of several versions of Uniswap: the Universal Router swaps in each of them in turn, in one
//! transaction. No router swaps in pools of Uniswap and of another exchange, so that none of those is on such a route.

use alloy_primitives::{Address, Bytes, U256};

use super::{
    api::{Bounds, Dex, Leg, Route, Router, Sides, When},
    assets::{erc20, pair_of},
    uniswap_v2::UniswapV2,
    uniswap_v3::UniswapV3,
    uniswap_v4::UniswapV4,
    universal_router,
};
use crate::{
    chain::{
        multicall::{Read, Reading},
        settings::ChainSpec,
    },
    domain::{
        onchain::SwapRequest,
        pool::{Hop, MixedPath, Pool},
    },
};

/// The exchanges whose pools such a route may go through.
const VERSIONS: [&dyn Dex; 3] = [&UniswapV4, &UniswapV3, &UniswapV2];

pub(super) struct Mixed;

/// A route through `hops` and the tokens between them, from the token on; `None`: one version of V3 alone swaps in it,
/// or the chain lacks the router.
pub(super) fn through(spec: &ChainSpec, hops: &[Hop], tokens: &[Address]) -> Option<Pool> {
    let path = MixedPath::new(hops, tokens)?;
    (!spec.contracts.universal_router.is_zero()).then_some(Pool::Mixed(path))
}

impl Dex for Mixed {
    fn name(&self) -> &'static str {
        "mixed"
    }

    fn has(&self, pool: &Pool) -> bool {
        path(pool).is_some()
    }

    fn candidates(&self, _: &ChainSpec, _: Address, _: Address) -> Vec<Pool> {
        vec![]
    }

    fn sides(&self, spec: &ChainSpec, pool: Pool, token_in: Address, token_out: Address) -> Option<Sides> {
        let path = path(&pool)?;
        // What a path goes through is neither of the two.
        let ends = [erc20(spec, token_in), erc20(spec, token_out)];
        if path.through().iter().any(|token| ends.contains(token)) {
            return None;
        }
        let backwards = pair_of(spec, token_in, token_out).token != token_in;
        let hops = hops(spec, path, token_in, token_out, backwards)?;
        Some(Sides {
            pays: hops.first()?.pays,
            gives: hops.last()?.gives,
        })
    }

    fn fee_bps(&self, spec: &ChainSpec, pool: &Pool) -> Option<u32> {
        let fee = |hop: Hop| {
            let pool = Pool::from(hop);
            version(&pool)?.fee_bps(spec, &pool)
        };
        let fees = path(pool)?.hops().into_iter().map(fee);
        fees.sum()
    }

    /// Each of its pools is asked alone.
    fn ask(&self, _: &ChainSpec, _: &Route, _: U256) -> Option<Read> {
        None
    }

    fn answer(&self, _: &Route, _: U256, _: Option<&Reading>) -> Option<U256> {
        None
    }

    fn hops(&self, spec: &ChainSpec, route: &Route) -> Vec<Route> {
        let hops =
            path(&route.pool).and_then(|path| hops(spec, path, route.pays, route.gives, route.backwards));
        hops.unwrap_or_default()
    }

    fn router(&self, spec: &ChainSpec, _: &SwapRequest, _: &Route) -> Router {
        universal_router::router(spec)
    }

    fn swap(&self, spec: &ChainSpec, request: &SwapRequest, route: &Route, bounds: &Bounds) -> Option<Bytes> {
        universal_router::swap(spec, request, &self.hops(spec, route), bounds)
    }

    fn measures_receiver(&self, route: &Route) -> bool {
        let Some(hops) = path(&route.pool).map(MixedPath::hops) else {
            return false;
        };
        let last = if route.backwards {
            hops.first()
        } else {
            hops.last()
        };
        let pool = last.copied().map(Pool::from);
        pool.and_then(|pool| version(&pool))
            .is_some_and(|dex| dex.measures_receiver(route))
    }

    fn price(&self, spec: &ChainSpec, route: &Route, when: When) -> Result<Vec<Leg>, String> {
        if when == When::Mean {
            return Err(
                "routes through pools of several versions are not averaged; use the source onchain"
                    .to_owned(),
            );
        }
        let mut legs = Vec::new();
        for hop in self.hops(spec, route) {
            legs.extend(hop.dex.price(spec, &hop, when)?);
        }
        Ok(legs)
    }

    fn asked(&self, _: &ChainSpec, pools: &[Pool]) -> String {
        if pools.is_empty() {
            return String::new();
        }
        format!("{} through pools of several versions", pools.len())
    }
}

const fn path(pool: &Pool) -> Option<&MixedPath> {
    if let Pool::Mixed(path) = pool {
        Some(path)
    } else {
        None
    }
}

fn version(pool: &Pool) -> Option<&'static dyn Dex> {
    VERSIONS.into_iter().find(|dex| dex.has(pool))
}

/// The pools in the order in which a swap goes through them; `backwards`: from the quote to the token.
fn hops(
    spec: &ChainSpec,
    path: &MixedPath,
    token_in: Address,
    token_out: Address,
    backwards: bool,
) -> Option<Vec<Route>> {
    let (mut pools, mut through) = (path.hops(), path.through());
    if backwards {
        pools.reverse();
        through.reverse();
    }
    let nears = std::iter::once(token_in).chain(through.iter().copied());
    let fars = through.iter().copied().chain([token_out]);
    let routes = pools.into_iter().zip(nears.zip(fars)).map(|(hop, (near, far))| {
        let pool = Pool::from(hop);
        Route::through(version(&pool)?, spec, pool, near, far)
    });
    routes.collect()
}
