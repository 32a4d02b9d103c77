//! Arithmetic in 512 bits, where no product of two ledger numbers can overflow; and in 128 bits where they are short.

use std::cmp::Ordering;

use alloy_primitives::{U256, U512};
use rust_decimal::Decimal;

use super::rounding::{MoneyError, Rounding, TOKEN_DECIMALS_MAX, USD_SCALE};

/// The largest power of ten that fits 128 bits.
const POW10_NATIVE_MAX: u32 = 38;

const POWERS: [u128; 39] = {
    let mut powers = [1_u128; 39];
    let mut index = 1;
    while index < powers.len() {
        powers[index] = powers[index - 1].saturating_mul(10);
        index += 1;
    }
    powers
};

/// A power of ten; `None`: 128 bits do not hold it.
pub(super) fn power(exponent: u32) -> Option<u128> {
    POWERS.get(usize::try_from(exponent).ok()?).copied()
}

/// Exact: two numbers of 64 bits never have more than 128 in their product, so it never wraps.
#[inline]
pub(super) fn product(a: u64, b: u64) -> u128 {
    u128::from(a).wrapping_mul(u128::from(b))
}

pub(super) fn token_digits(decimals: u8) -> Result<u32, MoneyError> {
    if decimals > TOKEN_DECIMALS_MAX {
        Err(MoneyError::OutOfRange)
    } else {
        Ok(u32::from(decimals))
    }
}

pub(super) fn mantissa_of(value: Decimal) -> Result<u128, MoneyError> {
    u128::try_from(value.mantissa()).map_err(|_| MoneyError::Negative)
}

pub(super) fn pow10(exponent: u32) -> Result<U512, MoneyError> {
    // Two native powers instead of eight wide squarings: this is on the path of every tick.
    let low = exponent.min(POW10_NATIVE_MAX);
    let high = exponent.saturating_sub(low);
    let native = |exponent| power(exponent).map(U512::from);
    match (native(low), native(high)) {
        (Some(power), _) if high == 0 => Ok(power),
        (Some(low), Some(high)) => low.checked_mul(high).ok_or(MoneyError::OutOfRange),
        _ => Err(MoneyError::OutOfRange),
    }
}

/// `a * b`, a number with `digits` digits after the point, in units of the last digit that USD keeps.
pub(super) fn usd_units(a: U256, b: u128, digits: u32, rounding: Rounding) -> Result<u128, MoneyError> {
    // Most products of a ledger fit 128 bits, where all of this is several times quicker.
    let product = u128::try_from(a).ok().and_then(|a| a.checked_mul(b));
    if let Some(scaled) = product.and_then(|product| short_usd_units(product, digits, rounding)) {
        return Ok(scaled);
    }
    let product = wide(a).checked_mul(U512::from(b)).ok_or(MoneyError::OutOfRange)?;
    // Powers of ten that stand on both sides of the fraction cancel, which keeps the division short.
    let scaled = if digits >= USD_SCALE {
        divide(product, pow10(digits.saturating_sub(USD_SCALE))?, rounding)?
    } else {
        product
            .checked_mul(pow10(USD_SCALE.saturating_sub(digits))?)
            .ok_or(MoneyError::OutOfRange)?
    };
    u128::try_from(scaled).map_err(|_| MoneyError::OutOfRange)
}

/// The same where 128 bits hold everything.
fn short_usd_units(product: u128, digits: u32, rounding: Rounding) -> Option<u128> {
    let Some(spare) = digits.checked_sub(USD_SCALE) else {
        return product.checked_mul(power(USD_SCALE.saturating_sub(digits))?);
    };
    let power = power(spare)?;
    let quotient = product.checked_div(power)?;
    let exact = quotient.checked_mul(power)? == product;
    match rounding {
        Rounding::Up if !exact => quotient.checked_add(1),
        _ => Some(quotient),
    }
}

