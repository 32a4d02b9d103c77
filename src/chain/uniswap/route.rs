//! Which pools could trade a pair, where they are, and what each says a swap gives.

use alloy::sol_types::SolValue;
use alloy_primitives::{
    Address, B256, Bytes, U256,
    aliases::{I24, U24},
    b256, keccak256,
};

use crate::{
    chain::{
        contracts::{V2Pair, V3Quoter, V4PoolKey, V4Quoter},
        multicall::{Read, Reading, decode},
        settings::ChainSpec,
    },
    domain::pool::{DYNAMIC_FEE, NATIVE, Pool, PoolKey},
};

/// Fee and tick spacing of V4 pools without a hook.
const V4_PLAIN: [(u32, i32); 4] = [(100, 1), (500, 10), (3_000, 60), (10_000, 200)];
const V3_FEES: [u32; 4] = [100, 500, 3_000, 10_000];
/// What SwapRouter02 itself computes pool addresses with.
const V3_INIT_CODE: B256 = b256!("0xe34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54");
const V2_INIT_CODE: B256 = b256!("0x96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f");

/// A pool, and the sides of it that a swap goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) pool: Pool,
    /// What the pool takes: the native coin or its wrapped form, whichever it holds, or a token.
    pub(crate) pays: Address,
    /// What it gives.
    pub(crate) gives: Address,
    /// For two hops: whether the swap goes from the quote to the token, against the order of the fees.
    backwards: bool,
}

/// What an asset may be called inside a V4 pool.
fn faces(spec: &ChainSpec, asset: Address) -> Vec<Address> {
    if asset == NATIVE || asset == spec.wrapped_native {
        vec![NATIVE, spec.wrapped_native]
    } else {
        vec![asset]
    }
}

/// The ERC-20 that stands for an asset.
pub(crate) fn erc20(spec: &ChainSpec, asset: Address) -> Address {
    if asset == NATIVE {
        spec.wrapped_native
    } else {
        asset
    }
}

/// Token first, quote second: what is more of a currency is the quote.
pub(crate) fn token_and_quote(spec: &ChainSpec, one: Address, other: Address) -> (Address, Address) {
    let rank = |asset: Address| {
        if asset == spec.usdc {
            3
        } else if asset == NATIVE {
            2
        } else {
            u8::from(asset == spec.wrapped_native)
        }
    };
    let key = |asset| (rank(asset), asset);
    if key(one) < key(other) {
        (one, other)
    } else {
        (other, one)
    }
}

impl Route {
    /// `pool` as a way from `token_in` to `token_out`; `None` if it is none.
    pub(crate) fn through(
        spec: &ChainSpec,
        pool: Pool,
        token_in: Address,
        token_out: Address,
    ) -> Option<Self> {
        let (pays, gives) = match pool {
            Pool::V4(key) => {
                let holds = |asset, currency| faces(spec, asset).contains(&currency);
                if holds(token_in, key.currency0) && holds(token_out, key.currency1) {
                    (key.currency0, key.currency1)
                } else if holds(token_in, key.currency1) && holds(token_out, key.currency0) {
                    (key.currency1, key.currency0)
                } else {
                    return None;
                }
            }
            Pool::V3(_) | Pool::V3Hops(..) | Pool::V2 => (erc20(spec, token_in), erc20(spec, token_out)),
        };
        let (token, _) = token_and_quote(spec, token_in, token_out);
        (pays != gives).then_some(Self {
            pool,
            pays,
            gives,
            backwards: token != token_in,
        })
    }

    /// Every pool that might trade the pair.
    pub(crate) fn candidates(spec: &ChainSpec, token_in: Address, token_out: Address) -> Vec<Self> {
        let mut pools = Vec::new();
        let contracts = &spec.contracts;
        if !contracts.v4_quoter.is_zero() && !contracts.universal_router.is_zero() {
            pools.extend(v4_pools(spec, token_in, token_out));
        }
        if !contracts.v3_quoter.is_zero() && !contracts.swap_router.is_zero() {
            pools.extend(V3_FEES.map(Pool::V3));
            let (token, quote) = token_and_quote(spec, token_in, token_out);
            if quote == spec.usdc && erc20(spec, token) != spec.wrapped_native {
                let hops = V3_FEES
                    .iter()
                    .flat_map(|first| V3_FEES.map(|second| Pool::V3Hops(*first, second)));
                pools.extend(hops);
            }
        }
        if !contracts.v2_factory.is_zero() && !contracts.swap_router.is_zero() {
            pools.push(Pool::V2);
        }
        pools
            .into_iter()
            .filter_map(|pool| Self::through(spec, pool, token_in, token_out))
            .collect()
    }

    /// Whether the swap goes from currency zero to currency one.
    pub(crate) fn zero_for_one(&self) -> bool {
        self.pays < self.gives
    }

    /// What the pool takes of a swap, basis points, rounded up. A V4 hook may name its fee with every swap; such a pool
    /// counts as one that takes 1 %.
    pub(crate) fn fee_bps(&self) -> u32 {
        let bps = |hundredths: u32| hundredths.div_ceil(100);
        match self.pool {
            Pool::V4(key) if key.fee == DYNAMIC_FEE => 100,
            Pool::V4(key) => bps(key.fee),
            Pool::V3(fee) => bps(fee),
            Pool::V3Hops(first, second) => bps(first).saturating_add(bps(second)),
            Pool::V2 => 30,
        }
    }

