//! A tick as a few whole numbers, and thresholds in the same units.

use rust_decimal::Decimal;

use super::current::Current;
use crate::domain::{span::Span, units::Price};

/// Thresholds are tightened by a millionth, which is more than all roundings of the rules together.
pub(super) const MARGIN_BITS: u32 = 20;

/// Prices with more units than this could leave the range of the comparisons.
pub(super) const UNITS_MAX: u128 = 1 << 84;

/// A tick as whole numbers: instants in microseconds since 1970, the price in [`Price::short_units`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Glance {
    pub(super) slot: i64,
    pub(super) at: i64,
    pub(super) units: u128,
}

impl Glance {
    /// A row at a slot; `None` if its price has too many digits.
    pub(super) fn of(slot: i64, current: &Current) -> Option<Self> {
        Some(Self {
            slot,
            at: current.micros,
            units: current.units?.get(),
        })
    }
}

/// A bound in the units of a glance, exact; `unbound` stands for zero.
pub(super) fn exact_units(bound: Decimal, unbound: u128) -> Option<u128> {
    match Price::new(bound) {
        Ok(bound) => bound.short_units(),
        Err(_) => Some(unbound),
    }
}

/// A percentage as integers: numerator and denominator.
pub(super) fn share(percent: Decimal) -> Option<(u128, u128)> {
    let percent = percent.normalize();
    // Only a few digits, so that products stay in range.
    let whole = 100_u128.checked_mul(10_u128.checked_pow(percent.scale())?)?;
    (percent.scale() <= 6).then_some(())?;
    Some((u128::try_from(percent.mantissa()).ok()?, whole))
}

/// A price in short units, further digits truncated.
pub(super) fn units_below(price: Price) -> Option<u128> {
    u128::try_from(price.units() / alloy_primitives::U256::from(Price::SHORT_UNITS)).ok()
}

pub(super) fn micros(span: Span) -> i64 {
    i64::try_from(span.std().as_micros()).unwrap_or(i64::MAX)
}
