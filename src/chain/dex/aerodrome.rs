//! Aerodrome: for two tokens a pool of each of two curves, or two pools through the wrapped native coin. The factory
//! sets fees, and may change them at any time.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, Bytes, U256, U512, keccak256};

use super::{
    api::{Bounds, Dex, Fee, Leg, Route, Router, Sides, When},
    assets::{erc20, pair_of},
    clone::clone_of,
    math::Ratio,
    price::unanswered,
};
use crate::{
    chain::{
        contracts::{Aerodrome as Contract, AerodromeFactory, AerodromePool},
        multicall::{Read, Reading, decode},
        settings::ChainSpec,
    },
    domain::{
        onchain::SwapRequest,
        pool::{Curve, NATIVE, Pool},
    },
};

pub(super) struct Aerodrome;

/// Hundredths of a basis point in a basis point.
const PER_BPS: u32 = 100;

impl Dex for Aerodrome {
    fn name(&self) -> &'static str {
        "Aerodrome"
    }

    fn has(&self, pool: &Pool) -> bool {
        curves(pool).is_some()
    }

    fn candidates(&self, spec: &ChainSpec, token_in: Address, token_out: Address) -> Vec<Pool> {
        let at = &spec.contracts;
        if at.aerodrome_factory.is_zero() || at.aerodrome_pool.is_zero() || at.aerodrome_router.is_zero() {
            return vec![];
        }
        let mut pools = vec![Pool::Aerodrome(Curve::Volatile), Pool::Aerodrome(Curve::Stable)];
        let pair = pair_of(spec, token_in, token_out);
        if pair.quote == spec.usdc && erc20(spec, pair.token) != spec.wrapped_native {
            pools.push(Pool::AerodromeHops(Curve::Volatile, Curve::Volatile));
            pools.push(Pool::AerodromeHops(Curve::Stable, Curve::Volatile));
        }
        pools
    }

    fn sides(&self, spec: &ChainSpec, pool: Pool, token_in: Address, token_out: Address) -> Option<Sides> {
        self.has(&pool).then(|| Sides {
            pays: erc20(spec, token_in),
            gives: erc20(spec, token_out),
        })
    }

    /// The router knows the pools of every factory that a registry names; ours must be the one it was made for.
    fn precondition(&self, spec: &ChainSpec) -> Option<Read> {
        Some(Read::new(
            spec.contracts.aerodrome_router,
            &Contract::defaultFactoryCall {},
        ))
    }

    fn holds(&self, spec: &ChainSpec, reading: Option<&Reading>) -> bool {
        decode::<Contract::defaultFactoryCall>(reading) == Some(spec.contracts.aerodrome_factory)
    }

    fn fee_bps(&self, _: &ChainSpec, _: &Pool) -> Option<u32> {
        None
    }

    fn ask(&self, spec: &ChainSpec, route: &Route, amount: U256) -> Option<Read> {
        let call = Contract::getAmountsOutCall {
            amountIn: amount,
            routes: steps(spec, route)?,
        };
        Some(Read::new(spec.contracts.aerodrome_router, &call))
    }

    fn answer(&self, _: &Route, _: U256, reading: Option<&Reading>) -> Option<U256> {
        // A pool that does not exist gives zero, without an error.
        let amounts = decode::<Contract::getAmountsOutCall>(reading)?;
        amounts.last().copied().filter(|out| !out.is_zero())
    }

    fn router(&self, spec: &ChainSpec, _: &SwapRequest, _: &Route) -> Router {
        Router {
            address: spec.contracts.aerodrome_router,
            permit2: false,
        }
    }

    /// The router's calls for tokens with a fee on transfers: they compare what the receiver got.
    fn swap(&self, spec: &ChainSpec, request: &SwapRequest, route: &Route, bounds: &Bounds) -> Option<Bytes> {
        let (amount, least) = (request.amount_in.units(), bounds.amount_out_min);
        let (routes, to) = (steps(spec, route)?, request.wallet);
        let deadline = U256::from(bounds.deadline);
        let data = if request.token_in == NATIVE {
            Contract::swapExactETHForTokensSupportingFeeOnTransferTokensCall {
                amountOutMin: least,
                routes,
                to,
                deadline,
            }
            .abi_encode()
        } else if request.token_out == NATIVE {
            Contract::swapExactTokensForETHSupportingFeeOnTransferTokensCall {
                amountIn: amount,
                amountOutMin: least,
                routes,
                to,
                deadline,
            }
            .abi_encode()
        } else {
            Contract::swapExactTokensForTokensSupportingFeeOnTransferTokensCall {
                amountIn: amount,
                amountOutMin: least,
                routes,
                to,
                deadline,
            }
            .abi_encode()
        };
        Some(data.into())
    }

    fn addresses(&self, spec: &ChainSpec, route: &Route) -> Vec<Address> {
        let steps = steps(spec, route).unwrap_or_default();
        steps.iter().map(|step| pool(spec, step)).collect()
    }

    fn measures_receiver(&self, _: &Route) -> bool {
        true
    }

    fn price(&self, spec: &ChainSpec, route: &Route, when: When) -> Result<Vec<Leg>, String> {
        if when == When::Mean {
            return Err("Aerodrome's pools are not averaged; use the source onchain".to_owned());
        }
        let steps = steps(spec, route).ok_or_else(|| format!("{} is no pool of Aerodrome", route.pool))?;
        let leg = |step: &Contract::Route| Leg {
            read: state(spec, step),
            token_is_zero: step.from < step.to,
            ratio,
            fee: Fee::Stated(fee),
        };
        Ok(steps.iter().map(leg).collect())
    }

    fn asked(&self, _: &ChainSpec, pools: &[Pool]) -> String {
        // What a chain or a policy does not have is not worth a word.
        if pools.is_empty() {
            return String::new();
        }
        format!("{} of Aerodrome", pools.len())
    }
}