/// The same value without zeros at the end of its fraction, as [`Decimal::normalize`] has it, several times quicker.
pub(super) fn normalized(value: Decimal) -> Decimal {
    let (mantissa, scale) = (value.mantissa().unsigned_abs(), value.scale());
    if mantissa == 0 {
        return Decimal::ZERO;
    }
    // A multiple of ten is even: half of the values that end in no zero show it by their last bit.
    if scale == 0 || mantissa & 1 == 1 {
        return value;
    }
    let (mantissa, scale) = match u64::try_from(mantissa) {
        Ok(short) => {
            let (short, scale) = short_without_zeros(short, scale);
            (u128::from(short), scale)
        }
        Err(_) => without_zeros(mantissa, scale),
    };
    let sign = if value.is_sign_negative() { -1 } else { 1 };
    i128::try_from(mantissa)
        .ok()
        .and_then(|mantissa| mantissa.checked_mul(sign))
        .and_then(|mantissa| Decimal::try_from_i128_with_scale(mantissa, scale).ok())
        .unwrap_or_else(|| value.normalize())
}

fn without_zeros(mut mantissa: u128, mut scale: u32) -> (u128, u32) {
    // At most 28 zeros: each power of two of them is tried once.
    for zeros in [16, 8, 4, 2, 1] {
        if scale < zeros || mantissa.trailing_zeros() < zeros {
            continue;
        }
        let power = power(zeros).unwrap_or(1);
        let quotient = mantissa.checked_div(power).unwrap_or_default();
        if quotient.checked_mul(power) == Some(mantissa) {
            mantissa = quotient;
            scale = scale.saturating_sub(zeros);
        }
    }
    (mantissa, scale)
}

/// The same in 64 bits, where a division by a constant is a multiplication.
fn short_without_zeros(mantissa: u64, scale: u32) -> (u64, u32) {
    fn less<const POWER: u64>((mantissa, scale): (u64, u32), zeros: u32) -> (u64, u32) {
        if scale >= zeros && mantissa.trailing_zeros() >= zeros && mantissa.is_multiple_of(POWER) {
            (
                mantissa.checked_div(POWER).unwrap_or(mantissa),
                scale.saturating_sub(zeros),
            )
        } else {
            (mantissa, scale)
        }
    }
    let value = less::<10_000_000_000_000_000>((mantissa, scale), 16);
    let value = less::<100_000_000>(value, 8);
    let value = less::<10_000>(value, 4);
    let value = less::<100>(value, 2);
    less::<10>(value, 1)
}

/// How `units * 10^-scale` compares with `percent` per cent of a reference: exact, whatever the numbers.
pub(super) fn compare_to_percent(units: u128, scale: u32, percent: Decimal, reference: Decimal) -> Ordering {
    let factors = (
        percent.mantissa().unsigned_abs(),
        reference.mantissa().unsigned_abs(),
    );
    let zero = factors.0 == 0 || factors.1 == 0;
    if !zero && percent.is_sign_negative() != reference.is_sign_negative() {
        return Ordering::Greater;
    }
    let bound_scale = percent
        .scale()
        .saturating_add(reference.scale())
        .saturating_add(2);
    let (missing, spare) = (
        bound_scale.saturating_sub(scale),
        scale.saturating_sub(bound_scale),
    );
    compare_products(units, factors, missing, spare)
}

/// How `own * 10^missing` compares with the product of `factors`, times `10^spare`.
pub(super) fn compare_products(own: u128, factors: (u128, u128), missing: u32, spare: u32) -> Ordering {
    // Two products of 64 bits each need no check, and are what most ticks compare.
    let short = |value: u128| u64::try_from(value).ok();
    if let (0, Some(power), Some(own), Some(percent), Some(reference)) = (
        spare,
        power(missing).and_then(short),
        short(own),
        short(factors.0),
        short(factors.1),
    ) {
        return product(own, power).cmp(&product(percent, reference));
    }
    compare_short(own, factors, missing, spare).unwrap_or_else(|| compare_long(own, factors, missing, spare))
}

/// The same; `None`: 128 bits do not hold it.
fn compare_short(own: u128, factors: (u128, u128), missing: u32, spare: u32) -> Option<Ordering> {
    let own = own.checked_mul(power(missing)?)?;
    let bound = factors.0.checked_mul(factors.1)?;
    Some(own.cmp(&bound.checked_mul(power(spare)?)?))
}

