//! A seeded series: the price is a pure function of (parameters, token, instant), so a run can be repeated on
//! any machine. Integer arithmetic only.

use alloy_primitives::{Address, keccak256};
use rust_decimal::Decimal;

use crate::domain::{
    Timestamp,
    config::{GeneratedConfig, SourceName},
    price::Observation,
};

/// One, in the fixed point of this file.
const ONE: i64 = 1_000_000;

/// Weights of the octaves, from the longest swing to the shortest; they add up to [`ONE`].
const WEIGHTS: [i64; 4] = [650_000, 200_000, 100_000, 50_000];

/// Digits a generated price keeps.
const DIGITS: u32 = 12;

/// The price of `token` at `now`.
pub(super) fn observe(config: &GeneratedConfig, token: Address, now: Timestamp) -> Observation {
    let swing = swing_at(config, token, now.timestamp_micros());
    // 1 + swing_pct/100 * swing, with swing in [-1, 1] and swing_pct at most 90: never zero.
    let factor = Decimal::ONE + config.swing_pct * Decimal::new(swing, 6) / Decimal::ONE_HUNDRED;
    let price = config.start_usd.checked_mul(factor).unwrap_or(config.start_usd);
    let price_usd = price.round_sf(DIGITS).unwrap_or(price).normalize();
    Observation {
        source: SourceName::Generated,
        price_usd,
        observed_at: now,
    }
}

/// Value noise of several octaves in [-ONE, ONE]. The longest octave changes sides with every lattice point,
/// so each period has a rise and a fall.
fn swing_at(config: &GeneratedConfig, token: Address, micros: i64) -> i64 {
    let period = i64::try_from(config.period.std().as_micros())
        .unwrap_or(i64::MAX)
        .max(16);
    let mut sum = 0_i64;
    let mut spacing = period / 2;
    for (octave, weight) in WEIGHTS.iter().enumerate() {
        let (cell, within) = (micros.div_euclid(spacing), micros.rem_euclid(spacing));
        let place = i64::try_from(i128::from(within) * i128::from(ONE) / i128::from(spacing)).unwrap_or(0);
        let (from, to) = (
            lattice(config.seed, token, octave, cell),
            lattice(config.seed, token, octave, cell + 1),
        );
        let value = from + (to - from) * smooth(place) / ONE;
        sum += value * weight / ONE;
        spacing = (spacing / 3).max(1);
    }
    sum.clamp(-ONE, ONE)
}

/// 3x^2 - 2x^3: leaves and reaches each lattice point flat.
const fn smooth(x: i64) -> i64 {
    let square = x * x / ONE;
    3 * square - 2 * (square * x / ONE)
}

fn lattice(seed: u64, token: Address, octave: usize, cell: i64) -> i64 {
    let mut key = seed.to_be_bytes().to_vec();
    key.extend(token.as_slice());
    key.extend(octave.to_be_bytes());
    key.extend(cell.to_be_bytes());
    let digest = keccak256(key);
    let word = digest
        .iter()
        .take(4)
        .fold(0_i64, |word, byte| word << 8 | i64::from(*byte));
    if octave == 0 {
        let height = ONE * 6 / 10 + word % (ONE * 4 / 10);
        if cell.rem_euclid(2) == 0 { height } else { -height }
    } else {
        word % (2 * ONE + 1) - ONE
    }
}
