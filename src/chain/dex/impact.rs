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
    domain::{
        kept::{Kept, MILLION},
        units::BPS,
    },
};

/// Shares of an amount that are asked where the state does not say what the first unit gets: the smallest is the
/// nearest to it, the larger ones have answers for tokens of few decimals.
const PROBE_SHARES: [U256; 3] = [
    U256::from_limbs([1_000, 0, 0, 0]),
    U256::from_limbs([10, 0, 0, 0]),
    U256::from_limbs([2, 0, 0, 0]),
];

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
    /// The pools on the way, where a hook may take a fee of its own, and smaller swaps: amount, and the read that asks
    /// for it.
    Probes {
        /// Pools.
        legs: Vec<Leg>,
        /// Smaller swaps.
        probes: Vec<(U256, Read)>,
    },
}

/// What the reads of a yardstick say of a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Measured {
    /// Proven impact, basis points rounded up; `None`: there is nothing to measure against.
    pub(super) impact_bps: Option<u32>,
    /// What the swap would give at the pool's price without fee and impact, base units rounded down; `None` where the
    /// state does not say.
    pub(super) at_spot: Option<U256>,
    /// What the pools and their hooks are proven to keep.
    pub(super) kept: Kept,
    /// By how many millionths what is given differs from the pools' own price, beyond their stated fees; zero where no
    /// hook may make a difference.
    pub(super) off: u32,
}

impl Measured {
    /// What a limit is held to: without anything to measure against the whole price may be gone.
    pub(super) fn suspected_bps(self) -> u32 {
        self.impact_bps.unwrap_or(BPS)
    }

    /// What may explain a loss: nothing that is not proven.
    pub(super) fn explained_bps(self) -> u32 {
        self.impact_bps.unwrap_or_default()
    }
}

impl Yardstick {
    /// For a swap of `amount` through `route`.
    pub(super) fn new(spec: &ChainSpec, route: &Route, amount: U256) -> Self {
        let legs = route.dex.price(spec, route, When::Now).unwrap_or_default();
        let known = |leg: &Leg| !matches!(leg.fee, Fee::Hooked(_));
        if !legs.is_empty() && legs.iter().all(known) {
            return Self::State(legs);
        }
        // Of a few units, several shares are the same.
        let mut shares = PROBE_SHARES.map(|share| amount.div_ceil(share)).to_vec();
        shares.dedup();
        let probe = |part: U256| Some((part, route.dex.ask(spec, route, part)?));
        let probes = shares.into_iter().filter_map(probe).collect();
        Self::Probes { legs, probes }
    }

    /// What is to be read.
    pub(super) fn reads(&self) -> Vec<Read> {
        let states = |legs: &[Leg]| legs.iter().map(|leg| leg.read.clone()).collect::<Vec<_>>();
        match self {
            Self::State(legs) => states(legs),
            Self::Probes { legs, probes } => {
                let probes = probes.iter().map(|(_, read)| read.clone());
                states(legs).into_iter().chain(probes).collect()
            }
        }
    }

    /// Measures a swap, from what was read.
    pub(super) fn measure(&self, route: &Route, swap: &Asked, readings: &[Reading]) -> Measured {
        match self {
            Self::State(legs) => by_state(swap, legs, readings).unwrap_or_default(),
            Self::Probes { legs, probes } => {
                let Some((states, readings)) = readings.split_at_checked(legs.len()) else {
                    return Measured::default();
                };
                let answers = probes.iter().zip(readings).map(|((amount, _), reading)| {
                    let out = route.dex.answer(route, *amount, Some(reading));
                    (*amount, out.unwrap_or_default())
                });
                let answers: Vec<(U256, U256)> = answers.collect();
                let impact_bps = by_probes(swap, answers.iter().copied());
                // Where small swaps contradict the whole, they prove nothing of the fee either.
                let kept = kept_by_probes(swap, legs, states, &answers);
                let more = more_than_spot(swap, legs, states, &answers).unwrap_or_default();
                Measured {
                    impact_bps,
                    at_spot: None,
                    kept: kept.filter(|_| impact_bps.is_some()).unwrap_or_default(),
                    off: kept.map_or(0, Kept::hook).max(more),
                }
            }
        }
    }
}

