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

struct ExactDecimal;

impl de::Visitor<'_> for ExactDecimal {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number such as 25, 0.5 or \"0.000001\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
        let text = text.trim();
        Decimal::from_str_exact(text)
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
        ] {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
