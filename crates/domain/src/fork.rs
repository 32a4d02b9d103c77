//! Exchanges that copied Uniswap V2, as settings name them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Forks of a chain, at most: each is asked with every quote.
pub const FORKS_MAX: usize = 8;
/// Longest name, in characters.
const LENGTH_MAX: usize = 16;

/// The name of such an exchange: 1 to 16 of a-z, 0-9 and the hyphen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ForkName {
    /// Filled up with zeros.
    letters: [u8; LENGTH_MAX],
}

/// A text that names no exchange.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no name of a fork: 1 to {LENGTH_MAX} of a-z, 0-9 and the hyphen")]
pub struct InvalidForkName {
    /// What was given.
    pub text: String,
}

impl fmt::Display for ForkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.letters
            .iter()
            .take_while(|letter| **letter != 0)
            .try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

impl FromStr for ForkName {
    type Err = InvalidForkName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |letter: u8| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let mut letters = [0; LENGTH_MAX];
        let room = letters.get_mut(..text.len()).filter(|room| !room.is_empty());
        match room {
            Some(room) if text.bytes().all(allowed) => {
                room.copy_from_slice(text.as_bytes());
                Ok(Self { letters })
            }
            _ => Err(InvalidForkName {
                text: text.to_owned(),
            }),
        }
    }
}

impl Serialize for ForkName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ForkName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_fork_is_short_and_plain() {
        for text in ["a", "sushiswap", "pancake-v2", "0123456789abcdef"] {
            let name: ForkName = text.parse().expect("a name");
            assert_eq!(name.to_string(), text);
            assert_eq!(serde_json::to_value(name).expect("json"), text);
        }
        for text in ["", "Sushi", "0123456789abcdefg", "a b", "a:b", "a/b", "ä", "a\0"] {
            let error = text.parse::<ForkName>().expect_err("no name").to_string();
            assert!(error.ends_with("1 to 16 of a-z, 0-9 and the hyphen"), "{error}");
        }
    }
}
