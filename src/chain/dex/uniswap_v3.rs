//! Uniswap V3: one pool for two tokens and a fee, or two pools through the wrapped native coin. Swapped through
//! SwapRouter02, or through the Universal Router where the wallet's balance must be checked.

use alloy::sol_types::{SolCall, SolValue};
use alloy_primitives::{Address, B256, Bytes, U256, b256, keccak256};

use super::{
    api::{Bounds, Dex, Fee, Leg, MEAN_SECONDS, Route, Router, Sides, When},
    assets::{Pair, erc20, is_foreign, pair_of},
    math::{Ratio, mean_tick, sqrt_price_at},
    price::{of_root, unanswered},
    swap_router,
    universal_router::{self, Step},
};
use crate::{
    chain::{
        contracts::{SwapRouter, V3Pool, V3Quoter},
        discovery::USUAL_V3_FEES,
        multicall::{Read, Reading, decode},
        settings::ChainSpec,
    },
    domain::{
        onchain::SwapRequest,
        pool::{NATIVE, Pool},
    },
};

/// The hash that SwapRouter02 computes addresses of pools with.
const INIT_CODE: B256 = b256!("0xe34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54");

pub(super) struct UniswapV3;

/// The fees of the pools between token and quote, in hundredths of a basis point.
#[derive(Clone, Copy)]
enum Way {
    One(u32),
    /// From the token to the wrapped native coin, and from there to the quote.
    Two(u32, u32),
}

impl Way {
    /// `None`: no pool of V3.
    const fn of(pool: &Pool) -> Option<Self> {
        if let Pool::V3(fee) = *pool {
            Some(Self::One(fee))
        } else if let Pool::V3Hops(first, second) = *pool {
            Some(Self::Two(first, second))
        } else {
            None
        }
    }
}

/// Pools of fees that only this chain's factory has: between the two, or through the wrapped native coin to USDC.
pub(super) fn of_fees(spec: &ChainSpec, pair: Pair, fees: &[u32]) -> Vec<Pool> {
    let usual = UniswapV3.candidates(spec, pair.token, pair.quote);
    if usual.is_empty() {
        return usual;
    }
    let hops = usual
        .iter()
        .any(|pool| matches!(Way::of(pool), Some(Way::Two(..))));
    let mut pools = Vec::new();
    for first in fees {
        pools.push(Pool::V3(*first));
        if hops {
            pools.extend(USUAL_V3_FEES.map(|second| Pool::V3Hops(*first, second)));
        }
    }
    pools
}

impl Dex for UniswapV3 {
    fn name(&self) -> &'static str {
        "V3"
    }

    fn has(&self, pool: &Pool) -> bool {
        Way::of(pool).is_some()
    }

    fn candidates(&self, spec: &ChainSpec, token_in: Address, token_out: Address) -> Vec<Pool> {
        if spec.contracts.v3_quoter.is_zero() || spec.contracts.swap_router.is_zero() {
            return vec![];
        }
        let mut pools = USUAL_V3_FEES.map(Pool::V3).to_vec();
        let Pair { token, quote } = pair_of(spec, token_in, token_out);
        if quote == spec.usdc && erc20(spec, token) != spec.wrapped_native {
            let hops = USUAL_V3_FEES
                .iter()
                .flat_map(|first| USUAL_V3_FEES.map(|second| Pool::V3Hops(*first, second)));
            pools.extend(hops);
        }
        pools
    }

    fn sides(&self, spec: &ChainSpec, pool: Pool, token_in: Address, token_out: Address) -> Option<Sides> {
        self.has(&pool).then(|| Sides {
            pays: erc20(spec, token_in),
            gives: erc20(spec, token_out),
        })
    }

    fn fee_bps(&self, pool: &Pool) -> u32 {
        let bps = |hundredths: u32| hundredths.div_ceil(100);
        match Way::of(pool) {
            Some(Way::One(fee)) => bps(fee),
            Some(Way::Two(first, second)) => bps(first).saturating_add(bps(second)),
            None => 0,
        }
    }

    fn ask(&self, spec: &ChainSpec, route: &Route, amount: U256) -> Option<Read> {
        let call = V3Quoter::quoteExactInputCall {
            path: path(spec, route)?,
            amountIn: amount,
        };
        Some(Read::new(spec.contracts.v3_quoter, &call))
    }

    fn answer(&self, _: &Route, _: U256, reading: Option<&Reading>) -> Option<U256> {
        let out = decode::<V3Quoter::quoteExactInputCall>(reading)?.amountOut;
        (!out.is_zero()).then_some(out)
    }

    /// A foreign token is bought through the Universal Router, which can check the wallet's balance afterwards.
    /// Everything else goes through SwapRouter02, which needs one approval less.
    fn router(&self, spec: &ChainSpec, request: &SwapRequest, _: &Route) -> Router {
        if through_universal(spec, request) {
            universal_router::router(spec)
        } else {
            swap_router::router(spec)
        }
    }

    fn swap(&self, spec: &ChainSpec, request: &SwapRequest, route: &Route, bounds: &Bounds) -> Option<Bytes> {
        let path = path(spec, route)?;
        if through_universal(spec, request) {
            let steps = universal_steps(request, path, bounds);
            return Some(universal_router::execute(spec, request, bounds, steps));
        }
        let swap = SwapRouter::exactInputCall {
            params: SwapRouter::ExactInputParams {
                path,
                recipient: swap_router::recipient(request),
                amountIn: request.amount_in.units(),
                amountOutMinimum: bounds.amount_out_min,
            },
        };
        Some(swap_router::multicall(request, bounds, swap.abi_encode()))
    }

    fn has_history(&self) -> bool {
        true
    }

    fn price(&self, spec: &ChainSpec, route: &Route, when: When) -> Result<Vec<Leg>, String> {
        let leg = |near: Address, far: Address, fee: u32| {
            let pool = pool_address(spec.contracts.v3_factory, near, far, fee);
            let (read, ratio): (_, fn(&Reading, bool) -> _) = match when {
                When::Now => (Read::new(pool, &V3Pool::slot0Call {}), ratio_now),
                When::Mean => {
                    let window = vec![MEAN_SECONDS, 0];
                    let observe = V3Pool::observeCall { secondsAgos: window };
                    (Read::new(pool, &observe), ratio_mean)
                }
            };
            Leg {
                read,
                token_is_zero: near < far,
                ratio,
                fee: Fee::Fixed(fee),
            }
        };
        let (pays, gives, wrapped) = (route.pays, route.gives, spec.wrapped_native);
        match Way::of(&route.pool) {
            Some(Way::One(fee)) => Ok(vec![leg(pays, gives, fee)]),
            Some(Way::Two(first, second)) => {
                let (near, far) = in_order(route, first, second);
                Ok(vec![leg(pays, wrapped, near), leg(wrapped, gives, far)])
            }
            None => Err(format!("{} is no V3 pool", route.pool)),
        }
    }

    fn asked(&self, _: &ChainSpec, pools: &[Pool]) -> String {
        let hops = pools
            .iter()
            .filter(|pool| matches!(Way::of(pool), Some(Way::Two(..))))
            .count();
        format!(
            "{} of V3, {hops} of V3 in two hops",
            pools.len().saturating_sub(hops)
        )
    }
}

