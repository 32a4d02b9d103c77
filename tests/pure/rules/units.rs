//! Money against the truth in whole numbers of 1024 bits, where nothing is ever rounded.

use alloy_primitives::{U256, Uint};
use lgi_mm::domain::units::{Amount, MoneyError, Price, Rounding, USD_SCALE, Usd};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::support::{any_price, any_usd, dec, units, usd};

type Truth = Uint<1024, 16>;

fn truth(value: U256) -> Truth {
    Truth::from(value)
}

fn ten(exponent: u32) -> Truth {
    Truth::from(10).pow(Truth::from(exponent))
}

fn mantissa(value: Decimal) -> Truth {
    Truth::from(value.mantissa().unsigned_abs())
}

/// A value in units of the last digit that USD keeps.
fn scaled(value: Usd) -> Truth {
    mantissa(value.decimal()) * ten(USD_SCALE - value.decimal().scale())
}

/// `down` and `up` enclose `numerator / denominator` as closely as whole numbers can.
fn encloses(down: Truth, up: Truth, numerator: Truth, denominator: Truth) -> bool {
    let exact = numerator % denominator == Truth::ZERO;
    down == numerator / denominator && up == down + Truth::from(u8::from(!exact))
}

fn any_amount() -> impl Strategy<Value = Amount> {
    any::<(u128, u8)>().prop_map(|(count, shift)| units(count >> (shift % 128)))
}

