//! Numbers for people: few digits, and always cut towards zero, so that nothing is shown larger than it is. Machines
//! get all digits, from the types' own `Display`.

use crate::units::{Price, Usd};

/// Significant digits of prices and amounts.
const DIGITS: usize = 6;

/// Significant digits of less than a cent.
const DIGITS_OF_A_CENT: usize = 4;

/// With at least this many zeros after the point, a number is written with an exponent.
const ZEROS_MAX: usize = 4;

/// A price: `98765.4`, `1.004013` as `1.00401`, `0.0000001017001` as `1.017e-7`, which settings can read back.
#[must_use]
pub fn price(price: Price) -> String {
    significant(&price.to_string(), DIGITS)
}

/// An amount in whole tokens: all digits before the point, and six significant ones at least.
#[must_use]
pub fn amount(whole: &str) -> String {
    significant(whole, DIGITS)
}

/// USD to the cent; less than a cent with its first digits.
#[must_use]
pub fn usd(value: Usd) -> String {
    let exact = value.decimal().to_string();
    let (sign, whole, fraction) = parts(&exact);
    let cents: String = fraction.chars().chain("00".chars()).take(2).collect();
    if whole.is_empty() && cents == "00" && fraction.chars().any(|digit| digit != '0') {
        return significant(&exact, DIGITS_OF_A_CENT);
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    // The sign of nothing is not shown.
    let sign = if whole == "0" && cents == "00" { "" } else { sign };
    format!("{sign}{whole}.{cents}")
}

/// Commas between thousands: `1,234,567.89`.
#[must_use]
pub fn grouped(number: &str) -> String {
    let (sign, whole, rest) = match number.find(['.', 'e']) {
        Some(point) => {
            let (whole, rest) = number.split_at(point);
            (sign_of(whole), whole, rest)
        }
        None => (sign_of(number), number, ""),
    };
    let whole = whole.trim_start_matches('-');
    let mut shown = sign.to_owned();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && whole.len().saturating_sub(index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown.push_str(rest);
    shown
}

/// The first `digits` significant digits, and all before the point.
fn significant(number: &str, digits: usize) -> String {
    let (sign, whole, fraction) = parts(number);
    if !whole.is_empty() {
        let kept: String = fraction
            .chars()
            .take(digits.saturating_sub(whole.len()))
            .collect();
        return format!("{sign}{whole}{}", after_point(&kept));
    }
    let zeros = fraction.chars().take_while(|digit| *digit == '0').count();
    let digits: String = fraction.chars().skip(zeros).take(digits).collect();
    let digits = digits.trim_end_matches('0');
    match digits.split_at_checked(1) {
        None => "0".to_owned(),
        Some((first, rest)) if zeros >= ZEROS_MAX => {
            format!("{sign}{first}{}e-{}", after_point(rest), zeros.saturating_add(1))
        }
        Some(_) => format!("{sign}0.{}{digits}", "0".repeat(zeros)),
    }
}

/// Digits after a point, without zeros at their end.
fn after_point(digits: &str) -> String {
    match digits.trim_end_matches('0') {
        "" => String::new(),
        digits => format!(".{digits}"),
    }
}

fn sign_of(number: &str) -> &str {
    if number.starts_with('-') { "-" } else { "" }
}

/// Sign, digits before the point without leading zeros, digits after it.
fn parts(number: &str) -> (&str, &str, &str) {
    let sign = sign_of(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    (
        sign,
        whole.trim_start_matches('-').trim_start_matches('0'),
        fraction,
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;

    fn dollars(text: &str) -> String {
        usd(Usd::new(text.parse().expect("a decimal")).expect("USD"))
    }

    #[test]
    fn numbers_have_six_significant_digits_and_are_cut() {
        for (number, shown) in [
            ("0", "0"),
            ("0.000", "0"),
            ("12", "12"),
            ("12.50", "12.5"),
            ("3.0000009", "3"),
            ("0.76710321594", "0.767103"),
            ("98765.4321", "98765.4"),
            ("-98765.4999", "-98765.4"),
            ("4992083516.9999", "4992083516"),
            ("0.0001999999999", "0.000199999"),
            ("0.00010", "0.0001"),
            ("0.0000999999999", "9.99999e-5"),
            ("0.0000001017001", "1.017e-7"),
            ("-0.00000000000000000020", "-2e-19"),
            (
                "115792089237316195423570985008687907853269984665640564039457.584007913129639935",
                "115792089237316195423570985008687907853269984665640564039457",
            ),
        ] {
            assert_eq!(amount(number), shown, "{number}");
        }
    }

    #[test]
    fn dollars_are_cut_to_the_cent_and_small_ones_keep_their_digits() {
        for (value, shown) in [
            ("0", "0.00"),
            ("10", "10.00"),
            ("1234567.899", "1234567.89"),
            ("-0.019", "-0.01"),
            ("-0.0049599999", "-0.004959"),
            ("0.00000012345", "1.234e-7"),
            ("0.1", "0.10"),
        ] {
            assert_eq!(dollars(value), shown, "{value}");
        }
    }

    #[test]
    fn thousands_are_grouped() {
        for (number, shown) in [
            ("0.00", "0.00"),
            ("999.99", "999.99"),
            ("-1234.5", "-1,234.5"),
            ("-123.5", "-123.5"),
            ("1234567", "1,234,567"),
            ("1.2345e-7", "1.2345e-7"),
        ] {
            assert_eq!(grouped(number), shown, "{number}");
        }
    }

    proptest! {
        /// What is shown is never beyond the number, on its side of zero, and less than the last shown digit away.
        #[test]
        fn a_number_is_cut_towards_zero(mantissa in -1_000_000_000_000_000_000_000_000_000_i128..1_000_000_000_000_000_000_000_000_000, scale in 0_u32..=28) {
            let exact = Decimal::from_i128_with_scale(mantissa, scale);
            let shown = amount(&exact.to_string());
            let read = shown.parse::<Decimal>().or_else(|_| Decimal::from_scientific(&shown)).expect(&shown);
            prop_assert!(read.abs() <= exact.abs(), "{exact} {shown}");
            prop_assert!(read.is_zero() == exact.is_zero() && (read.is_zero() || read.is_sign_negative() == exact.is_sign_negative()));
            // Six significant digits leave out less than a part in a hundred thousand.
            let cut = exact.checked_sub(read).expect("in range").abs();
            let most = exact.abs().checked_div(Decimal::from(100_000)).expect("in range");
            prop_assert!(cut <= most, "{exact} {shown}");
        }
    }
}
