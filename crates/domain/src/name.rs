//! Names that owners give to receivers, signals and baskets, and names that they misspell.

/// Longest name.
const NAME_MAX: usize = 32;

/// Longest text that is compared with names, characters.
const COMPARED_MAX: usize = 200;

/// Reads words of a list in any case of letters: `ACCUMULATE`, `accumulate`. They are written in one. A type has
/// `VariantArray` and `Display`.
macro_rules! read_in_any_case {
    ($($word:ty),+) => {
        $(impl<'de> serde::Deserialize<'de> for $word {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let words = <Self as strum::VariantArray>::VARIANTS;
                let found = words.iter().find(|word| word.to_string().eq_ignore_ascii_case(&text));
                found.copied().ok_or_else(|| {
                    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                    // As the derived code says it: `plain` reads it.
                    serde::de::Error::custom(format_args!(
                        "unknown variant `{text}`, expected one of {}",
                        words.join(", ")
                    ))
                })
            }
        })+
    };
}
pub(crate) use read_in_any_case;

/// Whether a text is such a name: 1 to 32 of a-z, 0-9, - and _.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    (1..=NAME_MAX).contains(&text.len()) && text.chars().all(fits)
}

/// Of `names` the one that is spelt most like `given`, whatever the case of its letters; none if none is alike: at most
/// a third of the letters may differ, or two.
#[must_use]
pub fn nearest<'a>(given: &str, names: &[&'a str]) -> Option<&'a str> {
    let given: String = given
        .chars()
        .take(COMPARED_MAX)
        .collect::<String>()
        .to_lowercase();
    let letters = given.chars().count();
    let near = names
        .iter()
        .map(|name| (distance(&name.to_lowercase(), &given), *name))
        .min_by_key(|(distance, _)| *distance)?;
    let longer = letters.max(near.1.chars().count());
    // Two letters that are swapped count as two.
    // A name of which no letter is left is another name.
    let alike = near.0 < longer && near.0 <= (longer / 3).max(if longer < 4 { 1 } else { 2 });
    alike.then_some(near.1)
}

/// Edit distance between two texts: letters that are added, left out or replaced.
#[must_use]
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut last = i.saturating_add(1);
        for (cell, right) in row.iter_mut().skip(1).zip(&b) {
            let cost = if left == *right {
                diagonal
            } else {
                diagonal.min(*cell).min(last).saturating_add(1)
            };
            diagonal = std::mem::replace(cell, cost);
            last = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i.saturating_add(1);
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_found_and_another_word_is_not() {
        let names = ["phone", "desk", "all"];
        for (given, expected) in [
            ("phnoe", Some("phone")),
            ("PHONE", Some("phone")),
            ("dsk", Some("desk")),
            ("desks", Some("desk")),
            ("accountant", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, &names), expected, "{given}");
        }
        assert_eq!(nearest("phone", &[]), None);
    }
}
