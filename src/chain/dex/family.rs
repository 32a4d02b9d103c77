//! Pools of concentrated liquidity as Uniswap V3 has them, which others made again: one pool for two tokens and a fee,
//! or two pools through the wrapped native coin. Some name pools by the distance of their ticks instead. A family is
//! what tells them apart; everything else is the same.

use alloy_primitives::{Address, Bytes, U256};

use super::{
    api::{Bounds, Dex, Fee, Leg, MEAN_SECONDS, Route, Router, Sides, When},
    assets::{Pair, erc20, pair_of},
    command::{Stage, Step},
    math::{Ratio, mean_tick, sqrt_price_at},
    price::{of_root, unanswered},
    universal_router,
};
use crate::{
    chain::{
        contracts::{V3Pool, V3Quoter},
        multicall::{Read, Reading, decode},
        settings::ChainSpec,
    },
    domain::{
        contracts::Contracts,
        onchain::SwapRequest,
        pool::{Pool, TokenPath},
    },
};

/// Gas of the payment of the input, units: the quoter reverts before it.
const GAS_PAID: u64 = 30_000;

/// The fees of the pools between token and quote, in hundredths of a basis point.
#[derive(Clone, Copy)]
pub(super) enum Way {
    One(u32),
    /// From the token to the wrapped native coin, and from there to the quote.
    Two(u32, u32),
}

/// What tells one family of such pools from another.
pub(super) trait Family: Send + Sync + 'static {
    /// Its short name in messages.
    const NAME: &'static str;

    /// The fees that most pools have.
    const FEES: &'static [u32];

    /// `None`: no pool of this family, or several through other tokens.
    fn way(pool: &Pool) -> Option<Way>;

    /// Several pools through other tokens than the wrapped native coin alone; `None`: not that.
    fn path(_: &Pool) -> Option<TokenPath> {
        None
    }

    /// The pool of that way.
    fn pool(way: Way) -> Pool;

    /// The fees of pools between the wrapped native coin and USDC, for two hops.
    const FAR: &'static [u32] = Self::FEES;

    /// Whether the chain has what is needed.
    fn is_deployed(at: &Contracts) -> bool;

    /// Answers what a swap gives.
    fn quoter(at: &Contracts) -> Address;

    /// The address of the pool of two tokens.
    fn address(at: &Contracts, one: Address, other: Address, fee: u32) -> Address;

    /// See [`Dex::precondition`].
    fn precondition(_: &Contracts) -> Option<Read> {
        None
    }

    /// See [`Dex::holds`].
    fn holds(_: &Contracts, _: Option<&Reading>) -> bool {
        true
    }

    /// What such a pool keeps of a swap, hundredths of a basis point; `None`: its state says.
    fn fee(step: u32) -> Option<u32> {
        Some(step)
    }

    /// See [`Dex::router`].
    fn router(spec: &ChainSpec, request: &SwapRequest) -> Router;

    /// Whether the Universal Router swaps this request.
    fn is_universal(_: &ChainSpec, _: &SwapRequest) -> bool {
        false
    }

    /// See [`Dex::step`]; `path` as the routers read it.
    fn step(_path: Bytes, _stage: &Stage) -> Option<Step> {
        None
    }

    /// See [`Dex::swap`], where that is not the Universal Router's; `path` as the routers read it.
    fn swap(spec: &ChainSpec, request: &SwapRequest, path: Bytes, bounds: &Bounds) -> Bytes;
}

impl<F: Family> Dex for F {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn has(&self, pool: &Pool) -> bool {
        F::way(pool).is_some() || F::path(pool).is_some()
    }

