//! Uniswap V4: pools inside one manager, named by both currencies, fee, tick spacing and hook. Swapped through the
//! Universal Router.

use alloy_primitives::{Address, Bytes, U256};

use super::{
    api::{Bounds, Dex, Fee, Leg, Route, Router, Sides, When},
    assets::forms,
    command::{self, Stage, Step, V4Swap},
    math::Ratio,
    price::{of_root, unanswered},
    universal_router,
};
use crate::{
    chain::{
        contracts::{V4PoolManager, V4Quoter, V4StateView},
        multicall::{Read, Reading, decode},
        pool_key::{contract_key, id, state_slot},
        settings::ChainSpec,
    },
    domain::{
        onchain::SwapRequest,
        pool::{DYNAMIC_FEE, HookShape, Hop, Pool, PoolKey},
    },
};

/// The usual pools without a hook.
const PLAIN: [HookShape; 4] = [
    plain(100, 1),
    plain(500, 10),
    plain(3_000, 60),
    plain(10_000, 200),
];

const fn plain(fee: u32, tick_spacing: i32) -> HookShape {
    HookShape {
        hook: Address::ZERO,
        fee,
        tick_spacing,
    }
}

/// Gas of both payments, units: the quoter settles and takes nothing.
const GAS_PAID: u64 = 60_000;

pub(super) struct UniswapV4;

impl Dex for UniswapV4 {
    fn name(&self) -> &'static str {
        "V4"
    }

    fn has(&self, pool: &Pool) -> bool {
        key(pool).is_some()
    }

    fn candidates(&self, spec: &ChainSpec, token_in: Address, token_out: Address) -> Vec<Pool> {
        if spec.contracts.v4_quoter.is_zero() || spec.contracts.universal_router.is_zero() {
            return vec![];
        }
        let shapes: Vec<HookShape> = PLAIN.into_iter().chain(spec.v4_hooks.iter().copied()).collect();
        let mut pools = Vec::new();
        for first in forms(spec, token_in) {
            for second in forms(spec, token_out) {
                if first == second {
                    continue;
                }
                pools.extend(shapes.iter().map(|shape| {
                    Pool::V4(PoolKey {
                        currency0: first.min(second),
                        currency1: first.max(second),
                        fee: shape.fee,
                        tick_spacing: shape.tick_spacing,
                        hooks: shape.hook,
                    })
                }));
            }
        }
        pools
    }

    fn sides(&self, spec: &ChainSpec, pool: Pool, token_in: Address, token_out: Address) -> Option<Sides> {
        let key = key(&pool)?;
        let holds = |asset, currency| forms(spec, asset).contains(&currency);
        if holds(token_in, key.currency0) && holds(token_out, key.currency1) {
            Some(Sides {
                pays: key.currency0,
                gives: key.currency1,
            })
        } else if holds(token_in, key.currency1) && holds(token_out, key.currency0) {
            Some(Sides {
                pays: key.currency1,
                gives: key.currency0,
            })
        } else {
            None
        }
    }

    fn fee_bps(&self, _: &ChainSpec, pool: &Pool) -> Option<u32> {
        let fee = key(pool)?.fee;
        (fee != DYNAMIC_FEE).then(|| fee.div_ceil(100))
    }

    fn ask(&self, spec: &ChainSpec, route: &Route, amount: U256) -> Option<Read> {
        let params = V4Quoter::QuoteExactSingleParams {
            poolKey: contract_key(key(&route.pool)?)?,
            zeroForOne: route.zero_for_one(),
            exactAmount: u128::try_from(amount).ok()?,
            hookData: Bytes::new(),
        };
        let call = V4Quoter::quoteExactInputSingleCall { params };
        Some(Read::new(spec.contracts.v4_quoter, &call))
    }

    fn answer(&self, _: &Route, _: U256, reading: Option<&Reading>) -> Option<U256> {
        let out = decode::<V4Quoter::quoteExactInputSingleCall>(reading)?.amountOut;
        (!out.is_zero()).then_some(out)
    }

    fn gas(&self, reading: Option<&Reading>) -> u64 {
        let said = decode::<V4Quoter::quoteExactInputSingleCall>(reading);
        let swap = said.map_or(0, |said| u64::try_from(said.gasEstimate).unwrap_or(u64::MAX));
        swap.saturating_add(GAS_PAID)
    }

    fn router(&self, spec: &ChainSpec, _: &SwapRequest, _: &Route) -> Router {
        universal_router::router(spec)
    }

    fn swap(&self, spec: &ChainSpec, request: &SwapRequest, route: &Route, bounds: &Bounds) -> Option<Bytes> {
        universal_router::swap(spec, request, &[*route], bounds)
    }

    fn step(&self, _: &ChainSpec, route: &Route, stage: &Stage) -> Option<Step> {
        let swap = V4Swap {
            key: contract_key(key(&route.pool)?)?,
            zero_for_one: route.zero_for_one(),
            pays: route.pays,
            gives: route.gives,
        };
        command::v4_swap(swap, stage)
    }

    fn price(&self, spec: &ChainSpec, route: &Route, when: When) -> Result<Vec<Leg>, String> {
        if when == When::Mean {
            return Err("V4 pools keep no history; use the source onchain".to_owned());
        }
        let key = key(&route.pool).ok_or("no such V4 pool")?;
        let id = id(key).ok_or("no such V4 pool")?;
        let contracts = &spec.contracts;
        type Of<T> = fn(&Reading, bool) -> T;
        let (read, ratio, fee): (_, Of<_>, Of<Option<u32>>) = if contracts.v4_state_view.is_zero() {
            let slot = state_slot(id);
            let call = V4PoolManager::extsloadCall { slot };
            let read = Read::new(contracts.v4_pool_manager, &call);
            (read, ratio_of_word, fee_of_word)
        } else {
            let call = V4StateView::getSlot0Call { poolId: id };
            let read = Read::new(contracts.v4_state_view, &call);
            (read, ratio_of_view, fee_of_view)
        };
        Ok(vec![Leg {
            read,
            token_is_zero: route.zero_for_one(),
            ratio,
            fee: if key.hooks.is_zero() {
                Fee::Stated(fee)
            } else {
                Fee::Hooked(fee)
            },
        }])
    }

    fn asked(&self, spec: &ChainSpec, pools: &[Pool]) -> String {
        format!("{} of V4 (hooks: {})", pools.len(), spec.v4_hooks.len())
    }
}

