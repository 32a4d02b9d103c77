//! Uniswap V3: swapped through SwapRouter02, or through the Universal Router where the wallet's balance must be
//! checked.

use alloy::sol_types::{SolCall, SolValue};
use alloy_primitives::{Address, B256, Bytes, U256, b256, keccak256};

use super::{
    api::{Bounds, Dex, Router},
    assets::{Pair, is_foreign},
    command::{self, Stage, Step},
    family::{Family, Way},
    swap_router, universal_router,
};
use crate::{
    chain::{contracts::SwapRouter, discovery::USUAL_V3_FEES, settings::ChainSpec},
    domain::{
        contracts::Contracts,
        onchain::SwapRequest,
        pool::{Pool, TokenPath},
    },
};

/// The hash that SwapRouter02 computes addresses of pools with.
const INIT_CODE: B256 = b256!("0xe34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54");

pub(super) struct UniswapV3;

/// Pools of fees that only this chain's factory has: between the two, or through the wrapped native coin to USDC.
pub(super) fn of_fees(spec: &ChainSpec, pair: Pair, fees: &[u32]) -> Vec<Pool> {
    let usual = UniswapV3.candidates(spec, pair.token, pair.quote);
    if usual.is_empty() {
        return usual;
    }
    let hops = usual
        .iter()
        .any(|pool| matches!(UniswapV3::way(pool), Some(Way::Two(..))));
    let mut pools = Vec::new();
    for first in fees {
        pools.push(Pool::V3(*first));
        if hops {
            pools.extend(USUAL_V3_FEES.map(|second| Pool::V3Hops(*first, second)));
        }
    }
    pools
}

/// The pool of two tokens and a fee, whether it exists or not.
pub(super) fn address(at: &Contracts, one: Address, other: Address, fee: u32) -> Address {
    UniswapV3::address(at, one, other, fee)
}

/// Whether the chain has what routes need.
pub(super) fn is_there(at: &Contracts) -> bool {
    UniswapV3::is_deployed(at)
}

/// Two or three pools with `through` between them, from the token on; `None`: another number of them, or the chain
/// lacks what they need.
pub(super) fn through(at: &Contracts, fees: &[u32], through: &[Address]) -> Option<Pool> {
    let (first, second, last) = match (fees, through) {
        ([first, last], [one]) => ((*first, *one), None, *last),
        ([first, second, last], [one, two]) => ((*first, *one), Some((*second, *two)), *last),
        _ => return None,
    };
    is_there(at).then_some(Pool::V3Path(TokenPath { first, second, last }))
}

impl Family for UniswapV3 {
    const NAME: &'static str = "V3";
    const FEES: &'static [u32] = &USUAL_V3_FEES;

    fn way(pool: &Pool) -> Option<Way> {
        if let Pool::V3(fee) = *pool {
            Some(Way::One(fee))
        } else if let Pool::V3Hops(first, second) = *pool {
            Some(Way::Two(first, second))
        } else {
            None
        }
    }

    fn path(pool: &Pool) -> Option<TokenPath> {
        if let Pool::V3Path(path) = *pool {
            Some(path)
        } else {
            None
        }
    }

    fn pool(way: Way) -> Pool {
        match way {
            Way::One(fee) => Pool::V3(fee),
            Way::Two(first, second) => Pool::V3Hops(first, second),
        }
    }

    fn is_deployed(at: &Contracts) -> bool {
        !at.v3_quoter.is_zero() && !at.swap_router.is_zero()
    }

    fn quoter(at: &Contracts) -> Address {
        at.v3_quoter
    }

    fn address(at: &Contracts, one: Address, other: Address, fee: u32) -> Address {
        let salt = keccak256((one.min(other), one.max(other), U256::from(fee)).abi_encode());
        at.v3_factory.create2(salt, INIT_CODE)
    }

    /// A foreign token is bought through the Universal Router, which can check the wallet's balance afterwards.
    /// Everything else goes through SwapRouter02, which needs one approval less.
    fn router(spec: &ChainSpec, request: &SwapRequest) -> Router {
        if Self::is_universal(spec, request) {
            universal_router::router(spec)
        } else {
            swap_router::router(spec)
        }
    }

    fn is_universal(spec: &ChainSpec, request: &SwapRequest) -> bool {
        !spec.contracts.universal_router.is_zero() && is_foreign(spec, request.token_out)
    }

    fn step(path: Bytes, stage: &Stage) -> Option<Step> {
        Some(command::v3_swap(path, stage))
    }

    fn swap(_: &ChainSpec, request: &SwapRequest, path: Bytes, bounds: &Bounds) -> Bytes {
        let swap = SwapRouter::exactInputCall {
            params: SwapRouter::ExactInputParams {
                path,
                recipient: swap_router::recipient(request),
                amountIn: request.amount_in.units(),
                amountOutMinimum: bounds.amount_out_min,
            },
        };
        swap_router::multicall(request, bounds, swap.abi_encode())
    }
}
