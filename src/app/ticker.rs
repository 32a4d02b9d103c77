//! Tickers that people give and contracts have.

use super::{
    AppError,
    message::{Field, message},
};
use crate::domain::foreign::Foreign;

/// Longest ticker that the ledger keeps, characters.
const LENGTH_MAX: usize = 32;

/// A ticker of printable characters only: a foreign one must not control a terminal or break a file's lines.
pub(in crate::app) fn is_ticker(text: &str) -> bool {
    (1..=LENGTH_MAX).contains(&text.chars().count())
        && !text.contains(char::is_whitespace)
        && !text.contains(char::REPLACEMENT_CHARACTER)
        && Foreign::new(text).as_str() == text
}

/// Checks a ticker of a request.
///
/// # Errors
/// [`AppError::Usage`] for one that [`is_ticker`] refuses.
pub(in crate::app) fn given(symbol: Option<&str>) -> Result<(), AppError> {
    match symbol.filter(|symbol| !is_ticker(symbol)) {
        None => Ok(()),
        Some(symbol) => {
            let problem =
                format!(" {symbol:?}: 1 to {LENGTH_MAX} printable characters without spaces are allowed");
            Err(message![Field::Symbol, problem].bad_input())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_ticker;

    #[test]
    fn a_ticker_cannot_write_to_a_terminal() {
        let long = "x".repeat(33);
        for (text, allowed) in [
            ("CLAWD", true),
            ("$WIF", true),
            ("币安人生", true),
            ("", false),
            ("A B", false),
            ("A\nB", false),
            ("\u{1b}[31mRED", false),
            ("\u{202e}CDSU", false),
            ("U\u{200b}SDC", false),
            (long.as_str(), false),
        ] {
            assert_eq!(is_ticker(text), allowed, "{text:?}");
        }
    }
}
