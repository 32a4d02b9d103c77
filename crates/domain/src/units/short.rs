//! Comparisons and percentages of numbers that 64 bits hold, which is what most ticks have. Each answers `None` where
//! its numbers are longer, or below zero; what is asked then is exact for any.

use std::cmp::Ordering;

use alloy_primitives::U256;
use rust_decimal::Decimal;

use super::{
    rounding::USD_SCALE,
    wide::{self, product},
};

/// Powers of ten that 64 bits hold.
const POWERS: [u64; 20] = {
    let mut powers = [1_u64; 20];
    let mut index = 1;
    while index < powers.len() {
        powers[index] = powers[index - 1].saturating_mul(10);
        index += 1;
    }
    powers
};

#[inline]
fn power(exponent: u32) -> Option<u64> {
    POWERS.get(usize::try_from(exponent).ok()?).copied()
}

/// A value without its point.
#[inline]
fn mantissa(value: Decimal) -> Option<u64> {
    let parts = value.unpack();
    let high = u64::from(parts.mid).rotate_left(32);
    (parts.hi == 0 && !parts.negative).then(|| high | u64::from(parts.lo))
}

/// A value without its point, times ten to the power of `digits`.
#[inline]
pub(super) fn scaled(value: Decimal, digits: u32) -> Option<u128> {
    Some(product(mantissa(value)?, power(digits)?))
}

#[inline]
fn decimal(mantissa: u64, scale: u32) -> Option<Decimal> {
    let digits = u32::try_from(mantissa).ok()?;
    (scale <= Decimal::MAX_SCALE).then(|| Decimal::from_parts(digits, 0, 0, false, scale))
}

/// How two values compare.
#[inline]
pub(super) fn compare(one: Decimal, other: Decimal) -> Option<Ordering> {
    let (digits, other_digits) = (one.scale(), other.scale());
    let (one, other) = (mantissa(one)?, mantissa(other)?);
    Some(if digits == other_digits {
        one.cmp(&other)
    } else if digits < other_digits {
        let missing = power(other_digits.saturating_sub(digits))?;
        product(one, missing).cmp(&u128::from(other))
    } else {
        let missing = power(digits.saturating_sub(other_digits))?;
        u128::from(one).cmp(&product(other, missing))
    })
}

/// How a value compares with `percent` per cent of a reference.
#[inline]
pub(super) fn compare_to_percent(own: Decimal, percent: Decimal, reference: Decimal) -> Option<Ordering> {
    let digits = percent.scale().saturating_add(reference.scale());
    let missing = power(digits.saturating_add(2).checked_sub(own.scale())?)?;
    let bound = product(mantissa(percent)?, mantissa(reference)?);
    Some(product(mantissa(own)?, missing).cmp(&bound))
}

/// The product of two numbers, most of which are short.
#[inline]
fn times(a: u128, b: u128) -> Option<u128> {
    match (u64::try_from(a), u64::try_from(b)) {
        (Ok(a), Ok(b)) => Some(product(a, b)),
        _ => a.checked_mul(b),
    }
}

/// How the worth of an amount, which is cut to the digits that USD keeps, compares with `percent` per cent of a cost.
/// `decimals`: digits of the amount. Without the division that cuts it.
#[inline]
pub(super) fn compare_worth_to_percent(
    (amount, decimals): (U256, u32),
    price: Decimal,
    percent: Decimal,
    cost: Decimal,
) -> Option<Ordering> {
    let digits = price.scale().saturating_add(decimals);
    let bound_digits = percent.scale().saturating_add(cost.scale()).saturating_add(2);
    // One unit of the last digit that is kept, in units of the product.
    let unit = power(digits.checked_sub(USD_SCALE)?)?;
    let bound = product(mantissa(percent)?, mantissa(cost)?);
    let bound = times(bound, wide::power(digits.checked_sub(bound_digits)?)?)?;
    let worth = times(u128::try_from(amount).ok()?, mantissa(price)?.into())?;
    match worth.checked_sub(bound) {
        None => Some(Ordering::Less),
        Some(beyond) if beyond >= u128::from(unit) => Some(Ordering::Greater),
        // A bound of more digits than are kept may be above the digits that are.
        Some(_) => (bound_digits <= USD_SCALE).then_some(Ordering::Equal),
    }
}

/// 100 less `percent`.
#[inline]
pub(super) fn below_hundred(percent: Decimal) -> Option<Decimal> {
    let hundred = power(percent.scale().saturating_add(2))?;
    decimal(hundred.checked_sub(mantissa(percent)?)?, percent.scale())
}

