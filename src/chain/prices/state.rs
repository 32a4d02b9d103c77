//! Where a pool keeps its price, and what it says.

use alloy::sol_types::SolValue;
use alloy_primitives::{Address, B256, U256, keccak256};
use rust_decimal::Decimal;

use super::math::{Ratio, mean_tick, sqrt_price_at};
use crate::{
    chain::{
        contracts::{V2Pair, V3Pool, V4PoolManager, V4StateView},
        multicall::{Read, Reading, decode},
        settings::ChainSpec,
        uniswap::{
            reverts::reason,
            route::{Route, v2_pair, v3_pool, v4_id},
        },
    },
    domain::pool::Pool,
};

/// Length of a mean, seconds.
const MEAN_SECONDS: u32 = 600;
/// The slot of V4's mapping of pools.
const V4_POOLS: U256 = U256::from_limbs([6, 0, 0, 0]);

/// What is looked at for one price: a pool, or two in a row.
#[derive(Debug)]
pub(super) struct Sight {
    kind: Kind,
    /// Whether the token side is currency zero, for each pool.
    zero: Vec<bool>,
    reads: Vec<Read>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    V4View,
    V4Manager,
    V3,
    V3Mean,
    V2,
}

impl Sight {
    /// The pools of `route`, from the token to its quote; `mean` for the mean over time.
    pub(super) fn new(spec: &ChainSpec, route: Route, mean: bool) -> Result<Self, String> {
        let (token, quote) = (route.pays, route.gives);
        let contracts = &spec.contracts;
        let kind = match route.pool {
            Pool::V4(_) if mean => return Err("V4 pools keep no history; use the source onchain".to_owned()),
            Pool::V2 if mean => return Err("V2 pairs are not averaged; use the source onchain".to_owned()),
            Pool::V4(_) if contracts.v4_state_view.is_zero() => Kind::V4Manager,
            Pool::V4(_) => Kind::V4View,
            Pool::V3(_) | Pool::V3Hops(..) if mean => Kind::V3Mean,
            Pool::V3(_) | Pool::V3Hops(..) => Kind::V3,
            Pool::V2 => Kind::V2,
        };
        let v3 = |one: Address, other: Address, fee| {
            let pool = v3_pool(contracts.v3_factory, one, other, fee);
            if mean {
                let window = vec![MEAN_SECONDS, 0];
                Read::new(pool, &V3Pool::observeCall { secondsAgos: window })
            } else {
                Read::new(pool, &V3Pool::slot0Call {})
            }
        };
        let wrapped = spec.wrapped_native;
        let (reads, sides) = match route.pool {
            Pool::V4(key) => {
                let id = v4_id(&key).ok_or("no such V4 pool")?;
                (vec![v4_read(spec, kind, id)], vec![(token, quote)])
            }
            Pool::V3(fee) => (vec![v3(token, quote, fee)], vec![(token, quote)]),
            Pool::V3Hops(first, second) => (
                vec![v3(token, wrapped, first), v3(wrapped, quote, second)],
                vec![(token, wrapped), (wrapped, quote)],
            ),
            Pool::V2 => {
                let pair = v2_pair(contracts.v2_factory, token, quote);
                (
                    vec![Read::new(pair, &V2Pair::getReservesCall {})],
                    vec![(token, quote)],
                )
            }
        };
        Ok(Self {
            kind,
            zero: sides.into_iter().map(|(near, far)| near < far).collect(),
            reads,
        })
    }

    /// What is to be read.
    pub(super) fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// USD for one whole token. `decimals` of token, native coin and quote.
    pub(super) fn usd(
        &self,
        seen: &[Reading],
        (token, native, quote): (u8, u8, u8),
        quote_usd: Decimal,
    ) -> Result<Decimal, String> {
        let digits = match self.reads.len() {
            1 => vec![(token, quote)],
            _ => vec![(token, native), (native, quote)],
        };
        if seen.len() != self.reads.len() {
            return Err("the pool was not read".to_owned());
        }
        // From the quote back to the token: each pool's price is the next one's quote.
        let mut pools = self.zero.iter().zip(seen).zip(digits).rev();
        pools.try_fold(quote_usd, |usd, ((zero, reading), (near, far))| {
            let ratio = self.kind.ratio(reading, *zero)?;
            ratio
                .usd(near, far, usd)
                .ok_or_else(|| "the pool's price is out of range".to_owned())
        })
    }
}

fn v4_read(spec: &ChainSpec, kind: Kind, id: B256) -> Read {
    match kind {
        Kind::V4Manager => {
            let slot = keccak256((id, V4_POOLS).abi_encode());
            Read::new(
                spec.contracts.v4_pool_manager,
                &V4PoolManager::extsloadCall { slot },
            )
        }
        _ => Read::new(
            spec.contracts.v4_state_view,
            &V4StateView::getSlot0Call { poolId: id },
        ),
    }
}

impl Kind {
    fn ratio(self, reading: &Reading, zero: bool) -> Result<Ratio, String> {
        let nothing = || match reading {
            Err(data) => format!("the pool does not answer: {}", reason(data)),
            Ok(_) => "there is no such pool".to_owned(),
        };
        let reading = Some(reading);
        let root = match self {
            Self::V4View => U256::from(
                decode::<V4StateView::getSlot0Call>(reading)
                    .ok_or_else(nothing)?
                    .sqrtPriceX96,
            ),
            // The lowest 160 bits of the pool's first word.
            Self::V4Manager => {
                let word = decode::<V4PoolManager::extsloadCall>(reading).ok_or_else(nothing)?;
                U256::from_be_slice(word.get(12..).unwrap_or_default())
            }
            Self::V3 => U256::from(
                decode::<V3Pool::slot0Call>(reading)
                    .ok_or_else(nothing)?
                    .sqrtPriceX96,
            ),
            Self::V3Mean => {
                let sums = decode::<V3Pool::observeCall>(reading)
                    .ok_or_else(nothing)?
                    .tickCumulatives;
                let tick = match sums.as_slice() {
                    [earlier, later] => mean_tick(earlier.as_i64(), later.as_i64(), MEAN_SECONDS),
                    _ => None,
                };
                tick.and_then(sqrt_price_at).ok_or_else(nothing)?
            }
            Self::V2 => return v2_ratio(reading, zero).ok_or_else(nothing),
        };
        Ratio::of_sqrt_price(root, zero).ok_or_else(|| "the pool was never opened".to_owned())
    }
}

fn v2_ratio(reading: Option<&Reading>, zero: bool) -> Option<Ratio> {
    let reserves = decode::<V2Pair::getReservesCall>(reading)?;
    let (own, other) = if zero {
        (reserves.reserve0, reserves.reserve1)
    } else {
        (reserves.reserve1, reserves.reserve0)
    };
    let wide = |reserve| alloy_primitives::U512::from(U256::from(reserve));
    (!own.is_zero() && !other.is_zero()).then(|| Ratio {
        numerator: wide(other),
        denominator: wide(own),
    })
}
