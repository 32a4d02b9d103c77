//! Reads decimals from user input and files.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserializer, de};

/// Digits that a binary float represents faithfully; with more, the typed value is lost.
const FLOAT_DIGITS_MAX: usize = 15;

/// Reads a decimal exactly: from text (`"0.1"`), a whole number, or a float literal short enough that
/// its shortest text is what was typed. For `#[serde(deserialize_with = "..")]`.
///
/// # Errors
/// Anything that is not a number, or that the decimal type could only hold rounded.
pub fn exact_decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    deserializer.deserialize_any(ExactDecimal)
}

/// The same, or nothing: null, or a key that is not given (`#[serde(default)]`).
///
/// # Errors
/// As [`exact_decimal`].
pub fn exact_decimal_or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Decimal>, D::Error> {
    deserializer.deserialize_option(OrNone)
}

struct OrNone;

impl<'de> de::Visitor<'de> for OrNone {
    type Value = Option<Decimal>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        de::Visitor::expecting(&ExactDecimal, f)
    }

    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        exact_decimal(deserializer).map(Some)
    }
}

struct ExactDecimal;

impl de::Visitor<'_> for ExactDecimal {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number such as 25, 0.5 or \"0.000001\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
        let text = text.trim();
        exact(text)
            .ok_or(())
            .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            .map(|value| value.normalize())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Decimal, E> {
        Ok(Decimal::from(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Decimal, E> {
        Ok(Decimal::from(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Decimal, E> {
        let text = number.to_string();
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        let leading_zeros = text.bytes().take_while(|b| !(b'1'..=b'9').contains(b));
        let leading_zeros = leading_zeros.filter(u8::is_ascii_digit).count();
        if digits.saturating_sub(leading_zeros) > FLOAT_DIGITS_MAX {
            return Err(E::custom(format_args!(
                "{text} has too many digits for a plain number; write it in quotes"
            )));
        }
        self.visit_str(&text)
    }
}

/// `0.000025`, or `2.5e-5` as tables write it.
fn exact(text: &str) -> Option<Decimal> {
    let Some((digits, exponent)) = text.split_once(['e', 'E']) else {
        return Decimal::from_str_exact(text).ok();
    };
    let mut value = Decimal::from_str_exact(digits).ok()?.normalize();
    let exponent: i64 = exponent.parse().ok()?;
    let scale = i64::from(value.scale()).checked_sub(exponent)?;
    if let Ok(scale) = u32::try_from(scale) {
        value.set_scale(scale).ok()?;
        return Some(value);
    }
    let power = u32::try_from(scale.unsigned_abs()).ok()?;
    value.set_scale(0).ok()?;
    value.checked_mul(Decimal::try_from_i128_with_scale(10_i128.checked_pow(power)?, 0).ok()?)
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Row(#[serde(deserialize_with = "super::exact_decimal")] Decimal);

    fn read(json: &str) -> Option<String> {
        serde_json::from_str::<Row>(json)
            .ok()
            .map(|row| row.0.to_string())
    }

    #[test]
    fn numbers_and_texts_read_as_typed() {
        for (json, expected) in [
            ("25", "25"),
            ("-3", "-3"),
            ("0.1", "0.1"),
            ("2.50", "2.5"),
            ("0.00000123", "0.00000123"),
            (
                "\"0.0000000000000000000000000001\"",
                "0.0000000000000000000000000001",
            ),
            ("\" 7.25 \"", "7.25"),
            ("18446744073709551615", "18446744073709551615"),
            ("\"1.017e-7\"", "0.0000001017"),
            ("\"-25E-1\"", "-2.5"),
            ("\"2.5e3\"", "2500"),
            ("\"1e-28\"", "0.0000000000000000000000000001"),
            ("\"0.00e5\"", "0"),
        ] {
            assert_eq!(read(json).as_deref(), Some(expected), "{json}");
        }
    }

    #[test]
    fn what_cannot_be_held_exactly_is_refused() {
        for json in [
            "0.12345678901234567",
            "1e300",
            "\"\"",
            "\"ten\"",
            "\"0.00000000000000000000000000001\"",
            "true",
            "null",
            "\"1e-29\"",
            "\"12345e-29\"",
            "\"1e29\"",
            "\"1e\"",
            "\"e5\"",
            "\"1e5e5\"",
            "\"1e999999999999\"",
        ] {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
