//! Aerodrome's Slipstream: pools as Uniswap V3 has them, named by the distance of their ticks, with a fee that a module
//! sets. Each deployment has a factory, a quoter and a router of its own.

use alloy::sol_types::SolValue;
use alloy_primitives::{Address, Bytes, U256, keccak256};

use super::{
    api::{Bounds, Router},
    clone::clone_of,
    family::{Family, Way},
    periphery,
};
use crate::{
    chain::{
        contracts::Periphery,
        multicall::{Read, Reading, decode},
        settings::ChainSpec,
    },
    domain::{
        contracts::Contracts,
        onchain::SwapRequest,
        pool::{Pool, Slipstream},
    },
};

/// A deployment.
pub(super) struct Of<const N: usize>;

pub(super) const INITIAL: Of<0> = Of;
pub(super) const CAPS: Of<1> = Of;
pub(super) const V3: Of<2> = Of;

/// What is deployed.
struct Deployed {
    factory: Address,
    pool: Address,
    quoter: Address,
    router: Address,
}

impl<const N: usize> Of<N> {
    const WHICH: Slipstream = match N {
        0 => Slipstream::Initial,
        1 => Slipstream::Caps,
        _ => Slipstream::V3,
    };

    const fn at(at: &Contracts) -> Deployed {
        match Self::WHICH {
            Slipstream::Initial => Deployed {
                factory: at.slipstream_factory,
                pool: at.slipstream_pool,
                quoter: at.slipstream_quoter,
                router: at.slipstream_router,
            },
            Slipstream::Caps => Deployed {
                factory: at.slipstream_caps_factory,
                pool: at.slipstream_caps_pool,
                quoter: at.slipstream_caps_quoter,
                router: at.slipstream_caps_router,
            },
            Slipstream::V3 => Deployed {
                factory: at.slipstream_v3_factory,
                pool: at.slipstream_v3_pool,
                quoter: at.slipstream_v3_quoter,
                router: at.slipstream_v3_router,
            },
        }
    }
}

impl<const N: usize> Family for Of<N> {
    const NAME: &'static str = match Self::WHICH {
        Slipstream::Initial => "Slipstream",
        Slipstream::Caps => "Slipstream (caps)",
        Slipstream::V3 => "Slipstream (V3)",
    };
    const FEES: &'static [u32] = &[1, 10, 50, 100, 200, 2_000];
    const FAR: &'static [u32] = &[50, 100];

    fn way(pool: &Pool) -> Option<Way> {
        match *pool {
            Pool::Slipstream(which, spacing) if which == Self::WHICH => Some(Way::One(spacing)),
            Pool::SlipstreamHops(which, first, second) if which == Self::WHICH => {
                Some(Way::Two(first, second))
            }
            _ => None,
        }
    }

    fn pool(way: Way) -> Pool {
        match way {
            Way::One(spacing) => Pool::Slipstream(Self::WHICH, spacing),
            Way::Two(first, second) => Pool::SlipstreamHops(Self::WHICH, first, second),
        }
    }

    fn is_deployed(at: &Contracts) -> bool {
        let at = Self::at(at);
        !at.quoter.is_zero() && !at.router.is_zero()
    }

    fn quoter(at: &Contracts) -> Address {
        Self::at(at).quoter
    }

    /// A clone of the pool's code, made by the factory.
    fn address(at: &Contracts, one: Address, other: Address, spacing: u32) -> Address {
        let at = Self::at(at);
        let salt = keccak256((one.min(other), one.max(other), U256::from(spacing)).abi_encode());
        clone_of(at.pool, at.factory, salt)
    }

    /// Router and factory belong together: the pools of another one it would never pay.
    fn precondition(at: &Contracts) -> Option<Read> {
        Some(Read::new(Self::at(at).router, &Periphery::factoryCall {}))
    }

    fn holds(at: &Contracts, reading: Option<&Reading>) -> bool {
        decode::<Periphery::factoryCall>(reading) == Some(Self::at(at).factory)
    }

    /// A module of the factory sets it, and may change it at any time.
    fn fee(_: u32) -> Option<u32> {
        None
    }

    fn router(spec: &ChainSpec, _: &SwapRequest) -> Router {
        periphery::router(Self::at(&spec.contracts).router)
    }

    fn swap(_: &ChainSpec, request: &SwapRequest, path: Bytes, bounds: &Bounds) -> Bytes {
        periphery::swap(request, path, bounds)
    }
}