fn by_state(swap: &Asked, legs: &[Leg], readings: &[Reading]) -> Option<Measured> {
    if legs.len() != readings.len() {
        return None;
    }
    let (spot, kept) = stated(legs, readings)?;
    let mut first = spot;
    for (leg, reading) in legs.iter().zip(readings) {
        let passes = MILLION.checked_sub(leg.fee.stated(reading, leg.token_is_zero)?)?;
        first = first.times(U512::from(passes), U512::from(MILLION))?;
    }
    Some(Measured {
        impact_bps: Some(proven_bps(swap, first)?),
        at_spot: spot.of(swap.amount),
        kept,
        off: 0,
    })
}

/// The price of the pools on the way without any fee, and the fees that their states say.
fn stated(legs: &[Leg], readings: &[Reading]) -> Option<(Rate, Kept)> {
    let (mut spot, mut kept) = (Rate::ONE, Kept::NOTHING);
    for (leg, reading) in legs.iter().zip(readings) {
        let ratio = (leg.ratio)(reading, leg.token_is_zero).ok()?;
        spot = spot.times(ratio.numerator, ratio.denominator)?;
        kept = kept.and_by_pool(leg.fee.stated(reading, leg.token_is_zero)?);
    }
    Some((spot, kept))
}

/// What pools with hooks keep: the least that any swap, the whole one included, loses against the pools' own price, as
/// far as rounding does not explain it.
fn kept_by_probes(swap: &Asked, legs: &[Leg], states: &[Reading], answers: &[(U256, U256)]) -> Option<Kept> {
    if legs.is_empty() {
        return None;
    }
    let (spot, stated) = stated(legs, states)?;
    let answered = answers.iter().filter(|(_, out)| !out.is_zero());
    let all = answered
        .map(|(amount, out)| Rate::before_rounding(*amount, *out))
        .chain([swap.most])
        .map(|most| {
            // Rounded down: a millionth more may have come.
            let came = most.and_then(|most| most.share_of(spot, MILLION));
            came.map_or(0, |came| MILLION.saturating_sub(came.saturating_add(1)))
        })
        .min()?;
    Some(Kept::measured(all, stated.pool()))
}

/// By how many millionths any swap gets more than the pools' own price says, fees left out: no pool of that price gives
/// so much.
fn more_than_spot(swap: &Asked, legs: &[Leg], states: &[Reading], answers: &[(U256, U256)]) -> Option<u32> {
    if legs.is_empty() {
        return None;
    }
    let (spot, _) = stated(legs, states)?;
    let all = answers.iter().copied().chain([(swap.amount, swap.out)]);
    let shares = all.filter_map(|(amount, out)| ratio(out, amount).share_of(spot, MILLION));
    shares.max().map(|share| share.saturating_sub(MILLION))
}