proptest! {
    #[test]
    fn mul_div_rounds_as_it_says(amount in any::<[u64; 4]>(), by in any_amount(), of in any_amount()) {
        let amount = U256::from_limbs(amount);
        let down = Amount::new(amount).mul_div(by.units(), of.units(), Rounding::Down);
        let up = Amount::new(amount).mul_div(by.units(), of.units(), Rounding::Up);
        match (down, up) {
            (Ok(down), Ok(up)) => prop_assert!(encloses(
                truth(down.units()), truth(up.units()),
                truth(amount) * truth(by.units()), truth(of.units()),
            )),
            (Err(MoneyError::DivisionByZero), _) => prop_assert!(of.is_zero()),
            _ => prop_assert!(
                truth(amount) * truth(by.units()) / truth(of.units()) >= truth(U256::MAX)
            ),
        }
    }

    #[test]
    fn a_value_rounds_as_it_says(count in any::<u64>(), decimals in 0_u8..=36, price in any_price()) {
        let amount = units(u128::from(count) << (decimals / 2));
        let down = amount.value(decimals, price, Rounding::Down);
        let up = amount.value(decimals, price, Rounding::Up);
        let numerator = truth(amount.units()) * mantissa(price.decimal()) * ten(USD_SCALE);
        let denominator = ten(price.decimal().scale() + u32::from(decimals));
        match (down, up) {
            (Ok(down), Ok(up)) => {
                prop_assert!(encloses(scaled(down), scaled(up), numerator, denominator));
            }
            _ => prop_assert!(numerator / denominator >= (Truth::from(1) << 96) - Truth::from(1)),
        }
    }

    #[test]
    fn what_money_buys_is_never_worth_more_rounded_down(
        money in any_usd(), decimals in 0_u8..=36, price in any_price(),
    ) {
        let amount = money.to_amount(decimals, price, Rounding::Down).expect("in range");
        let up = money.to_amount(decimals, price, Rounding::Up).expect("in range");
        let numerator = scaled(money) * ten(price.decimal().scale() + u32::from(decimals));
        let denominator = mantissa(price.decimal()) * ten(USD_SCALE);
        prop_assert!(encloses(truth(amount.units()), truth(up.units()), numerator, denominator));
        prop_assert!(amount.value(decimals, price, Rounding::Down).expect("in range") <= money);
    }

    #[test]
    fn a_share_and_a_product_round_as_they_say(
        money in any_usd(), part in 1_u128.., whole in 1_u128.., factor in 0_i64.., scale in 0_u32..=18,
    ) {
        let (part, whole) = (part.min(whole), part.max(whole));
        let share = |rounding| money.share(units(part), units(whole), rounding).expect("in range");
        let numerator = scaled(money) * Truth::from(part);
        let (down, up) = (share(Rounding::Down), share(Rounding::Up));
        prop_assert!(encloses(scaled(down), scaled(up), numerator, Truth::from(whole)));

        let factor = Decimal::new(factor, scale);
        let product = |rounding| money.times(factor, rounding);
        let numerator = scaled(money) * mantissa(factor);
        match (product(Rounding::Down), product(Rounding::Up)) {
            (Ok(down), Ok(up)) => {
                prop_assert!(encloses(scaled(down), scaled(up), numerator, ten(factor.scale())));
                let loss = Usd::ZERO.checked_sub(money).expect("in range");
                let negated = Usd::ZERO.checked_sub(down).expect("in range");
                prop_assert_eq!(loss.times(factor, Rounding::Down), Ok(negated));
            }
            _ => prop_assert!(numerator / ten(factor.scale()) >= (Truth::from(1) << 96) - Truth::from(1)),
        }
    }

    #[test]
    fn a_percentage_of_an_amount_is_rounded_down(amount in any_amount(), hundredths in 0_i64..=10_000) {
        let part = amount.percent(Decimal::new(hundredths, 2)).expect("in range");
        let exact = truth(amount.units()) * Truth::from(hundredths.unsigned_abs()) / Truth::from(10_000);
        prop_assert_eq!(truth(part.units()), exact);
    }

    #[test]
    fn sums_of_money_are_exact_both_ways(a in any_usd(), b in any_usd()) {
        let sum = a.checked_add(b).expect("in range");
        prop_assert_eq!(scaled(sum), scaled(a) + scaled(b));
        prop_assert_eq!(sum.checked_sub(b), Ok(a));
    }

    #[test]
    fn an_average_price_never_overstates_the_cost(cost in any_usd(), amount in any_amount()) {
        prop_assume!(cost.is_positive() && !amount.is_zero());
        let Ok(average) = Price::of(cost, amount, 18) else {
            // Less than the smallest price there is, or more than the largest.
            let cost = scaled(cost) * ten(18 + 28);
            let amount = truth(amount.units()) * ten(USD_SCALE);
            prop_assert!(cost < amount || cost / amount > Truth::from(1) << 96);
            return Ok(());
        };
        let exact = scaled(cost) * ten(18);
        let of = |mantissa: Truth| mantissa * truth(amount.units()) * ten(USD_SCALE);
        let digits = ten(average.decimal().scale());
        prop_assert!(of(mantissa(average.decimal())) <= exact * digits);
    }
}

#[test]
fn numbers_out_of_range_are_errors_and_never_wrap() {
    let max = Amount::new(U256::MAX);
    assert_eq!(max.checked_add(units(1)), Err(MoneyError::OutOfRange));
    assert_eq!(units(1).checked_sub(units(2)), Err(MoneyError::Negative));
    assert_eq!(units(1).saturating_sub(units(2)), Amount::ZERO);
    assert_eq!(
        max.value(0, Price::ONE, Rounding::Down),
        Err(MoneyError::OutOfRange)
    );
    assert_eq!(
        units(1).value(37, Price::ONE, Rounding::Down),
        Err(MoneyError::OutOfRange)
    );
    assert_eq!(units(1).percent(dec("-1")), Err(MoneyError::Negative));
    assert_eq!(
        usd("-1").to_amount(6, Price::ONE, Rounding::Down),
        Err(MoneyError::Negative)
    );
    assert_eq!(
        usd("1").share(units(1), Amount::ZERO, Rounding::Down),
        Err(MoneyError::DivisionByZero)
    );
    assert!(Usd::new(dec("0.0000000000001")).is_err());
    assert!(Price::new(Decimal::ZERO).is_err());
}
