//! Text that a stranger wrote: a revert reason, a node's error, a ticker, a receiver's reply.

use std::{borrow::Cow, fmt};

/// An error with all its causes: alone it often says only that a request failed.
#[must_use]
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// Most characters that are kept; longer text ends in `..`.
pub const FOREIGN_CHARS_MAX: usize = 500;

/// A stranger's words, safe to store, log and print: one line of valid text without control characters, without
/// characters that reorder or hide text, at most [`FOREIGN_CHARS_MAX`] characters long.
///
/// PostgreSQL refuses a NUL and a terminal obeys an escape sequence, so each text from outside becomes one of these
/// where it enters the program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Foreign(String);

impl Foreign {
    /// Cleans `text`: line breaks and tabs become spaces, other control, format and invisible characters become `\u{fffd}`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self::within(text, FOREIGN_CHARS_MAX)
    }

    /// The same, at most `chars_max` characters long.
    #[must_use]
    pub fn within(text: &str, chars_max: usize) -> Self {
        let mut kept = String::with_capacity(text.len().min(chars_max));
        for (count, character) in text.chars().enumerate() {
            if count == chars_max {
                kept.push_str("..");
                break;
            }
            kept.push(clean(character));
        }
        Self(kept)
    }

    /// Cleans bytes that should be UTF-8; what is not becomes `\u{fffd}`.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        // A character has at most four bytes: what follows would be cut in any case.
        let end = bytes
            .len()
            .min(FOREIGN_CHARS_MAX.saturating_add(1).saturating_mul(4));
        Self::new(&String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()))
    }

    /// The clean text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The clean text, owned.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text of several lines, safe to print: as [`Foreign::new`] cleans, but of any length, and with its line breaks and tabs.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    let kept = |character| matches!(character, '\n' | '\t') || clean(character) == character;
    if text.chars().all(kept) {
        return Cow::Borrowed(text);
    }
    let cleaned = text.chars().map(|character| match character {
        '\n' | '\t' => character,
        other => clean(other),
    });
    Cow::Owned(cleaned.collect())
}

fn clean(character: char) -> char {
    match character {
        '\n' | '\r' | '\t' => ' ',
        hidden if hidden.is_control() || is_invisible(hidden) => char::REPLACEMENT_CHARACTER,
        plain => plain,
    }
}

/// Characters that take no space, or change the direction of what follows.
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_database_refuses_or_a_terminal_obeys_is_replaced() {
        let hostile = "pwn\0d \u{1b}]0;title\u{7}\u{9b}2J\u{202e}gpj\u{200b}.exe\r\nnext\tline\u{85}";
        let clean = Foreign::new(hostile);
        assert!(
            !clean.as_str().chars().any(|c| c.is_control() || is_invisible(c)),
            "{clean}"
        );
        assert!(clean.as_str().starts_with("pwn\u{fffd}d "), "{clean}");
        assert!(clean.as_str().contains("next line"), "{clean}");
    }

    #[test]
    fn what_is_printed_keeps_its_lines_and_loses_what_a_terminal_obeys() {
        let table = "a\tb\n──\n币安 é\n";
        assert!(matches!(printable(table), Cow::Borrowed(same) if same == table));
        assert_eq!(
            printable("a\u{1b}[2J\rb\n\u{9b}\u{202e}\0"),
            "a\u{fffd}[2J b\n\u{fffd}\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn long_text_is_cut_at_a_character_and_broken_bytes_are_text() {
        let long = Foreign::new(&"\u{e9}".repeat(10_000));
        assert_eq!(long.as_str().chars().count(), FOREIGN_CHARS_MAX + 2);
        assert!(long.as_str().ends_with(".."));
        assert_eq!(
            Foreign::from_bytes(&[0xff; 100_000]).as_str().chars().count(),
            FOREIGN_CHARS_MAX + 2
        );
        assert_eq!(
            Foreign::new("0x1234 plain \u{fc}ber").as_str(),
            "0x1234 plain \u{fc}ber"
        );
    }
}