/// 100 and `percent`.
#[inline]
pub(super) fn above_hundred(percent: Decimal) -> Option<Decimal> {
    let hundred = power(percent.scale().saturating_add(2))?;
    decimal(hundred.checked_add(mantissa(percent)?)?, percent.scale())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Decimal> {
        let digits = prop_oneof![
            0_i128..2_000,
            0_i128..=i128::from(u64::MAX),
            -50_i128..50,
            0_i128..1 << 95
        ];
        (digits, 0_u32..=28).prop_map(|(digits, scale)| Decimal::from_i128_with_scale(digits, scale))
    }

    /// Also near each other.
    fn two() -> impl Strategy<Value = (Decimal, Decimal)> {
        prop_oneof![
            (value(), value()),
            value().prop_map(|value| (value, value.normalize())),
            (0_i64..1_000, 0_u32..6, -1_i64..=1).prop_map(|(digits, scale, off)| {
                let value = Decimal::new(digits, scale);
                (
                    value,
                    Decimal::new(
                        digits.saturating_mul(100).saturating_add(off),
                        scale.saturating_add(2),
                    ),
                )
            }),
        ]
    }

    proptest! {
        #[test]
        fn a_short_comparison_is_that_of_the_values((one, other) in two()) {
            if let Some(found) = compare(one, other) {
                prop_assert_eq!(found, one.cmp(&other));
            }
            if let Some(found) = compare(other, one) {
                prop_assert_eq!(found, other.cmp(&one));
            }
        }

        #[test]
        fn a_short_comparison_with_a_share_is_the_exact_one((own, reference) in two(), percent in value()) {
            for percent in [percent, Decimal::ONE_HUNDRED, Decimal::new(9_999, 2)] {
                if let Some(found) = compare_to_percent(own, percent, reference) {
                    let exact = wide::compare_to_percent(
                        own.mantissa().unsigned_abs(), own.scale(), percent, reference,
                    );
                    prop_assert_eq!(found, exact, "{} {} {}", own, percent, reference);
                }
            }
        }

        #[test]
        fn a_worth_that_is_not_divided_compares_as_the_one_that_is(
            tokens in prop_oneof![0_u128..1_000, any::<u64>().prop_map(u128::from), any::<u128>()],
            decimals in prop_oneof![Just(6_u32), Just(18), 0_u32..=36],
            price in 1_u64..100_000_000, price_scale in 0_u32..=18,
            hundredths in 0_u32..=30_000, near: bool, cents in 0_u64..1_000_000_000,
        ) {
            let amount = U256::from(tokens);
            let price = Decimal::new(i64::try_from(price).expect("few"), price_scale);
            let percent = Decimal::new(hundredths.into(), 2);
            let digits = price_scale.saturating_add(decimals);
            let worth = wide::usd_units(amount, wide::mantissa_of(price).expect("positive"), digits, crate::units::Rounding::Down);
            let Ok(worth) = worth else { return Ok(()) };
            // At the bound, or anywhere.
            let exact = i64::try_from(worth).ok().map(|worth| Decimal::new(worth, USD_SCALE));
            let more = exact.and_then(|exact| exact.checked_add(Decimal::new(i64::from(hundredths), 14)));
            let costs = [
                exact.filter(|_| near), more, Some(Decimal::new(i64::try_from(cents).expect("few"), 2)),
            ];
            for cost in costs.into_iter().flatten() {
                for percent in [percent, Decimal::ONE_HUNDRED] {
                    if let Some(found) = compare_worth_to_percent((amount, decimals), price, percent, cost) {
                        let expected = wide::compare_to_percent(worth, USD_SCALE, percent, cost);
                        prop_assert_eq!(found, expected, "{} at {}: {} % of {}", amount, price, percent, cost);
                    }
                }
            }
        }

        #[test]
        fn short_percentages_are_those_of_the_values(percent in value()) {
            if let Some(left) = below_hundred(percent) {
                prop_assert_eq!(Some(left), Decimal::ONE_HUNDRED.checked_sub(percent));
            }
            if let Some(sum) = above_hundred(percent) {
                prop_assert_eq!(Some(sum), Decimal::ONE_HUNDRED.checked_add(percent));
            }
        }
    }

    #[test]
    fn what_most_ticks_have_is_short() {
        let (percent, price, cost) = (Decimal::from(80), Decimal::new(19_937, 2), Decimal::from(950));
        let tokens = U256::from(5_000_000_000_000_000_000_u64);
        assert_eq!(compare(price, Decimal::ONE), Some(Ordering::Greater));
        assert_eq!(compare_to_percent(price, percent, cost), Some(Ordering::Less));
        let worth = compare_worth_to_percent((tokens, 18), price, percent, cost);
        assert_eq!(worth, Some(Ordering::Greater));
        assert_eq!(below_hundred(percent), Some(Decimal::from(20)));
        assert_eq!(above_hundred(percent), Some(Decimal::from(180)));
        // Below zero, and where 64 bits do not hold it.
        assert_eq!(below_hundred(Decimal::from(101)), None);
        assert_eq!(compare(Decimal::NEGATIVE_ONE, price), None);
        assert_eq!(compare(Decimal::MAX, price), None);
    }

    /// A bound between two units that are kept: 1.7 units are cut to one, which is below 1.5.
    #[test]
    fn a_bound_of_more_digits_is_compared_where_it_is_clear() {
        let compared = |tokens: u64| {
            let cost = Decimal::new(15, 13);
            compare_worth_to_percent((U256::from(tokens), 18), Decimal::ONE, Decimal::ONE_HUNDRED, cost)
        };
        assert_eq!(compared(1_400_000), Some(Ordering::Less));
        assert_eq!(compared(1_700_000), None);
        assert_eq!(compared(2_500_000), Some(Ordering::Greater));
    }

    /// The bound in whole units, so that the digits that are cut decide.
    #[test]
    fn a_worth_between_two_units_is_the_lower_one() {
        // 1.0000000000009 USD are cut to 1.
        let tokens = U256::from(10_000_000_000_009_u64);
        let compared =
            |cost: Decimal| compare_worth_to_percent((tokens, 13), Decimal::ONE, Decimal::ONE_HUNDRED, cost);
        assert_eq!(compared(Decimal::ONE), Some(Ordering::Equal));
        assert_eq!(compared(Decimal::new(1_0000000001, 10)), Some(Ordering::Less));
        assert_eq!(compared(Decimal::new(9_999_999_999, 10)), Some(Ordering::Greater));
    }
}