/// A smaller swap never gets less for a unit, so each of them proves an impact. One that gives nothing although its
/// share of the whole is a unit or more contradicts that: then nothing is proven.
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

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, Bytes, Uint};

    use super::*;
    use crate::chain::dex::{api::Dex, uniswap_v2::UniswapV2, uniswap_v3::UniswapV3};

    type Wide = Uint<1024, 16>;

    const LOW: Address = Address::repeat_byte(0x11);
    const HIGH: Address = Address::repeat_byte(0x99);

    fn reading(words: &[U256]) -> Reading {
        let bytes: Vec<u8> = words.iter().flat_map(U256::to_be_bytes::<32>).collect();
        Ok(Bytes::from(bytes))
    }

    fn power(base: u64, exponent: u32) -> U256 {
        U256::from(base).pow(U256::from(exponent))
    }

    fn narrow(value: Wide) -> U256 {
        U256::checked_from_limbs_slice(value.as_limbs()).expect("256 bits")
    }

    fn route(dex: &'static dyn Dex, pool: &str, zero_for_one: bool) -> Route {
        let (pays, gives) = if zero_for_one { (LOW, HIGH) } else { (HIGH, LOW) };
        Route {
            dex,
            pool: pool.parse().expect("a pool"),
            pays,
            gives,
            backwards: false,
        }
    }

    fn measure(route: &Route, amount: U256, whole: &Reading, state: Reading, out: U256) -> Measured {
        let spec = ChainSpec::resolve("base", &Default::default()).expect("built in");
        let most = route.dex.most(route, amount, out, Some(whole));
        let swap = Asked { amount, out, most };
        Yardstick::new(&spec, route, amount).measure(route, &swap, &[state])
    }

    /// A V2 pair of `pays` against `gives`: what a swap gives, and what is measured.
    fn v2(pays: U256, gives: U256, amount: U256, zero_for_one: bool) -> Option<(U256, Measured)> {
        let route = route(&UniswapV2, "v2", zero_for_one);
        let (zero, one) = if zero_for_one {
            (pays, gives)
        } else {
            (gives, pays)
        };
        let state = reading(&[zero, one, U256::ZERO]);
        let out = route.dex.answer(&route, amount, Some(&state))?;
        Some((out, measure(&route, amount, &state, state.clone(), out)))
    }

    /// A V3 pool over the whole range, with the contract's roundings: what a swap gives, what is measured, and what the
    /// pool has of the side that goes in.
    fn v3(pays: U256, gives: U256, amount: U256, zero_for_one: bool) -> Option<(U256, Measured, Wide)> {
        let (zero, one) = if zero_for_one {
            (pays, gives)
        } else {
            (gives, pays)
        };
        let (zero, one, q96) = (Wide::from(zero), Wide::from(one), Wide::from(1) << 96_usize);
        let ratio: Wide = (one << 192_usize) / zero;
        let root = ratio.root(2);
        let liquidity = (zero * one).root(2);
        let used = Wide::from(amount) * Wide::from(997_000) / Wide::from(1_000_000);
        let (has, out) = if zero_for_one {
            let after = (liquidity * root * q96).div_ceil(liquidity * q96 + used * root);
            (liquidity * q96 / root, liquidity * (root - after) / q96)
        } else {
            let after = root + used * q96 / liquidity;
            let moved = liquidity * q96 * (after - root) / after / root;
            (liquidity * root / q96, moved)
        };
        let out = narrow(out);
        let route = route(&UniswapV3, "v3:3000", zero_for_one);
        let mut words = [U256::ZERO; 7];
        words[0] = narrow(root);
        words[6] = U256::from(1);
        let whole = reading(&[out]);
        (!out.is_zero()).then(|| (out, measure(&route, amount, &whole, reading(&words), out), has))
    }

    /// `1 - has / (has + used)` in basis points, rounded up: how far constant product moves the price.
    fn exact_bps(has: Wide, used: Wide) -> u32 {
        (used * Wide::from(10_000)).div_ceil(has + used).to()
    }

    /// From Python's fractions: what the pair has in and out, what goes in, what comes out, `997 x / (1000 X + 997 x)`.
    #[test]
    fn a_v2_pair_of_any_digits_is_measured_to_the_last_one() {
        let million = 1_000_000_000_000_u128;
        for (gives, amount, out, bps) in [
            (10_000_000_u128, 10_000_000_u128, 99_u128, 1),
            (10_000_000, 2_500_000_000, 24_863, 25),
            (10_000_000, 50_000_000_000, 474_829, 475),
            (250, 50_000_000_000, 11, 475),
            (100_000_000, 10_000_000, 996, 1),
            (1_666_666_666, 2_500_000_000, 4_143_838, 25),
            (
                1_000_000_000_000_000_000_000,
                50_000_000_000,
                47_482_973_758_155_927_037,
                475,
            ),
            (
                1_000_000_000_000_000_000_000_000_000_000,
                10_000_000,
                9_969_900_600_091_017_092_559_587,
                1,
            ),
            (
                200_000_000_000_000_000_000_000_000_000_000,
                50_000_000_000,
                9_496_594_751_631_185_407_439_157_974_948,
                475,
            ),
        ] {
            for zero_for_one in [true, false] {
                let [pays, gives, amount] = [million, gives, amount].map(U256::from);
                let (given, measured) = v2(pays, gives, amount, zero_for_one).expect("an answer");
                assert_eq!(
                    (given, measured.suspected_bps()),
                    (U256::from(out), bps),
                    "{gives} {amount}"
                );
                assert_eq!(measured.at_spot, Some(amount * gives / pays));
            }
        }
    }

    #[test]
    fn no_impact_is_claimed_that_rounding_may_explain_and_none_is_hidden() {
        let mut tried = 0;
        for (decimals, (up, down)) in [0, 2, 6, 8, 18, 24, 30]
            .into_iter()
            .flat_map(|decimals| [(0, 18), (0, 9), (0, 0), (4, 0), (9, 0)].map(|price| (decimals, price)))
        {
            // A million dollars a side; the quote has 6 digits.
            let token = power(10, 6 + decimals + down) / power(10, up);
            let quote = power(10, 12);
            if token < U256::from(4) || token >> 112_usize != U256::ZERO {
                continue;
            }
            for (pays, gives) in [(quote, token), (token, quote)] {
                for part in [100_000, 1_000, 100, 10, 2] {
                    let amount = (pays / U256::from(part)).max(U256::from(1));
                    for zero_for_one in [true, false] {
                        let label = format!("{decimals} digits, {pays} for {gives}, {amount}");
                        if let Some((_, measured)) = v2(pays, gives, amount, zero_for_one) {
                            let has = Wide::from(pays) * Wide::from(1_000);
                            let exact = exact_bps(has, Wide::from(amount) * Wide::from(997));
                            assert_eq!(measured.suspected_bps(), exact, "V2, {label}");
                        }
                        if let Some((out, measured, has)) = v3(pays, gives, amount, zero_for_one) {
                            let has = has * Wide::from(1_000);
                            let exact = exact_bps(has, Wide::from(amount) * Wide::from(997));
                            assert!(
                                measured.suspected_bps() <= exact + 1,
                                "V3, {label}: {measured:?} {exact}"
                            );
                            let units =
                                |amount: U256| narrow(Wide::from(10_000).div_ceil(Wide::from(amount)));
                            let unit =
                                units(out) + units(amount.saturating_sub(U256::from(1)).max(U256::from(1)));
                            let least = U256::from(exact).saturating_sub(unit + unit);
                            assert!(
                                U256::from(measured.suspected_bps()) + U256::from(1) >= least,
                                "V3, {label}: {measured:?} {exact}"
                            );
                            tried += 1;
                        }
                    }
                }
            }
        }
        assert!(tried > 300, "{tried}");
    }

    /// Where a hook may take a fee, smaller swaps are the yardstick.
    #[test]
    fn smaller_swaps_prove_what_they_can_and_contradictions_prove_nothing() {
        for (whole, probes, bps) in [
            // A unit less may be rounding; 1 - 999801 / 999999 is not.
            ((1_000_000, 999_999), vec![(1_000, 1_000)], Some(0)),
            ((1_000_000, 999_800), vec![(1_000, 1_000)], Some(2)),
            (
                (1_000_000, 990_000),
                vec![(1_000, 1_000), (100_000, 99_900)],
                Some(100),
            ),
            // 1 - 501 / 9999 * 10.
            (
                (10_000, 500),
                vec![(10, 1), (1_000, 91), (5_000, 333)],
                Some(4_990),
            ),
            // 9 units may be 9.9: nothing is proven, and nothing is contradicted.
            ((10_000, 9), vec![(10, 0), (1_000, 0), (5_000, 4)], Some(0)),
            ((10_000, 1), vec![(10, 0), (1_000, 0), (5_000, 0)], None),
            ((1, 5), vec![(1, 5)], Some(0)),
            // A drained pool: small swaps get nothing although the whole says that they should.
            ((1_000_000, 500_000), vec![(1_000, 0), (100_000, 50_000)], None),
            ((1_000, 500), vec![(1, 0)], None),
        ] {
            let (amount, out) = (U256::from(whole.0), U256::from(whole.1));
            let most = Rate::before_rounding(amount, out);
            let swap = Asked { amount, out, most };
            let probes: Vec<(U256, U256)> = probes
                .into_iter()
                .map(|(amount, out): (u64, u64)| (U256::from(amount), U256::from(out)))
                .collect();
            assert_eq!(
                by_probes(&swap, probes.iter().copied()),
                bps,
                "{whole:?} {probes:?}"
            );
        }
    }

    /// A state that cannot be read is no state without impact.
    #[test]
    fn an_unread_pool_has_moved_all_the_way() {
        let route = route(&UniswapV2, "v2", true);
        let amount = U256::from(1_000);
        let whole = reading(&[U256::from(1_000_000), U256::from(1_000_000), U256::ZERO]);
        let measured = measure(&route, amount, &whole, Err(Bytes::new()), U256::from(996));
        assert_eq!(measured, Measured::default());
        assert_eq!((measured.suspected_bps(), measured.explained_bps()), (10_000, 0));
        let drained = reading(&[U256::from(1_000_000), U256::ZERO, U256::ZERO]);
        assert_eq!(
            measure(&route, amount, &drained, drained.clone(), U256::ZERO),
            Measured::default()
        );
    }
}
