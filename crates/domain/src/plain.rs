//! What a deserializer says of a value that it cannot read, in words for people: no types of a programming language,
//! and of several allowed names the one that is spelt most like the given one.

use crate::{foreign::Foreign, name::nearest};

/// Names that are listed at most.
const LISTED_MAX: usize = 40;

/// Characters of a key that are shown.
const KEY_MAX: usize = 100;

/// The message of a value that cannot be read. `said`: the words of `serde`; those of our own types stay as they are.
#[must_use]
pub fn plain(said: &str) -> String {
    let text = unknown(said, "unknown field ")
        .map(|(_, allowed)| format!("there is no such key{allowed}"))
        .or_else(|| {
            unknown(said, "unknown variant ")
                .map(|(given, allowed)| format!("{given} is not one of the allowed values{allowed}"))
        })
        .or_else(|| missing(said))
        .or_else(|| wrong(said))
        .or_else(|| twice(said))
        .or_else(|| parsed(said));
    Foreign::new(&text.unwrap_or_else(|| said.to_owned())).into_string()
}

/// The same after the key that it is about. `path`: where the deserializer was, such as `set[0]`; `.`: at the root.
#[must_use]
pub fn plain_at(path: &str, said: &str) -> String {
    let key = match unknown_field(said) {
        Some(field) if path == "." => field.to_owned(),
        Some(field) if !path.ends_with(field) => format!("{path}.{field}"),
        _ if path == "." => return plain(said),
        _ => path.to_owned(),
    };
    format!("{}: {}", Foreign::within(&key, KEY_MAX), plain(said))
}

/// The name of a key that there is not, if that is what is wrong.
#[must_use]
pub fn unknown_field(said: &str) -> Option<&str> {
    said.strip_prefix("unknown field `")?.split('`').next()
}

/// ``unknown field `x`, expected one of `a`, `b` ``: the given name, and what is allowed instead.
fn unknown<'a>(said: &'a str, start: &str) -> Option<(&'a str, String)> {
    let rest = said.strip_prefix(start)?.strip_prefix('`')?;
    let (given, rest) = rest.split_once('`')?;
    // Every second part stands between backticks.
    let names: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let allowed = match nearest(given, &names) {
        None if names.is_empty() => "; none is allowed here".to_owned(),
        None => format!("; allowed: {}", listed(&names)),
        Some(near) => format!("; did you mean {near}? Allowed: {}", listed(&names)),
    };
    Some((given, allowed))
}