/// The curves from the token to the quote; the second one only for two hops.
fn curves(pool: &Pool) -> Option<(Curve, Option<Curve>)> {
    if let Pool::Aerodrome(curve) = *pool {
        Some((curve, None))
    } else if let Pool::AerodromeHops(first, second) = *pool {
        Some((first, Some(second)))
    } else {
        None
    }
}

/// The pools on the way as the router reads them.
fn steps(spec: &ChainSpec, route: &Route) -> Option<Vec<Contract::Route>> {
    let step = |from: Address, to: Address, curve: Curve| Contract::Route {
        from,
        to,
        stable: curve == Curve::Stable,
        factory: spec.contracts.aerodrome_factory,
    };
    let (pays, gives, wrapped) = (route.pays, route.gives, spec.wrapped_native);
    Some(match curves(&route.pool)? {
        (curve, None) => vec![step(pays, gives, curve)],
        (first, Some(second)) => {
            let (near, far) = if route.backwards {
                (second, first)
            } else {
                (first, second)
            };
            vec![step(pays, wrapped, near), step(wrapped, gives, far)]
        }
    })
}

/// The address of a pool: a clone of the pool's code, made by the factory.
fn pool(spec: &ChainSpec, step: &Contract::Route) -> Address {
    let (low, high) = (step.from.min(step.to), step.from.max(step.to));
    let salt = keccak256([low.as_slice(), high.as_slice(), &[u8::from(step.stable)]].concat());
    clone_of(spec.contracts.aerodrome_pool, step.factory, salt)
}

/// A pool's state and its fee, in one read.
fn state(spec: &ChainSpec, step: &Contract::Route) -> Read {
    let at = pool(spec, step);
    let fee = AerodromeFactory::getFeeCall {
        pool: at,
        stable: step.stable,
    };
    Read::both(
        spec.contracts.multicall3,
        Read::new(at, &AerodromePool::metadataCall {}),
        Read::new(step.factory, &fee),
    )
}

fn fee(reading: &Reading, _: bool) -> Option<u32> {
    let (_, fee) = Read::of_both(reading)?;
    let bps = decode::<AerodromeFactory::getFeeCall>(Some(&fee))?;
    u32::try_from(bps).ok()?.checked_mul(PER_BPS)
}

fn ratio(reading: &Reading, token_is_zero: bool) -> Result<Ratio, String> {
    let price = || {
        let (state, _) = Read::of_both(reading)?;
        let state = decode::<AerodromePool::metadataCall>(Some(&state))?;
        let (zero, one) = ((state.r0, state.dec0), (state.r1, state.dec1));
        let (own, other) = if token_is_zero { (zero, one) } else { (one, zero) };
        if state.st {
            stable(own, other)
        } else {
            let wide = |reserve: U256| (!reserve.is_zero()).then(|| U512::from(reserve));
            Some(Ratio {
                numerator: wide(other.0)?,
                denominator: wide(own.0)?,
            })
        }
    };
    price().ok_or_else(|| unanswered(reading))
}

