//! Names that owners give to receivers, signals and baskets.

/// Longest name.
const NAME_MAX: usize = 32;

/// Whether a text is such a name: 1 to 32 of a-z, 0-9, - and _.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    (1..=NAME_MAX).contains(&text.len()) && text.chars().all(fits)
}
