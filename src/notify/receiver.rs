//! One receiver: its settings, its secrets and its messages.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::VariantArray;

use super::{
    notice::Notice,
    receivers::{Answer, Check, Form, Moved, ReceiverError, ReceiverKind, ReceiverValues, Setting, Target},
};
use crate::domain::{config::Validator, name::nearest, notice::EventChoice, secret::Secret, span::Span};

/// `[notify.receivers.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiverSettings {
    /// Decides which other keys there are: [`ReceiverKind::settings`].
    pub kind: ReceiverKind,
    /// Events that it gets; it gets halted signers in any case.
    #[serde(default)]
    pub events: EventChoice,
    /// Shortest time between two messages, 0s to 1h; the default is the service's limit.
    #[serde(default)]
    pub min_interval: Option<Span>,
    /// The keys of its kind; [`ReceiverSettings::check`] refuses others.
    #[serde(flatten)]
    own: BTreeMap<String, OwnValue>,
}

/// A value that may be secret, so debug output does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct OwnValue(Value);

impl fmt::Debug for OwnValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnValue(..)")
    }
}

impl OwnValue {
    /// `None` if it is neither a text nor a number.
    fn text(&self) -> Option<String> {
        match &self.0 {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn is_empty(&self) -> bool {
        self.0 == Value::String(String::new())
    }
}

const HIDDEN: &str = "(not shown)";

/// Keys that a receiver of any kind has.
const OF_EVERY_KIND: [&str; 3] = ["kind", "events", "min_interval"];

impl ReceiverSettings {
    pub(super) fn check(&self, found: &mut Validator) {
        if let Some(interval) = self.min_interval {
            found.span("min_interval", interval, 0, 3_600);
        }
        let mut known = Vec::new();
        for Setting { key, form } in self.kind.settings() {
            known.push((*key).to_owned());
            match form {
                Form::Secret { .. } => {
                    known.push(file_of(key));
                    self.check_secret(key, found);
                }
                Form::Required(check) => self.check_text(key, check, true, found),
                Form::Optional(check) => self.check_text(key, check, false, found),
            }
        }
        // An empty key of another kind is a section that was switched over; any other key is a mistake.
        let elsewhere: Vec<String> = ReceiverKind::VARIANTS
            .iter()
            .flat_map(|kind| kind.settings())
            .flat_map(|setting| [setting.key.to_owned(), file_of(setting.key)])
            .collect();
        for (key, value) in &self.own {
            let switched_over = value.is_empty() && elsewhere.contains(key);
            if !known.contains(key) && !switched_over {
                found.refuse_key(key, self.no_such_key(key, &known));
            }
        }
    }

    /// `own`: the keys of its kind.
    fn no_such_key(&self, key: &str, own: &[String]) -> String {
        let allowed: Vec<&str> = OF_EVERY_KIND
            .into_iter()
            .chain(own.iter().map(String::as_str))
            .collect();
        let near = nearest(key, &allowed).map(|near| format!("; did you mean {near}?"));
        format!(
            "a receiver of kind {} has no such key{} It has {}",
            self.kind,
            near.as_deref().unwrap_or("."),
            allowed.join(", ")
        )
    }

    fn check_secret(&self, key: &str, found: &mut Validator) {
        let file = file_of(key);
        for key in [key, &file] {
            if self.own.get(key).is_some_and(|value| !value.0.is_string()) {
                return found.refuse(key, HIDDEN, "text in quotes");
            }
        }
        match (self.given(key).is_empty(), self.given(&file).is_empty()) {
            (true, true) => {
                let kind = self.kind;
                let why = format!(
                    "it is missing, and a receiver of kind {kind} needs it: set {file} (a file's first line), or {key}"
                );
                found.refuse_key(key, why);
            }
            (false, false) => {
                found.refuse(key, HIDDEN, format_args!("one of {key} and {file}, not both"));
            }
            (true, false) | (false, true) => {}
        }
    }

    fn check_text(&self, key: &str, check: &Check, required: bool, found: &mut Validator) {
        let value = self.own.get(key);
        let text = value.map_or(Some(String::new()), OwnValue::text);
        let fits = text
            .as_deref()
            .is_some_and(|text| (check.fits)(text) || (text.is_empty() && !required));
        if !fits {
            let shown = text.filter(|_| check.shown);
            found.refuse(key, shown.as_deref().unwrap_or(HIDDEN), check.allowed);
        }
    }

    /// The text of a key; empty if it was not given.
    fn given(&self, key: &str) -> String {
        self.own.get(key).and_then(OwnValue::text).unwrap_or_default()
    }

    pub(super) fn receiver(&self, name: &str) -> Receiver {
        let settings = self.kind.settings();
        let values = settings
            .iter()
            .map(|setting| (setting.key, Secret(self.given(setting.key))));
        let given = ReceiverValues {
            receiver: name.to_owned(),
            values: values.collect(),
        };
        let files = settings.iter().filter_map(|Setting { key, form }| match form {
            Form::Secret { what } => Some(SecretFile {
                key,
                what,
                path: self.given(&file_of(key)),
            }),
            Form::Required(_) | Form::Optional(_) => None,
        });
        let usual = || self.kind.messenger().min_interval(&given);
        Receiver {
            name: name.to_owned(),
            kind: self.kind,
            events: self.events.clone(),
            min_interval: self.min_interval.unwrap_or_else(usual),
            files: files.filter(|file| !file.path.is_empty()).collect(),
            given,
        }
    }
}

fn file_of(key: &str) -> String {
    format!("{key}_file")
}

/// A receiver that messages can be sent to. Files with secrets are read at each use, so that a replaced file takes
/// effect at once, and the secrets are dropped after it.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Its name in the settings.
    pub name: String,
    /// Its kind.
    pub kind: ReceiverKind,
    /// Events that it gets.
    pub events: EventChoice,
    /// Shortest time between two messages.
    pub min_interval: Span,
    given: ReceiverValues,
    files: Vec<SecretFile>,
}

#[derive(Debug, Clone)]
struct SecretFile {
    key: &'static str,
    what: &'static str,
    path: String,
}

impl Receiver {
    /// Whether its secrets can be read and used. Sends nothing.
    ///
    /// # Errors
    /// [`ReceiverError`] names the key and what to do.
    pub async fn check(&self) -> Result<(), ReceiverError> {
        self.target().await.map(|_| ())
    }

