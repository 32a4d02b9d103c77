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
const ONE: i64 = 1_000_000_000;

/// Weights of the octaves, from the longest swing to the shortest; they add up to [`ONE`].
const WEIGHTS: [i64; 4] = [650_000_000, 200_000_000, 100_000_000, 50_000_000];

/// Maximum depth of a sharp dip; it is clipped at the lowest price.
const DIP_DEPTH: i64 = 1_250_000_000;

/// A sharp dip falls within this fraction of a period, and recovers as fast.
const DIP_PART: i64 = 16;

/// Hash domain of the dips: no octave has this number.
const DIPS: u32 = u32::MAX;

/// Shortest period, microseconds: every octave and dip is at least one wide.
const MICROS_MIN: i64 = 64;

/// Significant digits of a generated price.
const DIGITS: u32 = 12;

/// The price of `token` at `now`.
pub(super) fn observe(config: &GeneratedConfig, token: Address, now: Timestamp) -> Observation {
    let swing = swing_at(config, token, now.timestamp_micros());
    // 1 + swing_pct/100 * swing, with swing in [-1, 1] and swing_pct at most 90: never zero.
    let factor = Decimal::ONE + config.swing_pct * Decimal::new(swing, 9) / Decimal::ONE_HUNDRED;
    let price = config.start_usd.checked_mul(factor).unwrap_or(config.start_usd);
    let price = price.round_sf(DIGITS).unwrap_or(price).normalize();
    // Only a start price at the very end of what a decimal holds rounds to nothing.
    let price_usd = if price.is_zero() { config.start_usd } else { price };
    Observation {
        source: SourceName::Generated,
        price_usd,
        observed_at: now,
    }
}

/// Value noise of several octaves and a sharp dip now and then, in [-ONE, ONE]. The longest octave changes
/// sides with every lattice point, so each period has a rise and a fall.
fn swing_at(config: &GeneratedConfig, token: Address, micros: i64) -> i64 {
    let series = Series {
        seed: config.seed,
        token,
    };
    let period = i64::try_from(config.period.std().as_micros())
        .unwrap_or(i64::MAX)
        .max(MICROS_MIN);
    let mut sum = 0_i64;
    let mut spacing = period / 2;
    for (octave, weight) in (0..).zip(WEIGHTS) {
        let (cell, within) = (micros.div_euclid(spacing), micros.rem_euclid(spacing));
        let (from, to) = (series.lattice(octave, cell), series.lattice(octave, cell + 1));
        let value = from + (to - from) * smooth(part(within, spacing)) / ONE;
        sum += value * weight / ONE;
        spacing = (spacing / 3).max(1);
    }
    (sum - series.dip(period, micros)).clamp(-ONE, ONE)
}

/// `within / whole`, in fixed point.
fn part(within: i64, whole: i64) -> i64 {
    i64::try_from(i128::from(within) * i128::from(ONE) / i128::from(whole)).unwrap_or(ONE)
}

/// `whole * share`, with the share in fixed point.
fn scaled(whole: i64, share: i64) -> i64 {
    i64::try_from(i128::from(whole) * i128::from(share) / i128::from(ONE)).unwrap_or(whole)
}

/// 3x^2 - 2x^3: the slope is zero at each lattice point.
const fn smooth(x: i64) -> i64 {
    let square = x * x / ONE;
    3 * square - 2 * (square * x / ONE)
}

/// Seeds the heights of the lattice points.
struct Series {
    seed: u64,
    token: Address,
}

impl Series {
    fn lattice(&self, octave: u32, cell: i64) -> i64 {
        let word = self.word(octave, cell);
        if octave == 0 {
            let height = ONE * 6 / 10 + word % (ONE * 4 / 10);
            if cell.rem_euclid(2) == 0 { height } else { -height }
        } else {
            word % (2 * ONE + 1) - ONE
        }
    }

    /// How far below the noise the price is: about every second period has one sharp dip somewhere inside.
    fn dip(&self, period: i64, micros: i64) -> i64 {
        let (cell, within) = (micros.div_euclid(period), micros.rem_euclid(period));
        let word = self.word(DIPS, cell);
        if word % 2 == 0 {
            return 0;
        }
        let width = period / DIP_PART;
        let places = period - 2 * width;
        let bottom = width + scaled(places, word / 2 % ONE);
        let distance = (within - bottom).abs();
        if distance >= width {
            return 0;
        }
        DIP_DEPTH * smooth(ONE - part(distance, width)) / ONE
    }

    /// 56 pseudo-random bits.
    fn word(&self, octave: u32, cell: i64) -> i64 {
        let mut key = self.seed.to_be_bytes().to_vec();
        key.extend(self.token.as_slice());
        key.extend(octave.to_be_bytes());
        key.extend(cell.to_be_bytes());
        keccak256(key)
            .iter()
            .take(7)
            .fold(0_i64, |word, byte| word << 8 | i64::from(*byte))
    }
}
