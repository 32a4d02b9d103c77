//! PancakeSwap V3: pools as Uniswap V3 has them, made by a deployer of their own and swapped through a router of their
//! own.

use alloy::sol_types::SolValue;
use alloy_primitives::{Address, B256, Bytes, U256, b256, keccak256};

use super::{
    api::{Bounds, Router},
    family::{Family, Way},
    periphery,
};
use crate::{
    chain::{
        contracts::Periphery,
        multicall::{Read, Reading, decode},
        settings::ChainSpec,
    },
    domain::{contracts::Contracts, onchain::SwapRequest, pool::Pool},
};

/// The hash that the router computes addresses of pools with.
const INIT_CODE: B256 = b256!("0x6ce8eb472fa82df5469c6ab6d485f17c3ad13c8cd7af59b3d4a8026c5ce0f7e2");

pub(super) struct PancakeV3;

impl Family for PancakeV3 {
    const NAME: &'static str = "PancakeSwap V3";
    const FEES: &'static [u32] = &[100, 500, 2_500, 10_000];

    fn way(pool: &Pool) -> Option<Way> {
        if let Pool::Pancake(fee) = *pool {
            Some(Way::One(fee))
        } else if let Pool::PancakeHops(first, second) = *pool {
            Some(Way::Two(first, second))
        } else {
            None
        }
    }

    fn pool(way: Way) -> Pool {
        match way {
            Way::One(fee) => Pool::Pancake(fee),
            Way::Two(first, second) => Pool::PancakeHops(first, second),
        }
    }

    fn is_deployed(at: &Contracts) -> bool {
        !at.pancake_v3_quoter.is_zero() && !at.pancake_v3_router.is_zero()
    }

    fn quoter(at: &Contracts) -> Address {
        at.pancake_v3_quoter
    }

    fn address(at: &Contracts, one: Address, other: Address, fee: u32) -> Address {
        let salt = keccak256((one.min(other), one.max(other), U256::from(fee)).abi_encode());
        at.pancake_v3_deployer.create2(salt, INIT_CODE)
    }

    /// Router and pools belong together: the pools of another deployer it would never pay.
    fn precondition(at: &Contracts) -> Option<Read> {
        Some(Read::new(at.pancake_v3_router, &Periphery::deployerCall {}))
    }

    fn holds(at: &Contracts, reading: Option<&Reading>) -> bool {
        decode::<Periphery::deployerCall>(reading) == Some(at.pancake_v3_deployer)
    }

    fn router(spec: &ChainSpec, _: &SwapRequest) -> Router {
        periphery::router(spec.contracts.pancake_v3_router)
    }

    fn swap(_: &ChainSpec, request: &SwapRequest, path: Bytes, bounds: &Bounds) -> Bytes {
        periphery::swap(request, path, bounds)
    }
}