fn through_universal(spec: &ChainSpec, request: &SwapRequest) -> bool {
    !spec.contracts.universal_router.is_zero() && is_foreign(spec, request.token_out)
}

/// Wraps the native coin, swaps, and lets the pool pay the wallet.
fn universal_steps(request: &SwapRequest, path: Bytes, bounds: &Bounds) -> Vec<Step> {
    let amount_in = request.amount_in.units();
    let wallet_pays = request.token_in != NATIVE;
    let mut steps = Vec::new();
    if !wallet_pays {
        steps.push(universal_router::wrap(amount_in));
    }
    steps.push(universal_router::v3_swap(
        amount_in,
        bounds.amount_out_min,
        path,
        wallet_pays,
    ));
    steps
}

/// The fees of two hops in the order in which the swap goes through them.
const fn in_order(route: &Route, first: u32, second: u32) -> (u32, u32) {
    if route.backwards {
        (second, first)
    } else {
        (first, second)
    }
}

/// Tokens and fees on the way, as V3 reads them.
fn path(spec: &ChainSpec, route: &Route) -> Option<Bytes> {
    let steps = match Way::of(&route.pool)? {
        Way::One(fee) => vec![(route.pays, fee), (route.gives, 0)],
        Way::Two(first, second) => {
            let (near, far) = in_order(route, first, second);
            vec![(route.pays, near), (spec.wrapped_native, far), (route.gives, 0)]
        }
    };
    let mut path = Vec::new();
    let last = steps.len().saturating_sub(1);
    for (index, (token, fee)) in steps.into_iter().enumerate() {
        path.extend_from_slice(token.as_slice());
        if index < last {
            path.extend(fee.to_be_bytes().into_iter().skip(1));
        }
    }
    Some(path.into())
}

/// The address of the pool of two tokens.
fn pool_address(factory: Address, one: Address, other: Address, fee: u32) -> Address {
    let salt = keccak256((one.min(other), one.max(other), U256::from(fee)).abi_encode());
    factory.create2(salt, INIT_CODE)
}

fn ratio_now(reading: &Reading, token_is_zero: bool) -> Result<Ratio, String> {
    let state = decode::<V3Pool::slot0Call>(Some(reading)).ok_or_else(|| unanswered(reading))?;
    of_root(U256::from(state.sqrtPriceX96), token_is_zero)
}

fn ratio_mean(reading: &Reading, token_is_zero: bool) -> Result<Ratio, String> {
    let sums = decode::<V3Pool::observeCall>(Some(reading)).ok_or_else(|| unanswered(reading))?;
    let tick = match sums.tickCumulatives.as_slice() {
        [earlier, later] => mean_tick(earlier.as_i64(), later.as_i64(), MEAN_SECONDS),
        _ => None,
    };
    let root = tick.and_then(sqrt_price_at).ok_or_else(|| unanswered(reading))?;
    of_root(root, token_is_zero)
}
