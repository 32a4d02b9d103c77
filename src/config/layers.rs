//! Layers of keys and values, each with its origin, and how they become one typed value.
//!
//! Numbers keep the typed digits: a TOML float never becomes a binary float.

use std::{collections::BTreeMap, ffi::OsString, fmt, io::Read, path::Path};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use toml_edit::{DocumentMut, Item, Value as TomlValue};

use crate::domain::{
    foreign::Foreign,
    plain::{plain, unknown_field},
};

const PREFIX: &str = "LGI_MM__";
const ENVIRONMENT: &str = "environment";
/// Maximum parts of a dotted key; the longest existing key has four.
const DEPTH_MAX: usize = 16;
/// Maximum size of a settings file, bytes.
const FILE_MAX: u64 = 1024 * 1024;
/// Shown characters of a name that is too long.
const SHOWN_MAX: usize = 60;

/// Origin of the values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Such as `job.toml`, `--set` or `LGI_MM__WORKER__BATCH`.
    pub origin: String,
    /// The values, as a tree of tables.
    pub values: Map<String, Value>,
}

/// A layer that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; check the path and its permissions")]
    Unreadable {
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{path} is not valid TOML: {error}")]
    Syntax {
        /// The file.
        path: String,
        /// Position and cause.
        error: String,
    },
    /// A variable that is not UTF-8.
    #[error("{name} is not UTF-8 text; set it again or unset it")]
    NotText {
        /// Its name.
        name: String,
    },
    /// An assignment without a key or a value.
    #[error("{origin} {text}: write key=value, such as accumulate.dca_amount_usd=25")]
    Assignment {
        /// The field of the request, as its face calls it.
        origin: String,
        /// The given text.
        text: String,
    },
    /// A file that is too large for settings.
    #[error("{path} is larger than {FILE_MAX} bytes; give a settings file")]
    TooLarge {
        /// The file.
        path: String,
    },
    /// A key with too many parts.
    #[error("{origin}: a key has at most {DEPTH_MAX} parts between its dots, this one has {parts}")]
    TooDeep {
        /// Origin of the key.
        origin: String,
        /// Number of its parts.
        parts: usize,
    },
    /// A key that does not exist.
    #[error("{key} (from {origin}): there is no such key; did you mean {nearest}?")]
    UnknownKey {
        /// The dotted key.
        key: String,
        /// Origin of the key.
        origin: String,
        /// The known key that is spelt most like it.
        nearest: String,
    },
    /// A value of the wrong type.
    #[error("{key}{}: {error}", origin.as_ref().map(|origin| format!(" (from {origin})")).unwrap_or_default())]
    Value {
        /// The dotted key.
        key: String,
        /// Origin of the value.
        origin: Option<String>,
        /// What is wrong, and the allowed values.
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
        let text = read_capped(path, &shown)?;
        let document: DocumentMut =
            text.parse()
                .map_err(|error: toml_edit::TomlError| LayerError::Syntax {
                    path: shown.clone(),
                    error: place_and_reason(&text, &error),
                })?;
        Self {
            origin: shown,
            values: table(document.as_table().iter()),
        }
        .storable()
    }

    /// Reads every `LGI_MM__SECTION__KEY` of the environment.
    ///
    /// # Errors
    /// [`LayerError::NotText`] for such a variable that is not UTF-8; others may hold any bytes.
    pub fn environment(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Self, LayerError> {
        let mut layer = Self {
            origin: ENVIRONMENT.to_owned(),
            values: Map::new(),
        };
        for (name, text) in variables {
            let name = name.to_string_lossy();
            let Some(path) = name.strip_prefix(PREFIX) else {
                continue;
            };
            let text = text.into_string().map_err(|_| LayerError::NotText {
                name: name.clone().into_owned(),
            })?;
            let path: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
            shallow(&path, || name.chars().take(SHOWN_MAX).collect())?;
            put(&mut layer.values, &path, scalar(&text));
        }
        layer.storable()
    }

    /// Reads `key=value` pairs. `origin`: what the face calls the field that they were given in.
    ///
    /// # Errors
    /// [`LayerError::Assignment`].
    pub fn assignments(pairs: &[String], origin: &str) -> Result<Self, LayerError> {
        let mut layer = Self {
            origin: origin.to_owned(),
            values: Map::new(),
        };
        for text in pairs {
            let assignment = || LayerError::Assignment {
                origin: origin.to_owned(),
                text: text.clone(),
            };
            let (key, value) = text.split_once('=').ok_or_else(assignment)?;
            let path: Vec<String> = key.trim().split('.').map(str::to_owned).collect();
            if path.iter().any(String::is_empty) {
                return Err(assignment());
            }
            shallow(&path, || origin.to_owned())?;
            put(&mut layer.values, &path, scalar(value.trim()));
        }
        layer.storable()
    }

    /// Refuses a NUL character, which an escape of TOML can write and no database stores.
    fn storable(self) -> Result<Self, LayerError> {
        let wrong = self.leaves().into_iter().find(|(key, value)| has_nul(key, value));
        match wrong {
            None => Ok(self),
            Some((key, _)) => Err(LayerError::Value {
                origin: Some(self.origin_of(&key)),
                key: Foreign::new(&key).into_string(),
                error: "it has a NUL character (U+0000): no name and no text may have one; leave it out"
                    .to_owned(),
            }),
        }
    }

    /// Every dotted key with a value.
    #[must_use]
    pub fn leaves(&self) -> BTreeMap<String, Value> {
        let mut leaves = BTreeMap::new();
        collect(&self.values, "", &mut leaves);
        leaves
    }

    /// The same layer, where a list may be written as words between commas: `onchain,dexscreener`. `base` tells
    /// which keys are lists.
    fn with_lists(&self, base: &Map<String, Value>) -> Self {
        let mut layer = self.clone();
        listed(&mut layer.values, base);
        layer
    }

    /// Origin of this key: for the environment, the variable.
    pub(super) fn origin_of(&self, key: &str) -> String {
        if self.origin == ENVIRONMENT {
            format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
        } else {
            self.origin.clone()
        }
    }

    /// Removes a dotted key.
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

fn has_nul(key: &str, value: &Value) -> bool {
    let in_value = match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(all) => all.iter().any(|one| has_nul("", one)),
        Value::Object(members) => members.iter().any(|(key, member)| has_nul(key, member)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    };
    in_value || key.contains('\0')
}

fn listed(values: &mut Map<String, Value>, base: &Map<String, Value>) {
    for (key, value) in values {
        match (value, base.get(key)) {
            (Value::Object(inner), Some(Value::Object(below))) => listed(inner, below),
            (value @ Value::String(_), Some(Value::Array(_))) => {
                let words = value.as_str().unwrap_or_default().split(',').map(str::trim);
                *value = words.filter(|word| !word.is_empty()).map(Value::from).collect();
            }
            _ => {}
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

/// Parses bare text: a TOML value if it is one, else the text itself (`4h`, `0 9 * * *`).
fn scalar(text: &str) -> Value {
    match text.parse::<TomlValue>() {
        Ok(value) => json(&value),
        Err(_) => Value::String(text.to_owned()),
    }
}

/// A decimal number; not hexadecimal, octal or binary.
fn is_plain(number: &str) -> bool {
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    digits
        .bytes()
        .all(|digit| digit.is_ascii_digit() || digit == b'_')
}

fn shallow(path: &[String], origin: impl FnOnce() -> String) -> Result<(), LayerError> {
    if path.len() <= DEPTH_MAX {
        return Ok(());
    }
    Err(LayerError::TooDeep {
        origin: origin(),
        parts: path.len(),
    })
}

/// Reads at most [`FILE_MAX`] bytes: a device or a pipe may never end.
fn read_capped(path: &Path, shown: &str) -> Result<String, LayerError> {
    let unreadable = |source| LayerError::Unreadable {
        path: shown.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    file.take(FILE_MAX.saturating_add(1))
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > FILE_MAX {
        return Err(LayerError::TooLarge {
            path: shown.to_owned(),
        });
    }
    Ok(text)
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
        // A number in another notation than money stays text, which amounts refuse.
        TomlValue::Integer(number) if !is_plain(number.display_repr().trim()) => {
            Value::String(number.display_repr().trim().to_owned())
        }
        TomlValue::Integer(number) => Value::from(*number.value()),
        TomlValue::Boolean(flag) => Value::Bool(*flag.value()),
        // The typed digits.
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

/// Reads layers, lowest first, over `base` as one value.
///
/// # Errors
/// Every key that cannot be read, not only the first.
pub(super) fn typed<T: DeserializeOwned>(
    base: &Map<String, Value>,
    layers: &[Layer],
) -> Result<T, Vec<LayerError>> {
    let layers: Vec<Layer> = layers.iter().map(|layer| layer.with_lists(base)).collect();
    let layers = layers.as_slice();
    let mut merged = base.clone();
    for layer in layers {
        merge(&mut merged, &layer.values);
    }
    let Unreadable {
        key: first_key,
        why: first,
        ..
    } = match read(merged) {
        Ok(value) => return Ok(value),
        Err(wrong) => wrong,
    };
    // Deserializing stops at the first wrong key, so each key is then tried alone. A key alone may lack its
    // neighbours; only errors about the key itself count.
    let mut wrong = BTreeMap::new();
    for (key, (layer, value)) in topmost(layers) {
        let mut alone = base.clone();
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        put(&mut alone, &path, value);
        if let Err(found) = read::<T>(alone)
            && (found.key == key || found.is_unknown)
        {
            let origin = Some(layer.origin_of(&found.key));
            wrong.insert(found.key, (origin, found.why));
        }
    }
    let setter = layers
        .iter()
        .rev()
        .find(|layer| layer.leaves().keys().any(|leaf| leaf.starts_with(&first_key)));
    let origin = setter.map(|layer| layer.origin_of(&first_key));
    wrong.entry(first_key).or_insert((origin, first));
    Err(wrong
        .into_iter()
        .map(|(key, (origin, error))| LayerError::Value { key, origin, error })
        .collect())
}

/// Every key with its effective value and origin.
fn topmost(layers: &[Layer]) -> BTreeMap<String, (&Layer, Value)> {
    let leaves = |layer: &Layer| layer.leaves();
    layers
        .iter()
        .flat_map(|layer| {
            leaves(layer)
                .into_iter()
                .map(move |(key, value)| (key, (layer, value)))
        })
        .collect()
}

/// A key that cannot be read.
struct Unreadable {
    key: String,
    why: String,
    /// There is no such key.
    is_unknown: bool,
}

/// The value, or the wrong key and the cause.
fn read<T: DeserializeOwned>(values: Map<String, Value>) -> Result<T, Unreadable> {
    serde_path_to_error::deserialize(Value::Object(values)).map_err(|error| {
        // The message quotes the given value, whatever its length.
        let inner = Foreign::new(&error.inner().to_string()).into_string();
        let path = error.path().to_string();
        let unknown = unknown_field(&inner);
        let key = match unknown {
            Some(field) if path == "." => field.to_owned(),
            Some(field) if !path.ends_with(field) => format!("{path}.{field}"),
            _ => path,
        };
        let why = if inner.contains(", expected struct ") {
            // The given value may hold a password.
            format!("this is a section: write its keys, such as [{key}] in a file")
        } else {
            plain(&inner)
        };
        Unreadable {
            is_unknown: unknown.is_some(),
            key,
            why,
        }
    })
}

/// Position and cause of a syntax error, without the line itself: it may hold a password.
fn place_and_reason(text: &str, error: &toml_edit::TomlError) -> String {
    let reason = error.message().trim_end();
    let Some(span) = error.span() else {
        return reason.to_owned();
    };
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.split('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    format!("line {line}, column {}: {reason}", column.saturating_add(1))
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}