const fn key(pool: &Pool) -> Option<&PoolKey> {
    if let Pool::V4(key) = pool { Some(key) } else { None }
}

/// The pool as a part of a route; `None` for a pool of another version.
pub(super) fn hop(pool: &Pool) -> Option<Hop> {
    key(pool).map(|key| Hop::V4(*key))
}

/// The hook of a pool of V4; `None` without one.
pub(super) fn hook(pool: &Pool) -> Option<Address> {
    key(pool).map(|key| key.hooks).filter(|hook| !hook.is_zero())
}

fn ratio_of_view(reading: &Reading, token_is_zero: bool) -> Result<Ratio, String> {
    let state = decode::<V4StateView::getSlot0Call>(Some(reading)).ok_or_else(|| unanswered(reading))?;
    of_root(U256::from(state.sqrtPriceX96), token_is_zero)
}

fn fee_of_view(reading: &Reading, zero_for_one: bool) -> Option<u32> {
    let state = decode::<V4StateView::getSlot0Call>(Some(reading))?;
    Some(fee(state.protocolFee.to(), state.lpFee.to(), zero_for_one))
}

/// Above the price and 24 bits of the tick, the word has 24 bits for each fee.
fn fee_of_word(reading: &Reading, zero_for_one: bool) -> Option<u32> {
    let word = U256::from_be_bytes(decode::<V4PoolManager::extsloadCall>(Some(reading))?.0);
    let bits = |from: usize| (word >> from & U256::from(0x00ff_ffff)).to::<u32>();
    Some(fee(bits(184), bits(208), zero_for_one))
}

/// The protocol's share, 12 bits for each direction, is taken first, and the providers' of the rest; millionths.
fn fee(protocol: u32, providers: u32, zero_for_one: bool) -> u32 {
    let protocol = if zero_for_one {
        protocol & 0xfff
    } else {
        protocol >> 12
    };
    let both = u64::from(protocol).saturating_mul(u64::from(providers));
    let both = u32::try_from(both.div_euclid(1_000_000)).unwrap_or(u32::MAX);
    protocol.saturating_add(providers).saturating_sub(both)
}

/// The square-root price is the lowest 160 bits of the pool's first word.
fn ratio_of_word(reading: &Reading, token_is_zero: bool) -> Result<Ratio, String> {
    let word = decode::<V4PoolManager::extsloadCall>(Some(reading)).ok_or_else(|| unanswered(reading))?;
    of_root(
        U256::from_be_slice(word.get(12..).unwrap_or_default()),
        token_is_zero,
    )
}