fn listed(names: &[&str]) -> String {
    let shown: Vec<&str> = names.iter().copied().take(LISTED_MAX).collect();
    let more = if names.len() > LISTED_MAX { ", .." } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// ``missing field `x` ``
fn missing(said: &str) -> Option<String> {
    let name = said.strip_prefix("missing field `")?.strip_suffix('`')?;
    Some(format!("{name} is missing"))
}

/// What the standard library says of a text that is no number, or neither true nor false.
fn parsed(said: &str) -> Option<String> {
    let must_be = match said {
        "invalid digit found in string" => "it must be a whole number",
        "cannot parse integer from empty string" => "it is empty; it must be a whole number",
        "number too large to fit in target type" => "the number is too large",
        "number too small to fit in target type" => "the number is too small",
        "provided string was not `true` or `false`" => "it must be true or false",
        _ => return None,
    };
    Some(must_be.to_owned())
}

/// ``duplicate field `x` ``
fn twice(said: &str) -> Option<String> {
    let name = said.strip_prefix("duplicate field `")?.strip_suffix('`')?;
    Some(format!("{name} is given twice"))
}

/// ``invalid type: integer `5`, expected a string``
fn wrong(said: &str) -> Option<String> {
    let rest = said
        .strip_prefix("invalid type: ")
        .or_else(|| said.strip_prefix("invalid value: "))?;
    let (given, expected) = rest.rsplit_once(", expected ")?;
    Some(format!(
        "{} is given; it must be {}",
        is_given(given),
        must_be(expected)
    ))
}

/// ``integer `5` `` or ``string "x"``.
fn is_given(given: &str) -> String {
    let value = given
        .split_once(' ')
        .map(|(_, value)| value.trim_matches('`'))
        .unwrap_or_default();
    match given.split([' ', '`']).next().unwrap_or_default() {
        "integer" | "floating" | "number" => format!("the number {}", value.trim_start_matches("point `")),
        "string" => format!("the text {value}"),
        "boolean" => value.to_owned(),
        "null" | "unit" | "Option" => "null".to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "an object".to_owned(),
        _ => given.to_owned(),
    }
}

fn must_be(expected: &str) -> String {
    let whole = |least: &str, most: &str| format!("a whole number, {least} to {most}");
    match expected {
        "a string" | "string" | "str" | "a borrowed string" | "a character" => "a text, in quotes".to_owned(),
        "a boolean" | "bool" => "true or false".to_owned(),
        "u8" => whole("0", "255"),
        "u16" => whole("0", "65535"),
        "u32" => whole("0", "4294967295"),
        "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "i64" | "i32" | "i16" | "i8" | "isize" => "a whole number".to_owned(),
        "a sequence" | "an array" | "sequence" => "a list, in brackets".to_owned(),
        "a map" | "map" => "an object: keys and values in braces".to_owned(),
        // Of this crate: a decimal number.
        "a Decimal type representing a fixed-point number" => {
            "a decimal number as text, such as \"12.5\"".to_owned()
        }
        of_ours if of_ours.starts_with("struct ") || of_ours.starts_with("internally tagged enum ") => {
            "an object: keys and values in braces".to_owned()
        }
        of_ours
            if of_ours.starts_with("tuple ")
                || of_ours.starts_with("unit ")
                || of_ours.starts_with("enum ") =>
        {
            "one of the allowed values".to_owned()
        }
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the message for a wrong value counts")]
    struct Form {
        name: String,
        #[serde(default)]
        number: u8,
        #[serde(default)]
        flag: bool,
        #[serde(default)]
        list: Vec<String>,
        #[serde(default)]
        below: Option<Box<Form>>,
        #[serde(default)]
        side: Side,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Side {
        #[default]
        Buy,
        Sell,
    }

    fn said(value: Value) -> String {
        let error = serde_json::from_value::<Form>(value).expect_err("it cannot be read");
        plain(&error.to_string())
    }

    #[test]
    fn what_serde_says_of_each_kind_of_mistake_is_said_in_plain_words() {
        for (value, expected) in [
            (json!({}), "name is missing"),
            (
                json!({ "name": "a", "nmuber": 1 }),
                "there is no such key; did you mean number? Allowed: name, number, flag, list, below, side",
            ),
            (
                json!({ "name": 5 }),
                "the number 5 is given; it must be a text, in quotes",
            ),
            (
                json!({ "name": 1.5 }),
                "the number 1.5 is given; it must be a text, in quotes",
            ),
            (
                json!({ "name": null }),
                "null is given; it must be a text, in quotes",
            ),
            (
                json!({ "name": ["a"] }),
                "a list is given; it must be a text, in quotes",
            ),
            (
                json!({ "name": { "a": 1 } }),
                "an object is given; it must be a text, in quotes",
            ),
            (
                json!({ "name": "a", "number": 300 }),
                "the number 300 is given; it must be a whole number, 0 to 255",
            ),
            (
                json!({ "name": "a", "number": -1 }),
                "the number -1 is given; it must be a whole number, 0 to 255",
            ),
            (
                json!({ "name": "a", "number": "7" }),
                "the text \"7\" is given; it must be a whole number, 0 to 255",
            ),
            (
                json!({ "name": "a", "flag": "yes" }),
                "the text \"yes\" is given; it must be true or false",
            ),
            (
                json!({ "name": "a", "list": "b" }),
                "the text \"b\" is given; it must be a list, in brackets",
            ),
            (
                json!({ "name": "a", "below": 1 }),
                "the number 1 is given; it must be an object: keys and values in braces",
            ),
            (
                json!({ "name": "a", "side": "sel" }),
                "sel is not one of the allowed values; did you mean sell? Allowed: buy, sell",
            ),
        ] {
            let text = said(value.clone());
            assert!(text.starts_with(expected), "{value}: {text}");
            for word in ["struct", "enum", "invalid type", "u8", "expected", "variant"] {
                assert!(!text.contains(word), "{value}: {text}");
            }
        }
    }

    #[test]
    fn the_key_is_named_once_wherever_the_mistake_is() {
        for (path, text, expected) in [
            (
                ".",
                "unknown field `a`, expected `b`",
                "a: there is no such key; allowed: b",
            ),
            (
                "a",
                "unknown field `a`, expected `b`",
                "a: there is no such key; allowed: b",
            ),
            (
                "x",
                "unknown field `a`, expected `b`",
                "x.a: there is no such key; allowed: b",
            ),
            (".", "missing field `a`", "a is missing"),
            (
                "set[0]",
                "invalid type: integer `5`, expected a string",
                "set[0]: the number 5 is given; it must be a text, in quotes",
            ),
        ] {
            assert_eq!(plain_at(path, text), expected);
        }
    }

    #[test]
    fn what_the_standard_library_says_of_a_text_is_said_in_plain_words() {
        let number = |text: &str| text.parse::<u8>().expect_err("no number").to_string();
        for (said, expected) in [
            (number("many"), "it must be a whole number"),
            (number(""), "it is empty; it must be a whole number"),
            (number("300"), "the number is too large"),
            (
                "yes".parse::<bool>().expect_err("no").to_string(),
                "it must be true or false",
            ),
        ] {
            assert_eq!(plain(&said), expected, "{said}");
        }
    }

    #[test]
    fn our_own_words_stay_and_a_long_value_is_cut() {
        assert_eq!(
            plain("'4': write a number with a unit, such as 90s"),
            "'4': write a number with a unit, such as 90s"
        );
        assert!(plain(&format!("unknown field `{}`, expected `a`", "x".repeat(9_000))).len() < 700);
    }
}