    fn candidates(&self, spec: &ChainSpec, token_in: Address, token_out: Address) -> Vec<Pool> {
        if !F::is_deployed(&spec.contracts) {
            return vec![];
        }
        let one = |fee: &u32| F::pool(Way::One(*fee));
        let mut pools: Vec<Pool> = F::FEES.iter().map(one).collect();
        let Pair { token, quote } = pair_of(spec, token_in, token_out);
        if quote == spec.usdc && erc20(spec, token) != spec.wrapped_native {
            let hops = |first: &u32| {
                let first = *first;
                let two = move |second: &u32| F::pool(Way::Two(first, *second));
                F::FAR.iter().map(two)
            };
            pools.extend(F::FEES.iter().flat_map(hops));
        }
        pools
    }

    fn sides(&self, spec: &ChainSpec, pool: Pool, token_in: Address, token_out: Address) -> Option<Sides> {
        let sides = Sides {
            pays: erc20(spec, token_in),
            gives: erc20(spec, token_out),
        };
        // What a path goes through is neither of the two.
        let through = F::path(&pool).map_or_else(Vec::new, |path| path.through());
        let apart = !through.contains(&sides.pays) && !through.contains(&sides.gives);
        (self.has(&pool) && apart).then_some(sides)
    }

    fn precondition(&self, spec: &ChainSpec) -> Option<Read> {
        F::precondition(&spec.contracts)
    }

    fn holds(&self, spec: &ChainSpec, reading: Option<&Reading>) -> bool {
        F::holds(&spec.contracts, reading)
    }

    fn fee_bps(&self, spec: &ChainSpec, pool: &Pool) -> Option<u32> {
        let fees = hops::<F>(spec, pool)?.fees.into_iter();
        fees.map(F::fee)
            .try_fold(0, |sum: u32, fee| Some(sum.saturating_add(fee?.div_ceil(100))))
    }

    fn ask(&self, spec: &ChainSpec, route: &Route, amount: U256) -> Option<Read> {
        let call = V3Quoter::quoteExactInputCall {
            path: path::<F>(spec, route)?,
            amountIn: amount,
        };
        Some(Read::new(F::quoter(&spec.contracts), &call))
    }

    fn answer(&self, _: &Route, _: U256, reading: Option<&Reading>) -> Option<U256> {
        let out = decode::<V3Quoter::quoteExactInputCall>(reading)?.amountOut;
        (!out.is_zero()).then_some(out)
    }

    fn gas(&self, reading: Option<&Reading>) -> u64 {
        let said = decode::<V3Quoter::quoteExactInputCall>(reading);
        let swap = said.map_or(0, |said| u64::try_from(said.gasEstimate).unwrap_or(u64::MAX));
        swap.saturating_add(GAS_PAID)
    }

    fn router(&self, spec: &ChainSpec, request: &SwapRequest, _: &Route) -> Router {
        F::router(spec, request)
    }

    fn swap(&self, spec: &ChainSpec, request: &SwapRequest, route: &Route, bounds: &Bounds) -> Option<Bytes> {
        if F::is_universal(spec, request) {
            return universal_router::swap(spec, request, &[*route], bounds);
        }
        Some(F::swap(spec, request, path::<F>(spec, route)?, bounds))
    }

    fn addresses(&self, spec: &ChainSpec, route: &Route) -> Vec<Address> {
        let steps = steps::<F>(spec, route).unwrap_or_default().into_iter();
        steps
            .map(|(near, far, fee)| F::address(&spec.contracts, near, far, fee))
            .collect()
    }

    fn step(&self, spec: &ChainSpec, route: &Route, stage: &Stage) -> Option<Step> {
        F::step(path::<F>(spec, route)?, stage)
    }

    fn has_history(&self) -> bool {
        true
    }

    fn price(&self, spec: &ChainSpec, route: &Route, when: When) -> Result<Vec<Leg>, String> {
        let leg = |near: Address, far: Address, fee: u32| {
            let pool = F::address(&spec.contracts, near, far, fee);
            let (read, ratio): (_, fn(&Reading, bool) -> _) = match when {
                When::Now if F::fee(fee).is_none() => (state(spec, pool), ratio_of_state),
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
                fee: F::fee(fee).map_or(Fee::Stated(fee_of_state), Fee::Fixed),
            }
        };
        let steps = steps::<F>(spec, route);
        let steps = steps.ok_or_else(|| format!("{} is no pool of {}", route.pool, F::NAME))?;
        Ok(steps
            .into_iter()
            .map(|(near, far, fee)| leg(near, far, fee))
            .collect())
    }

