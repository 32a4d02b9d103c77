//! A text that is never shown.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

/// A password, token or URL with a key in it: neither debug output nor an error about its form shows it.
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl Secret {
    /// Whether nothing was given.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() {
            "Secret(empty)"
        } else {
            "Secret(..)"
        })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

/// Says what is wrong without the value, which serde's own messages show.
struct Visitor;

const WRONG: &str = "this must be text in quotes";

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text in quotes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret(text.to_owned()))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Secret, E> {
        Err(E::custom(WRONG))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Secret, E> {
        Err(E::custom(WRONG))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, _: A) -> Result<Secret, A::Error> {
        Err(de::Error::custom(WRONG))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, _: A) -> Result<Secret, A::Error> {
        Err(de::Error::custom(WRONG))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown_whatever_form_it_has() {
        for value in [
            serde_json::json!(8_675_309),
            serde_json::json!(["8675309"]),
            serde_json::json!({ "a": "8675309" }),
        ] {
            let said = serde_json::from_value::<Secret>(value)
                .expect_err("no text")
                .to_string();
            assert!(said.contains("text") && !said.contains("8675309"), "{said}");
        }
        assert_eq!(format!("{:?}", Secret("8675309".to_owned())), "Secret(..)");
    }
}
