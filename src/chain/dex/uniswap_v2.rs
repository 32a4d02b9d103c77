//! Uniswap V2: one pair for two tokens, swapped through SwapRouter02.

use alloy_primitives::{Address, B256, Bytes, U256, U512, b256};

use super::{
    api::{Bounds, Dex, Fee, Leg, Route, Router, Sides, When},
    assets::erc20,
    command::{self, Stage, Step},
    math::Ratio,
    price::unanswered,
    rate::Rate,
    swap_router,
};
use crate::{
    chain::{
        contracts::{SwapRouter, V2Pair},
        multicall::{Read, Reading, decode},
        settings::ChainSpec,
        v2_forks::pair,
    },
    domain::{onchain::SwapRequest, pool::Pool},
};

use alloy::sol_types::SolCall;

/// The hash that SwapRouter02 computes addresses of pairs with.
const INIT_CODE: B256 = b256!("0x96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f");
/// 0.3 %.
const FEE_BPS: u32 = 30;

pub(super) struct UniswapV2;

impl Dex for UniswapV2 {
    fn name(&self) -> &'static str {
        "V2"
    }

    fn has(&self, pool: &Pool) -> bool {
        *pool == Pool::V2
    }

    fn candidates(&self, spec: &ChainSpec, _: Address, _: Address) -> Vec<Pool> {
        if spec.contracts.v2_factory.is_zero() || spec.contracts.swap_router.is_zero() {
            return vec![];
        }
        vec![Pool::V2]
    }

    fn sides(&self, spec: &ChainSpec, pool: Pool, token_in: Address, token_out: Address) -> Option<Sides> {
        self.has(&pool).then(|| Sides {
            pays: erc20(spec, token_in),
            gives: erc20(spec, token_out),
        })
    }

    /// The router has a factory built in: the pairs of another one it would never find.
    fn precondition(&self, spec: &ChainSpec) -> Option<Read> {
        Some(Read::new(
            spec.contracts.swap_router,
            &SwapRouter::factoryV2Call {},
        ))
    }

    fn holds(&self, spec: &ChainSpec, reading: Option<&Reading>) -> bool {
        decode::<SwapRouter::factoryV2Call>(reading) == Some(spec.contracts.v2_factory)
    }

    fn fee_bps(&self, _: &ChainSpec, _: &Pool) -> Option<u32> {
        Some(FEE_BPS)
    }

    fn ask(&self, spec: &ChainSpec, route: &Route, _: U256) -> Option<Read> {
        Some(reserves(spec, route))
    }

    fn answer(&self, route: &Route, amount: U256, reading: Option<&Reading>) -> Option<U256> {
        let (reserve_in, reserve_out) = sided(route, reading)?;
        let (numerator, denominator) = amount_out(amount, reserve_in, reserve_out)?;
        let out = numerator.checked_div(denominator)?;
        (!out.is_zero()).then_some(out)
    }

    /// The formula says it to the last digit.
    fn most(&self, route: &Route, amount: U256, _: U256, reading: Option<&Reading>) -> Option<Rate> {
        let (reserve_in, reserve_out) = sided(route, reading)?;
        let (numerator, denominator) = amount_out(amount, reserve_in, reserve_out)?;
        let per = U512::from(denominator).checked_mul(U512::from(amount))?;
        Some(Rate::new(U512::from(numerator), per))
    }

    fn router(&self, spec: &ChainSpec, _: &SwapRequest, _: &Route) -> Router {
        swap_router::router(spec)
    }

    fn swap(&self, _: &ChainSpec, request: &SwapRequest, route: &Route, bounds: &Bounds) -> Option<Bytes> {
        let swap = SwapRouter::swapExactTokensForTokensCall {
            amountIn: request.amount_in.units(),
            amountOutMin: bounds.amount_out_min,
            path: vec![route.pays, route.gives],
            to: swap_router::recipient(request),
        };
        Some(swap_router::multicall(request, bounds, swap.abi_encode()))
    }

    fn addresses(&self, spec: &ChainSpec, route: &Route) -> Vec<Address> {
        vec![address(spec, route.pays, route.gives)]
    }

    fn step(&self, _: &ChainSpec, route: &Route, stage: &Stage) -> Option<Step> {
        Some(command::v2_swap(vec![route.pays, route.gives], stage))
    }

    fn measures_receiver(&self, _: &Route) -> bool {
        true
    }

    fn price(&self, spec: &ChainSpec, route: &Route, when: When) -> Result<Vec<Leg>, String> {
        match when {
            When::Now => Ok(vec![Leg {
                read: reserves(spec, route),
                token_is_zero: route.zero_for_one(),
                ratio,
                fee: Fee::Fixed(FEE_BPS.saturating_mul(100)),
            }]),
            When::Mean => Err("V2 pairs are not averaged; use the source onchain".to_owned()),
        }
    }
}

/// The pair of two tokens, whether it exists or not.
pub(super) fn address(spec: &ChainSpec, one: Address, other: Address) -> Address {
    pair(spec.contracts.v2_factory, INIT_CODE, one, other)
}

fn reserves(spec: &ChainSpec, route: &Route) -> Read {
    Read::new(
        address(spec, route.pays, route.gives),
        &V2Pair::getReservesCall {},
    )
}

/// What the pair has of the side that goes in and of the side that comes out.
fn sided(route: &Route, reading: Option<&Reading>) -> Option<(U256, U256)> {
    let reserves = decode::<V2Pair::getReservesCall>(reading)?;
    let (zero, one) = (U256::from(reserves.reserve0), U256::from(reserves.reserve1));
    Some(if route.zero_for_one() {
        (zero, one)
    } else {
        (one, zero)
    })
}

/// Uniswap V2's formula, as a fraction that the pair rounds down; its fee is 0.3 %.
fn amount_out(amount: U256, reserve_in: U256, reserve_out: U256) -> Option<(U256, U256)> {
    let paid = amount.checked_mul(U256::from(997))?;
    let numerator = paid.checked_mul(reserve_out)?;
    let denominator = reserve_in.checked_mul(U256::from(1_000))?.checked_add(paid)?;
    Some((numerator, denominator))
}

pub(super) fn ratio(reading: &Reading, token_is_zero: bool) -> Result<Ratio, String> {
    let reserves = decode::<V2Pair::getReservesCall>(Some(reading)).ok_or_else(|| unanswered(reading))?;
    let (own, other) = if token_is_zero {
        (reserves.reserve0, reserves.reserve1)
    } else {
        (reserves.reserve1, reserves.reserve0)
    };
    if own.is_zero() || other.is_zero() {
        return Err(unanswered(reading));
    }
    let wide = |reserve| U512::from(U256::from(reserve));
    Ok(Ratio {
        numerator: wide(other),
        denominator: wide(own),
    })
}
