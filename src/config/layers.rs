//! Layers of keys and values, each with its origin, and how they become one typed value.
//!
//! Numbers keep the digits that were typed: a TOML float never becomes a binary one.

use std::{collections::BTreeMap, fmt, path::Path};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use toml_edit::{DocumentMut, Item, Value as TomlValue};

/// Where values came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Such as `job.toml`, `--set` or `LGI_MM__WORKER__BATCH`.
    pub origin: String,
    /// A tree of tables.
    pub values: Map<String, Value>,
}

/// A layer that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; check the path and its permissions")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{path} is not valid TOML: {error}")]
    Syntax {
        /// Which.
        path: String,
        /// Where and why.
        error: String,
    },
    /// A `--set` without a key or a value.
    #[error("--set {text}: write key=value, such as --set accumulate.dca_amount_usd=25")]
    Assignment {
        /// What was given.
        text: String,
    },
    /// A value of the wrong type, or a key that does not exist.
    #[error("{key}{}: {error}", origin.as_ref().map(|origin| format!(" (from {origin})")).unwrap_or_default())]
    Value {
        /// The dotted key.
        key: String,
        /// Who set it.
        origin: Option<String>,
        /// What is wrong and what is allowed.
        error: String,
    },
}

impl Layer {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// [`LayerError::Unreadable`], [`LayerError::Syntax`].
    pub fn file(path: &Path) -> Result<Self, LayerError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| LayerError::Unreadable {
            path: shown.clone(),
            source,
        })?;
        let document: DocumentMut =
            text.parse()
                .map_err(|error: toml_edit::TomlError| LayerError::Syntax {
                    path: shown.clone(),
                    error: error.to_string(),
                })?;
        Ok(Self {
            origin: shown,
            values: table(document.as_table().iter()),
        })
    }

    /// Takes every `LGI_MM__SECTION__KEY` of the environment.
    ///
    /// # Errors
    /// [`LayerError::Value`] for a variable without a section and a key.
    pub fn environment(variables: impl Iterator<Item = (String, String)>) -> Result<Self, LayerError> {
        let mut layer = Self {
            origin: "environment".to_owned(),
            values: Map::new(),
        };
        for (name, text) in variables {
            let Some(path) = name.strip_prefix("LGI_MM__") else {
                continue;
            };
            let path: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
            put(&mut layer.values, &path, scalar(&text));
        }
        Ok(layer)
    }

    /// Takes `key=value` pairs.
    ///
    /// # Errors
    /// [`LayerError::Assignment`].
    pub fn assignments(pairs: &[String]) -> Result<Self, LayerError> {
        let mut layer = Self {
            origin: "--set".to_owned(),
            values: Map::new(),
        };
        for text in pairs {
            let assignment = || LayerError::Assignment { text: text.clone() };
            let (key, value) = text.split_once('=').ok_or_else(assignment)?;
            let path: Vec<String> = key.trim().split('.').map(str::to_owned).collect();
            if path.iter().any(String::is_empty) {
                return Err(assignment());
            }
            put(&mut layer.values, &path, scalar(value.trim()));
        }
        Ok(layer)
    }

    /// Every dotted key with a value.
    #[must_use]
    pub fn leaves(&self) -> BTreeMap<String, Value> {
        let mut leaves = BTreeMap::new();
        collect(&self.values, "", &mut leaves);
        leaves
    }

    /// Takes a dotted key away.
    pub fn remove(&mut self, key: &str) {
        let (section, rest) = key.rsplit_once('.').unwrap_or(("", key));
        let mut table = Some(&mut self.values);
        for part in section.split('.').filter(|part| !part.is_empty()) {
            table = table
                .and_then(|table| table.get_mut(part))
                .and_then(Value::as_object_mut);
        }
        if let Some(table) = table {
            table.remove(rest);
        }
    }
}

fn collect(table: &Map<String, Value>, prefix: &str, leaves: &mut BTreeMap<String, Value>) {
    for (key, value) in table {
        let dotted = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        match value {
            Value::Object(inner) => collect(inner, &dotted, leaves),
            leaf => {
                leaves.insert(dotted, leaf.clone());
            }
        }
    }
}

fn put(table: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((last, sections)) = path.split_last() else {
        return;
    };
    let mut table = table;
    for section in sections {
        let entry = table
            .entry(section.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        if !entry.is_object() {
            *entry = Value::Object(Map::new());
        }
        let Value::Object(inner) = entry else { return };
        table = inner;
    }
    table.insert(last.clone(), value);
}

/// What a person means by a bare text: a TOML value if it is one, else the text itself (`4h`, `0 9 * * *`).
fn scalar(text: &str) -> Value {
    match text.parse::<TomlValue>() {
        Ok(value) => json(&value),
        Err(_) => Value::String(text.to_owned()),
    }
}

fn table<'a>(entries: impl Iterator<Item = (&'a str, &'a Item)>) -> Map<String, Value> {
    entries
        .filter_map(|(key, item)| Some((key.to_owned(), item_json(item)?)))
        .collect()
}

fn item_json(item: &Item) -> Option<Value> {
    match item {
        Item::None => None,
        Item::Value(value) => Some(json(value)),
        Item::Table(inner) => Some(Value::Object(table(inner.iter()))),
        Item::ArrayOfTables(tables) => Some(Value::Array(
            tables
                .iter()
                .map(|inner| Value::Object(table(inner.iter())))
                .collect(),
        )),
    }
}

fn json(value: &TomlValue) -> Value {
    match value {
        TomlValue::String(text) => Value::String(text.value().clone()),
        TomlValue::Integer(number) => Value::from(*number.value()),
        TomlValue::Boolean(flag) => Value::Bool(*flag.value()),
        // The digits as they were typed.
        TomlValue::Float(number) => Value::String(number.display_repr().replace('_', "").trim().to_owned()),
        TomlValue::Datetime(time) => Value::String(time.value().to_string()),
        TomlValue::Array(items) => Value::Array(items.iter().map(json).collect()),
        TomlValue::InlineTable(inner) => Value::Object(
            inner
                .iter()
                .map(|(key, value)| (key.to_owned(), json(value)))
                .collect(),
        ),
    }
}

/// Puts `upper` over `lower`, table by table.
pub(super) fn merge(lower: &mut Map<String, Value>, upper: &Map<String, Value>) {
    for (key, value) in upper {
        match (lower.get_mut(key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => merge(below, above),
            _ => {
                lower.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Reads layers, lowest first, as one value. `base` lies below all of them.
pub(super) fn typed<T: DeserializeOwned>(layers: &[Layer], base: &[Layer]) -> Result<T, LayerError> {
    let mut merged = Map::new();
    for layer in base.iter().chain(layers) {
        merge(&mut merged, &layer.values);
    }
    serde_path_to_error::deserialize(Value::Object(merged)).map_err(|error| {
        let inner = error.inner().to_string();
        let path = error.path().to_string();
        let key = match unknown_field(&inner) {
            Some(field) if path == "." => field.to_owned(),
            Some(field) if !path.ends_with(field) => format!("{path}.{field}"),
            _ => path,
        };
        let origin = layers
            .iter()
            .rev()
            .find(|layer| layer.leaves().keys().any(|leaf| leaf.starts_with(&key)));
        LayerError::Value {
            key,
            origin: origin.map(|layer| layer.origin.clone()),
            error: inner,
        }
    })
}

fn unknown_field(error: &str) -> Option<&str> {
    error.strip_prefix("unknown field `")?.split('`').next()
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}
