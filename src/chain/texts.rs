//! Lists of texts in settings, where one text may stand for a list.

use serde::Deserialize;

/// A list of texts, or one text with commas between them, as a variable has it.
pub(super) fn listed<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a text, or a list of texts")]
    enum Texts {
        One(String),
        Several(Vec<String>),
    }

    Ok(match Option::deserialize(deserializer)? {
        Some(Texts::One(text)) => Some(text.split(',').map(|one| one.trim().to_owned()).collect()),
        Some(Texts::Several(texts)) => Some(texts),
        None => None,
    })
}

/// A list of texts, or one text. A URL in the wrong place would be quoted by the error, and it may hold a key.
pub(super) fn one_or_several<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    struct Texts;

    impl<'de> serde::de::Visitor<'de> for Texts {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a URL or a list of URLs")
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            // A comma may stand inside a URL; one that a URL follows stands between two.
            let mut urls: Vec<String> = Vec::new();
            for part in text.split(',').map(str::trim) {
                match urls.last_mut() {
                    Some(url) if !part.starts_with("http") => {
                        url.push(',');
                        url.push_str(part);
                    }
                    _ => urls.push(part.to_owned()),
                }
            }
            Ok(urls)
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element()? {
                texts.push(text);
            }
            Ok(texts)
        }
    }

    deserializer.deserialize_any(Texts)
}
