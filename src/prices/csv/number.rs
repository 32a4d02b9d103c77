//! Notations of prices in files.

use std::borrow::Cow;

use rust_decimal::Decimal;

use super::problem::RowProblem;
use crate::domain::{foreign::Foreign, units::Price};

/// Maximum length of a bad field in a message.
const SHOWN_MAX: usize = 40;

/// The decimal separator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decimals {
    /// `1,234.56`
    Point,
    /// `1.234,56`
    Comma,
}

impl Decimals {
    const fn separators(self) -> (char, char) {
        match self {
            Self::Point => ('.', ','),
            Self::Comma => (',', '.'),
        }
    }

    /// The decimal separator that a number proves, if it can be read in one way only.
    pub(super) fn proven_by(field: &[u8]) -> Option<Self> {
        let text = cleaned(std::str::from_utf8(field).ok()?);
        if !text.starts_with(|c: char| c.is_ascii_digit() || ".,".contains(c)) {
            return None;
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, _)) => (mantissa, true),
            None => (&*text, false),
        };
        let (points, commas) = (mantissa.matches('.').count(), mantissa.matches(',').count());
        match (points, commas) {
            (0, 0) => None,
            (1, 0) => (exponent || !may_be_thousands(mantissa, '.')).then_some(Self::Point),
            (0, 1) => (exponent || !may_be_thousands(mantissa, ',')).then_some(Self::Comma),
            (_, 0) => Some(Self::Comma),
            (0, _) => Some(Self::Point),
            _ if mantissa.rfind('.') > mantissa.rfind(',') => Some(Self::Point),
            _ => Some(Self::Comma),
        }
    }
}

/// `1,234` may be 1234. `0,123`, `1,2` and `1234,567` may not.
fn may_be_thousands(text: &str, separator: char) -> bool {
    let mut groups = text.split(separator);
    let first = groups.next().unwrap_or_default();
    (1..=3).contains(&first.len()) && !first.starts_with('0') && groups.all(|group| group.len() == 3)
}

/// Strips a dollar sign, and blanks and apostrophes between thousands.
fn cleaned(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('$').map_or(text, str::trim_start);
    let marks = [' ', '\'', '\u{a0}', '\u{202f}', '\u{2019}'];
    if !text.contains(marks) {
        return Cow::Borrowed(text);
    }
    let whole = text.split(['.', ',']).next().unwrap_or_default();
    let mut groups = whole.split(marks);
    let first = groups.next().unwrap_or_default();
    let thousands = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
    if thousands && !text.get(whole.len()..).unwrap_or_default().contains(marks) {
        return Cow::Owned(text.replace(marks, ""));
    }
    Cow::Borrowed(text)
}

/// A decimal above zero, plain or in scientific notation. `decimals`: how the file writes them, if that is known.
pub(super) fn price(field: &[u8], decimals: Option<Decimals>) -> Result<Price, RowProblem> {
    let text = std::str::from_utf8(field).map_err(|_| RowProblem::NotText)?;
    if text.is_empty() {
        return Err(RowProblem::NoPrice);
    }
    let none = || RowProblem::Price(shown(field));
    let number = cleaned(text);
    let number = match decimals {
        None | Some(Decimals::Point) if !number.contains(',') => number,
        None => match Decimals::proven_by(field) {
            Some(decimals) => Cow::Owned(plain(&number, decimals).ok_or_else(none)?),
            None if may_be_thousands(&number, ',') => return Err(RowProblem::Thousands(shown(field))),
            None => return Err(none()),
        },
        Some(decimals) => Cow::Owned(plain(&number, decimals).ok_or_else(none)?),
    };
    let value: Decimal = number
        .parse()
        .or_else(|_| Decimal::from_scientific(&number))
        .map_err(|_| none())?;
    Price::new(value).map_err(|_| RowProblem::NotPositive(value))
}

/// The number with a decimal point and without separators of thousands; `None` if those are misplaced.
fn plain(number: &str, decimals: Decimals) -> Option<String> {
    let (point, thousands) = decimals.separators();
    let whole_end = number.find([point, 'e', 'E']).unwrap_or(number.len());
    let (whole, rest) = number.split_at_checked(whole_end)?;
    if rest.contains(thousands) || rest.matches(point).count() > 1 {
        return None;
    }
    let digits = whole.trim_start_matches(['+', '-']);
    if whole.contains(thousands) && !may_be_thousands(digits, thousands) {
        return None;
    }
    Some(whole.replace(thousands, "") + &rest.replace(point, "."))
}

/// The start of a field, safe for a terminal.
pub(super) fn shown(field: &[u8]) -> String {
    Foreign::within(&String::from_utf8_lossy(field), SHOWN_MAX).into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, decimals: Option<Decimals>) -> Result<String, RowProblem> {
        price(text.as_bytes(), decimals).map(|price| price.decimal().normalize().to_string())
    }

    #[test]
    fn numbers_are_read_where_there_is_one_way_to_read_them() {
        use Decimals::{Comma, Point};
        for (text, decimals, value) in [
            ("1.25", None, "1.25"),
            ("1.234", None, "1.234"),
            ("1.2e-5", None, "0.000012"),
            ("1,2E-5", None, "0.000012"),
            ("1,1", None, "1.1"),
            ("0,123", None, "0.123"),
            ("1.234,56", None, "1234.56"),
            ("1,234.56", None, "1234.56"),
            ("1,234,567", None, "1234567"),
            ("1'234.5", None, "1234.5"),
            ("1 234,5", None, "1234.5"),
            ("1\u{a0}234\u{a0}567", None, "1234567"),
            ("$0.5", None, "0.5"),
            ("$ 1,234.5", None, "1234.5"),
            ("1,234", Some(Comma), "1.234"),
            ("1,234", Some(Point), "1234"),
            ("1.234", Some(Comma), "1234"),
            ("1.234.567", Some(Comma), "1234567"),
            ("+1,5", Some(Comma), "1.5"),
        ] {
            assert_eq!(read(text, decimals).as_deref(), Ok(value), "{text} {decimals:?}");
        }
    }

    #[test]
    fn all_else_is_refused() {
        use Decimals::{Comma, Point};
        for (text, decimals) in [
            ("", None),
            ("-1", None),
            ("0", None),
            ("NaN", None),
            ("null", None),
            ("inf", None),
            ("1,234", None),
            ("1,1", Some(Point)),
            ("1.5", Some(Comma)),
            ("12,34.5", None),
            ("1,23,456", None),
            ("1 2", None),
            ("1,2,3", None),
            ("€1.5", None),
            ("1.5 EUR", None),
            ("1.5%", None),
        ] {
            assert!(read(text, decimals).is_err(), "{text} {decimals:?}");
        }
    }

    #[test]
    fn one_number_may_prove_how_all_are_written() {
        for (text, proves) in [
            ("1,5", Some(Decimals::Comma)),
            ("0,125", Some(Decimals::Comma)),
            ("1234,567", Some(Decimals::Comma)),
            ("1.234,5", Some(Decimals::Comma)),
            ("1.234.567", Some(Decimals::Comma)),
            ("1.5", Some(Decimals::Point)),
            ("1,234.5", Some(Decimals::Point)),
            ("1,234,567", Some(Decimals::Point)),
            ("1,234", None),
            ("1.234", None),
            ("17", None),
            ("price", None),
        ] {
            assert_eq!(Decimals::proven_by(text.as_bytes()), proves, "{text}");
        }
    }
}