/// The same in 512 bits, which hold two decimals and 58 digits more.
fn compare_long(own: u128, factors: (u128, u128), missing: u32, spare: u32) -> Ordering {
    let times = |value: U512, exponent: u32| value.saturating_mul(U512::from(10).pow(U512::from(exponent)));
    let bound = U512::from(factors.0).saturating_mul(U512::from(factors.1));
    times(U512::from(own), missing).cmp(&times(bound, spare))
}

pub(super) fn wide(value: U256) -> U512 {
    U512::from(value)
}

pub(super) fn narrow(value: U512) -> Result<U256, MoneyError> {
    U256::checked_from_limbs_slice(value.as_limbs()).ok_or(MoneyError::OutOfRange)
}

pub(super) fn divide(numerator: U512, denominator: U512, rounding: Rounding) -> Result<U512, MoneyError> {
    if denominator.is_zero() {
        return Err(MoneyError::DivisionByZero);
    }
    let (quotient, remainder) = numerator.div_rem(denominator);
    match rounding {
        Rounding::Up if !remainder.is_zero() => {
            quotient.checked_add(U512::from(1)).ok_or(MoneyError::OutOfRange)
        }
        _ => Ok(quotient),
    }
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows fails, as it should"
)]
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_has_no_sign_and_no_digits() {
        for zero in [-Decimal::ZERO, Decimal::new(0, 9), -Decimal::new(0, 28)] {
            assert_eq!(
                (normalized(zero).is_sign_negative(), normalized(zero).scale()),
                (false, 0)
            );
        }
    }

    proptest! {
        #[test]
        fn zeros_go_as_the_decimal_type_has_it(digits: i64, zeros in 0_u32..=10, scale in 0_u32..=28) {
            let mantissa = i128::from(digits) * 10_i128.pow(zeros);
            let value = Decimal::from_i128_with_scale(mantissa >> 1 << (zeros % 2), scale);
            let (quick, plain) = (normalized(value), value.normalize());
            prop_assert_eq!(quick.mantissa(), plain.mantissa());
            prop_assert_eq!(quick.scale(), plain.scale());
            prop_assert_eq!(quick.is_sign_negative(), plain.is_sign_negative());
        }

        #[test]
        fn a_comparison_is_that_of_whole_numbers(
            units: u128, percent: i64, reference: i128, scales in (0_u32..=28, 0_u32..=28, 0_u32..=28), near in -1_i8..=2,
        ) {
            let (percent, reference) = (
                Decimal::from_i128_with_scale(percent.into(), scales.1),
                Decimal::from_i128_with_scale(reference >> 33, scales.2),
            );
            let bound = percent.checked_mul(reference).and_then(|bound| bound.checked_div(Decimal::ONE_HUNDRED));
            // Next to the bound, or anywhere.
            let (units, scale) = match (bound, u128::try_from(near)) {
                (Some(bound), Ok(near)) if near < 2 => (bound.mantissa().unsigned_abs() + near, bound.scale()),
                _ => (units >> 32, scales.0),
            };
            let ten = |exponent: u32| U512::from(10).pow(U512::from(exponent));
            let own = U512::from(units) * ten(58 - scale);
            let sizes = U512::from(percent.mantissa().unsigned_abs()) * U512::from(reference.mantissa().unsigned_abs());
            let bound = sizes * ten(56 - percent.scale() - reference.scale());
            let negative = percent.mantissa().signum() * reference.mantissa().signum() < 0;
            let expected = if negative { Ordering::Greater } else { own.cmp(&bound) };
            prop_assert_eq!(compare_to_percent(units, scale, percent, reference), expected);
        }

        /// Near the limit of 128 bits both paths agree.
        #[test]
        fn short_and_long_products_agree(a: u64, shift in 0_u32..=90, b in 0_u128..1 << 96, digits in 0_u32..=64) {
            let a = U256::from(a) << shift;
            for rounding in [Rounding::Down, Rounding::Up] {
                let exact = wide(a) * U512::from(b) * U512::from(10).pow(U512::from(USD_SCALE));
                let long = divide(exact, U512::from(10).pow(U512::from(digits)), rounding).expect("in range");
                let expected = u128::try_from(long).map_err(|_| MoneyError::OutOfRange);
                prop_assert_eq!(usd_units(a, b, digits, rounding), expected);
            }
        }
    }
}
