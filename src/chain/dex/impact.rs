//! How far a swap moves its pool: what it gets for each unit, against what the first unit would get.
//!
//! What the first unit would get is known from the pool's own state and fee; where a hook may take a fee of its own,
//! smaller swaps are asked instead. An answer is whole base units, so it says of what the pool computes only that it is
//! less than one unit more, and a pool that computes its fee on whole units of the input has used up to one unit less
//! of it. For a token of few decimals that is a lot: 3 units may stand for 3.9. Both uses of an impact want the part
//! that is *proven*, whichever way the rounding went: a limit refuses nothing for what rounding alone may explain (what
//! rounding costs is held to `limits.max_slippage_bps`), and the proof of a sale lets a pool explain no more of a loss
//! than its state does.

use alloy_primitives::{U256, U512};

use super::{
    api::{Fee, Leg, Route, When},
    rate::Rate,
};
use crate::{
    chain::{
        multicall::{Read, Reading},
        settings::ChainSpec,
    },
    domain::units::BPS,
};

/// Shares of an amount that are asked where the state does not say what the first unit gets: the smallest is the
/// nearest to it, the larger ones have answers for tokens of few decimals.
const PROBE_SHARES: [U256; 3] = [
    U256::from_limbs([1_000, 0, 0, 0]),
    U256::from_limbs([10, 0, 0, 0]),
    U256::from_limbs([2, 0, 0, 0]),
];

/// A pool's fee is counted in millionths.
const MILLION: u32 = 1_000_000;

/// A swap that was asked, base units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) amount: U256,
    pub(super) out: U256,
    /// The most that a unit of it gets, rounding undone; `None`: any.
    pub(super) most: Option<Rate>,
}

/// What a swap is measured against, before it is read.
pub(super) enum Yardstick {
    /// The pools on the way; their fees are known.
    State(Vec<Leg>),
    /// Smaller swaps: amount, and the read that asks for it.
    Probes(Vec<(U256, Read)>),
}

/// What the reads of a yardstick say of a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measured {
    /// Proven impact, basis points rounded up.
    pub(super) impact_bps: u32,
    /// What the swap would give at the pool's price without fee and impact, base units rounded down; `None` where the
    /// state does not say.
    pub(super) at_spot: Option<U256>,
}

/// Nothing to measure against: the whole price may be gone.
const UNKNOWN: Measured = Measured {
    impact_bps: BPS,
    at_spot: None,
};

impl Yardstick {
    /// For a swap of `amount` through `route`.
    pub(super) fn new(spec: &ChainSpec, route: &Route, amount: U256) -> Self {
        let legs = route.dex.price(spec, route, When::Now).unwrap_or_default();
        let known = |leg: &Leg| !matches!(leg.fee, Fee::Unknown);
        if !legs.is_empty() && legs.iter().all(known) {
            return Self::State(legs);
        }
        let shares = PROBE_SHARES.into_iter().map(|share| amount.div_ceil(share));
        let probe = |part: U256| Some((part, route.dex.ask(spec, route, part)?));
        Self::Probes(shares.filter_map(probe).collect())
    }

    /// What is to be read.
    pub(super) fn reads(&self) -> Vec<Read> {
        match self {
            Self::State(legs) => legs.iter().map(|leg| leg.read.clone()).collect(),
            Self::Probes(probes) => probes.iter().map(|(_, read)| read.clone()).collect(),
        }
    }

    /// Measures a swap, from what was read.
    pub(super) fn measure(&self, route: &Route, swap: &Asked, readings: &[Reading]) -> Measured {
        let measured = match self {
            Self::State(legs) => by_state(swap, legs, readings),
            Self::Probes(probes) => {
                let answers = probes.iter().zip(readings).map(|((amount, _), reading)| {
                    let out = route.dex.answer(route, *amount, Some(reading));
                    (*amount, out.unwrap_or_default())
                });
                by_probes(swap, answers).map(|impact_bps| Measured {
                    impact_bps,
                    at_spot: None,
                })
            }
        };
        measured.unwrap_or(UNKNOWN)
    }
}

fn by_state(swap: &Asked, legs: &[Leg], readings: &[Reading]) -> Option<Measured> {
    if legs.len() != readings.len() {
        return None;
    }
    let (mut spot, mut first) = (Rate::ONE, Rate::ONE);
    for (leg, reading) in legs.iter().zip(readings) {
        let ratio = (leg.ratio)(reading, leg.token_is_zero).ok()?;
        let fee = match leg.fee {
            Fee::Fixed(millionths) => millionths,
            Fee::Stated(read) => read(reading, leg.token_is_zero)?,
            Fee::Unknown => return None,
        };
        let kept = MILLION.checked_sub(fee)?;
        spot = spot.times(ratio.numerator, ratio.denominator)?;
        first = first
            .times(ratio.numerator, ratio.denominator)?
            .times(U512::from(kept), U512::from(MILLION))?;
    }
    Some(Measured {
        impact_bps: proven_bps(swap, first)?,
        at_spot: spot.of(swap.amount),
    })
}

/// A smaller swap never gets less for a unit, so each of them proves an impact. One that gives nothing although its share of
/// the whole is a unit or more contradicts that: then nothing is proven.
fn by_probes(swap: &Asked, probes: impl Iterator<Item = (U256, U256)>) -> Option<u32> {
    let mut proven = None;
    for (amount, out) in probes {
        if out.is_zero() {
            let share = ratio(swap.out, swap.amount).of(amount)?;
            if !share.is_zero() {
                return None;
            }
            continue;
        }
        proven = proven.max(Some(proven_bps(swap, ratio(out, amount))?));
    }
    proven
}

/// By how much a unit of the swap gets less than `first`, at the least, rounded up to whole basis points.
fn proven_bps(swap: &Asked, first: Rate) -> Option<u32> {
    let Some(most) = swap.most else {
        return Some(0);
    };
    let kept = most.share_of(first, BPS)?;
    Some(BPS.saturating_sub(kept))
}

fn ratio(out: U256, amount: U256) -> Rate {
    Rate::new(U512::from(out), U512::from(amount))
}