/// The slope of the stable curve where the reserves are, in base units; of each side its reserve and one whole.
fn stable(own: (U256, U256), other: (U256, U256)) -> Option<Ratio> {
    /// Bits that a factor keeps, so that its third power fits.
    const FACTOR_BITS: usize = 128;
    /// Bits that a side of the slope keeps, so that prices can be made of it.
    const SLOPE_BITS: usize = 192;
    let short = |one: U512, other: U512, bits: usize| {
        let more = one.max(other).bit_len().saturating_sub(bits);
        (one >> more, other >> more)
    };
    // Both in the same small unit: only what they are to each other matters.
    let x = U512::from(own.0).checked_mul(U512::from(other.1))?;
    let y = U512::from(other.0).checked_mul(U512::from(own.1))?;
    let (x, y) = short(x, y, FACTOR_BITS);
    let (xx, yy) = (x.checked_mul(x)?, y.checked_mul(y)?);
    let three = U512::from(3);
    let up = y.checked_mul(xx.checked_mul(three)?.checked_add(yy)?)?;
    let down = x.checked_mul(yy.checked_mul(three)?.checked_add(xx)?)?;
    let (up, down) = short(up, down, SLOPE_BITS);
    let ratio = Ratio {
        numerator: up.checked_mul(U512::from(other.1))?,
        denominator: down.checked_mul(U512::from(own.1))?,
    };
    (!ratio.numerator.is_zero() && !ratio.denominator.is_zero()).then_some(ratio)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::address;

    use super::*;

    fn base() -> ChainSpec {
        ChainSpec::resolve("base", &Default::default()).expect("built in")
    }

    /// Two pools as explorers show them: the code of clones and the factory are Base's.
    #[test]
    fn pools_are_where_they_are_on_base() {
        let spec = base();
        let step = |from: Address, stable: bool| Contract::Route {
            from,
            to: spec.usdc,
            stable,
            factory: spec.contracts.aerodrome_factory,
        };
        let aero = address!("0x940181a94A35A4569E4529A3CDfB74e38FD98631");
        assert_eq!(
            pool(&spec, &step(spec.wrapped_native, false)),
            address!("0xcDAC0d6c6C59727a65F871236188350531885C43")
        );
        assert_eq!(
            pool(&spec, &step(aero, false)),
            address!("0x6cDcb1C4A4D1C3C6d054b27AC5B77e89eAFb971d")
        );
    }

    #[test]
    fn the_stable_curve_is_flat_in_its_middle_and_steep_at_its_ends() {
        let whole = |units: u64, digits: u32| U256::from(units) * U256::from(10).pow(U256::from(digits));
        let million = |ratio: Ratio, (own, other): (u32, u32)| {
            let wide = |digits: u32| U512::from(10).pow(U512::from(digits));
            let scaled = ratio.numerator * U512::from(1_000_000) * wide(own);
            u64::try_from(scaled / (ratio.denominator * wide(other))).expect("small")
        };
        for (own, other, digits, expected) in [
            (1_000_000, 1_000_000, (18, 6), 1_000_000),
            (1_000_000, 1_000_000, (6, 18), 1_000_000),
            (1_100_000, 1_000_000, (18, 6), 999_784),
            (3_000_000, 1_000_000, (6, 6), 777_777),
            (9_000_000, 1_000_000, (18, 18), 322_751),
            (1_000_000, 9_000_000, (18, 6), 3_098_360),
        ] {
            let side = |units: u64, digits: u32| (whole(units, digits), whole(1, digits));
            let slope = stable(side(own, digits.0), side(other, digits.1)).expect("a slope");
            assert_eq!(million(slope, digits), expected, "{own} and {other}, {digits:?}");
        }
        let (empty, full) = ((U256::ZERO, whole(1, 18)), (whole(5, 18), whole(1, 18)));
        assert_eq!(stable(empty, full), None);
        assert_eq!(stable(full, empty), None);
        // Neither the largest numbers nor a side that is nearly empty leave the range.
        let most = (U256::from(1) << 200, whole(1, 18));
        assert!(stable(most, (U256::from(1) << 190, whole(1, 30))).is_some());
    }
}