    fn asked(&self, _: &ChainSpec, pools: &[Pool]) -> String {
        // What a chain or a policy does not have is not worth a word.
        if pools.is_empty() && F::pool(Way::One(0)).extra_router().is_some() {
            return String::new();
        }
        let hops = pools
            .iter()
            .filter(|pool| matches!(F::way(pool), Some(Way::Two(..))))
            .count();
        let paths = pools.iter().filter(|pool| F::path(pool).is_some()).count();
        let through = match paths {
            0 => String::new(),
            paths => format!(", {paths} of {} through other tokens", F::NAME),
        };
        format!(
            "{} of {}, {hops} of {} in two hops{through}",
            pools.len().saturating_sub(hops).saturating_sub(paths),
            F::NAME,
            F::NAME
        )
    }
}

/// The pools of a way from the token to the quote: their fees, and the tokens between them.
struct Hops {
    fees: Vec<u32>,
    through: Vec<Address>,
}

fn hops<F: Family>(spec: &ChainSpec, pool: &Pool) -> Option<Hops> {
    if let Some(path) = F::path(pool) {
        return Some(Hops {
            fees: path.fees(),
            through: path.through(),
        });
    }
    let (fees, through) = match F::way(pool)? {
        Way::One(fee) => (vec![fee], vec![]),
        Way::Two(first, second) => (vec![first, second], vec![spec.wrapped_native]),
    };
    Some(Hops { fees, through })
}

/// The pools in the order in which the swap goes through them: from which token, to which, and the fee.
fn steps<F: Family>(spec: &ChainSpec, route: &Route) -> Option<Vec<(Address, Address, u32)>> {
    let Hops {
        mut fees,
        mut through,
    } = hops::<F>(spec, &route.pool)?;
    if route.backwards {
        fees.reverse();
        through.reverse();
    }
    let nears = std::iter::once(route.pays).chain(through.iter().copied());
    let fars = through.iter().copied().chain([route.gives]);
    let steps = nears.zip(fars).zip(fees);
    Some(steps.map(|((near, far), fee)| (near, far, fee)).collect())
}

/// Tokens and fees on the way, as routers and quoters read them.
fn path<F: Family>(spec: &ChainSpec, route: &Route) -> Option<Bytes> {
    let mut path = Vec::new();
    for (near, _, fee) in steps::<F>(spec, route)? {
        path.extend_from_slice(near.as_slice());
        path.extend(fee.to_be_bytes().into_iter().skip(1));
    }
    path.extend_from_slice(route.gives.as_slice());
    Some(path.into())
}

fn ratio_now(reading: &Reading, token_is_zero: bool) -> Result<Ratio, String> {
    let state = decode::<V3Pool::slot0Call>(Some(reading)).ok_or_else(|| unanswered(reading))?;
    of_root(U256::from(state.sqrtPriceX96), token_is_zero)
}

/// A pool's price and its fee, in one read.
fn state(spec: &ChainSpec, pool: Address) -> Read {
    Read::both(
        spec.contracts.multicall3,
        Read::new(pool, &V3Pool::slot0Call {}),
        Read::new(pool, &V3Pool::feeCall {}),
    )
}

fn ratio_of_state(reading: &Reading, token_is_zero: bool) -> Result<Ratio, String> {
    let (price, _) = Read::of_both(reading).ok_or_else(|| unanswered(reading))?;
    ratio_now(&price, token_is_zero)
}

fn fee_of_state(reading: &Reading, _: bool) -> Option<u32> {
    let (_, fee) = Read::of_both(reading)?;
    decode::<V3Pool::feeCall>(Some(&fee)).map(|fee| fee.to())
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
