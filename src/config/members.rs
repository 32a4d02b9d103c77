//! A file that starts a whole basket: a job configuration that all members share, and one `[[member]]` for each.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{
    job::JobLayers,
    layers::{Layer, LayerError},
};

/// Keys of a `[[member]]`.
const KEYS: [&str; 5] = ["token", "symbol", "decimals", "weight", "budget_usd"];

/// Fewest and most members of one file.
const MEMBERS: std::ops::RangeInclusive<usize> = 2..=100;

/// One `[[member]]`.
#[derive(Debug, Clone)]
pub struct MemberGiven {
    /// Token address, as it was written.
    pub token: String,
    /// Its ticker; none: looked up.
    pub symbol: Option<String>,
    /// Digits of one whole token; none: looked up, or 18 on paper.
    pub decimals: Option<u8>,
    /// What the file says for all, and of this one `basket.members`, and its weight and its budget if it has them.
    pub given: JobLayers,
}

/// Reads the members of a basket, in the file's order.
///
/// # Errors
/// [`LayerError`] names the file, the member and the key.
pub fn members(path: &Path) -> Result<Vec<MemberGiven>, LayerError> {
    members_in(Layer::file(path)?)
}

/// The same of what such a file has. `origin`: what the face calls it.
///
/// # Errors
/// As [`members`].
pub fn members_of(origin: &str, values: Map<String, Value>) -> Result<Vec<MemberGiven>, LayerError> {
    members_in(Layer {
        origin: origin.to_owned(),
        values,
    })
}

fn members_in(mut common: Layer) -> Result<Vec<MemberGiven>, LayerError> {
    let file = common.origin.clone();
    let found = match common.values.remove("member") {
        Some(Value::Array(found)) => found,
        Some(_) => {
            return Err(wrong(
                &file,
                "member",
                "must be a list of tables, [[member]] in TOML",
            ));
        }
        None => vec![],
    };
    if !MEMBERS.contains(&found.len()) {
        let problem = format!(
            "{} members; a basket has {} to {}, each with its token ([[member]] in TOML)",
            found.len(),
            MEMBERS.start(),
            MEMBERS.end()
        );
        return Err(wrong(&file, "member", &problem));
    }
    let count = found.len();
    let said = common.leaves().get("basket.members").cloned();
    if let Some(said) = said.filter(|said| *said != json!(count)) {
        let problem =
            format!("{said}, but the file has {count} members; leave the key out: they are counted");
        return Err(wrong(&file, "basket.members", &problem));
    }
    let numbered = found.iter().zip(1..);
    numbered
        .map(|(member, number)| one(&common, count, member, number))
        .collect()
}

fn one(common: &Layer, count: usize, member: &Value, number: usize) -> Result<MemberGiven, LayerError> {
    let file = &common.origin;
    let at = |key: &str| format!("member {number}: {key}");
    let Some(table) = member.as_object() else {
        return Err(wrong(file, &at("all"), "must be a table, [[member]] in TOML"));
    };
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let problem = format!(
            "a member has only {}; what all share is written above them",
            KEYS.join(", ")
        );
        return Err(wrong(file, &at(key), &problem));
    }
    // What is null was not given.
    let given = |key: &str| table.get(key).filter(|value| !value.is_null());
    let text = |key: &str| match given(key) {
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(wrong(
            file,
            &at(key),
            &format!("{other} is no text; put it in quotes"),
        )),
        None => Ok(None),
    };
    let token = text("token")?.ok_or_else(|| wrong(file, &at("token"), "is not given; write its address"))?;
    let decimals = match given("decimals") {
        None => None,
        Some(value) => {
            let read = value.as_u64().and_then(|number| u8::try_from(number).ok());
            Some(read.ok_or_else(|| {
                wrong(
                    file,
                    &at("decimals"),
                    &format!("{value} is no number from 0 to 36"),
                )
            })?)
        }
    };
    let mut basket = Map::new();
    basket.insert("members".to_owned(), json!(count));
    for key in ["weight", "budget_usd"] {
        basket.extend(given(key).map(|value| (key.to_owned(), value.clone())));
    }
    let own = Layer {
        origin: format!("{file}, member {number}"),
        values: Map::from_iter([("basket".to_owned(), Value::Object(basket))]),
    };
    Ok(MemberGiven {
        token,
        symbol: text("symbol")?,
        decimals,
        given: JobLayers::of_job().layer(common.clone()).layer(own),
    })
}

fn wrong(file: &str, key: &str, problem: &str) -> LayerError {
    LayerError::Value {
        key: key.to_owned(),
        origin: Some(file.to_owned()),
        error: problem.to_owned(),
    }
}