    /// Tokens and fees on the way, as V3 reads them; empty for other pools.
    pub(crate) fn path(&self, spec: &ChainSpec) -> Bytes {
        let steps = match self.pool {
            Pool::V3(fee) => vec![(self.pays, fee), (self.gives, 0)],
            Pool::V3Hops(first, second) => {
                let (near, far) = if self.backwards {
                    (second, first)
                } else {
                    (first, second)
                };
                vec![(self.pays, near), (spec.wrapped_native, far), (self.gives, 0)]
            }
            Pool::V4(_) | Pool::V2 => return Bytes::new(),
        };
        let mut path = Vec::new();
        let last = steps.len().saturating_sub(1);
        for (index, (token, fee)) in steps.into_iter().enumerate() {
            path.extend_from_slice(token.as_slice());
            if index < last {
                path.extend(fee.to_be_bytes().into_iter().skip(1));
            }
        }
        path.into()
    }

    /// The question what `amount` gives.
    pub(crate) fn ask(&self, spec: &ChainSpec, amount: U256) -> Option<Read> {
        let contracts = &spec.contracts;
        match self.pool {
            Pool::V4(key) => {
                let params = V4Quoter::QuoteExactSingleParams {
                    poolKey: v4_key(&key)?,
                    zeroForOne: self.zero_for_one(),
                    exactAmount: u128::try_from(amount).ok()?,
                    hookData: Bytes::new(),
                };
                let call = V4Quoter::quoteExactInputSingleCall { params };
                Some(Read::new(contracts.v4_quoter, &call))
            }
            Pool::V3(_) | Pool::V3Hops(..) => {
                let call = V3Quoter::quoteExactInputCall {
                    path: self.path(spec),
                    amountIn: amount,
                };
                Some(Read::new(contracts.v3_quoter, &call))
            }
            Pool::V2 => {
                let pair = v2_pair(contracts.v2_factory, self.pays, self.gives);
                Some(Read::new(pair, &V2Pair::getReservesCall {}))
            }
        }
    }

    /// What the answer says `amount` gives; `None` for nothing.
    pub(crate) fn answer(&self, amount: U256, reading: Option<&Reading>) -> Option<U256> {
        let out = match self.pool {
            Pool::V4(_) => decode::<V4Quoter::quoteExactInputSingleCall>(reading)?.amountOut,
            Pool::V3(_) | Pool::V3Hops(..) => decode::<V3Quoter::quoteExactInputCall>(reading)?.amountOut,
            Pool::V2 => {
                let reserves = decode::<V2Pair::getReservesCall>(reading)?;
                let (zero, one) = (U256::from(reserves.reserve0), U256::from(reserves.reserve1));
                let (reserve_in, reserve_out) = if self.zero_for_one() {
                    (zero, one)
                } else {
                    (one, zero)
                };
                v2_amount_out(amount, reserve_in, reserve_out)?
            }
        };
        (!out.is_zero()).then_some(out)
    }
}

fn v4_pools(spec: &ChainSpec, one: Address, other: Address) -> Vec<Pool> {
    let plain = V4_PLAIN.map(|(fee, tick_spacing)| (Address::ZERO, fee, tick_spacing));
    let shapes: Vec<_> = plain.into_iter().chain(spec.v4_hooks.iter().copied()).collect();
    let mut pools = Vec::new();
    for first in faces(spec, one) {
        for second in faces(spec, other) {
            if first == second {
                continue;
            }
            pools.extend(shapes.iter().map(|(hooks, fee, tick_spacing)| {
                Pool::V4(PoolKey {
                    currency0: first.min(second),
                    currency1: first.max(second),
                    fee: *fee,
                    tick_spacing: *tick_spacing,
                    hooks: *hooks,
                })
            }));
        }
    }
    pools
}

/// A V4 pool's key as contracts take it; `None` for numbers that do not fit.
pub(crate) fn v4_key(key: &PoolKey) -> Option<V4PoolKey> {
    Some(V4PoolKey {
        currency0: key.currency0,
        currency1: key.currency1,
        fee: U24::try_from(key.fee).ok()?,
        tickSpacing: I24::try_from(key.tick_spacing).ok()?,
        hooks: key.hooks,
    })
}

/// A V4 pool's id.
pub(crate) fn v4_id(key: &PoolKey) -> Option<B256> {
    v4_key(key).map(|key| keccak256(key.abi_encode()))
}

/// Where the V3 pool of two tokens is.
pub(crate) fn v3_pool(factory: Address, one: Address, other: Address, fee: u32) -> Address {
    let salt = keccak256((one.min(other), one.max(other), U256::from(fee)).abi_encode());
    factory.create2(salt, V3_INIT_CODE)
}

/// Where the V2 pair of two tokens is.
pub(crate) fn v2_pair(factory: Address, one: Address, other: Address) -> Address {
    let salt = keccak256([one.min(other).as_slice(), one.max(other).as_slice()].concat());
    factory.create2(salt, V2_INIT_CODE)
}

/// Uniswap V2's formula; its fee is 0.3 %.
fn v2_amount_out(amount: U256, reserve_in: U256, reserve_out: U256) -> Option<U256> {
    let paid = amount.checked_mul(U256::from(997))?;
    let numerator = paid.checked_mul(reserve_out)?;
    let denominator = reserve_in.checked_mul(U256::from(1_000))?.checked_add(paid)?;
    numerator.checked_div(denominator)
}