    /// The number of the chat that it writes to.
    pub(super) fn chat(&self) -> Option<i64> {
        self.given.values.get("chat_id")?.0.parse().ok()
    }

    /// The request body for a message.
    #[must_use]
    pub fn body(&self, notice: &Notice) -> Value {
        self.kind.messenger().body(&self.given, notice)
    }

    /// What the owner must change before anything arrives again, if this answer says so.
    pub(super) fn remedy(&self, answer: &Answer) -> Option<String> {
        self.kind.messenger().remedy(&self.given, answer)
    }

    /// Whether it refuses this very message at every try.
    pub(super) fn refuses_for_good(&self, answer: &Answer) -> bool {
        self.kind.messenger().refuses_for_good(answer)
    }

    /// The receiver at its new place and what to change in the settings, if this answer names one.
    pub(super) fn moved(&self, answer: &Answer) -> Option<(Self, String)> {
        let Moved { given, advice } = self.kind.messenger().moved(&self.given, answer)?;
        Some((
            Self {
                given,
                ..self.clone()
            },
            advice,
        ))
    }

    pub(super) async fn target(&self) -> Result<Target, ReceiverError> {
        let mut given = self.given.clone();
        for file in &self.files {
            let secret = file.read(given.dotted(file.key)).await?;
            given.values.insert(file.key, secret);
        }
        self.kind.messenger().target(&given)
    }
}

impl SecretFile {
    async fn read(&self, key: String) -> Result<Secret, ReceiverError> {
        let path = self.path.clone();
        let text = match tokio::fs::read_to_string(PathBuf::from(&path)).await {
            Ok(text) => text,
            Err(source) => return Err(ReceiverError::Unreadable { key, path, source }),
        };
        match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
            Some(line) => Ok(Secret(line.to_owned())),
            None => Err(ReceiverError::Empty {
                key,
                path,
                what: self.what,
            }),
        }
    }
}
