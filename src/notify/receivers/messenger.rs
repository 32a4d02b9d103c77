//! What every kind of receiver provides, and what it gets.

use std::collections::BTreeMap;

use reqwest::Url;
use serde_json::Value;

use crate::{
    domain::{secret::Secret, span::Span},
    notify::{
        notice::Notice,
        sign::{Key, WeakKey},
    },
};

/// One kind of receiver.
pub(crate) trait Messenger: Sync {
    /// Its keys in the settings, besides those that all kinds have.
    fn settings(&self) -> &'static [Setting];

    /// Shortest time between two messages that the service accepts.
    fn min_interval(&self, given: &ReceiverValues) -> Span;

    /// Where to post messages, with the secrets of `given`.
    fn target(&self, given: &ReceiverValues) -> Result<Target, ReceiverError>;

    /// The request body. Pure, and without secrets.
    fn body(&self, given: &ReceiverValues, notice: &Notice) -> Value;

    /// What the owner must change before anything arrives again, if this answer says so. `None` for other answers.
    fn remedy(&self, given: &ReceiverValues, answer: &Answer) -> Option<String>;

    /// Whether this very message is refused, and would be at every try: nothing that its owner may change makes it fit.
    fn refuses_for_good(&self, _: &Answer) -> bool {
        false
    }

    /// The values with which to deliver at once, if the service says that the receiver has moved and it is safe to
    /// follow: the secrets, and with them the server, stay the same.
    fn moved(&self, _: &ReceiverValues, _: &Answer) -> Option<Moved> {
        None
    }

    /// The field of a JSON answer that explains an error.
    fn error_field(&self) -> &'static str {
        "message"
    }
}

/// An answer that is not a success.
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The beginning of the body, without secrets.
    pub(crate) text: String,
}

impl Answer {
    /// A field of a JSON body, such as `/parameters/retry_after`.
    pub(crate) fn field(&self, pointer: &str) -> Option<Value> {
        let body: Value = serde_json::from_str(&self.text).ok()?;
        body.pointer(pointer).cloned()
    }

    /// Whether the body contains one of these, in any case.
    pub(super) fn says(&self, phrases: &[&str]) -> bool {
        let text = self.text.to_lowercase();
        phrases.iter().any(|phrase| text.contains(phrase))
    }
}

/// A receiver that has moved.
pub(crate) struct Moved {
    pub(crate) given: ReceiverValues,
    /// The line of the settings to change.
    pub(crate) advice: String,
}

/// One key of a kind of receiver.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name in `[notify.receivers.NAME]`.
    pub key: &'static str,
    /// What the key holds.
    pub form: Form,
}

/// What a key holds.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// A required secret, given as `key` or in the first line of the file `key_file`.
    Secret {
        /// Names it in errors.
        what: &'static str,
    },
    /// A required text or number.
    Required(Check),
    /// An optional text or number.
    Optional(Check),
}

/// Which texts are allowed.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Whether a text is allowed.
    pub fits: fn(&str) -> bool,
    /// What is allowed, for errors.
    pub allowed: &'static str,
    /// Whether an error may show the refused text.
    pub shown: bool,
}

/// The values of one receiver's keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReceiverValues {
    /// The receiver's name.
    pub(crate) receiver: String,
    pub(crate) values: BTreeMap<&'static str, Secret>,
}

impl ReceiverValues {
    /// Empty if the key was not given.
    pub(super) fn get(&self, key: &str) -> &str {
        self.values.get(key).map_or("", |value| value.0.as_str())
    }

    /// The dotted key, for errors.
    pub(crate) fn dotted(&self, key: &str) -> String {
        format!("notify.receivers.{}.{key}", self.receiver)
    }
}

/// Where a message goes. Lives only while one is sent.
pub(crate) struct Target {
    pub(crate) url: Url,
    /// Signs requests, if the kind wants that.
    pub(crate) key: Option<Key>,
    /// What no message or error of ours may show.
    pub(crate) hidden: Vec<Secret>,
}

/// A receiver that cannot be used. No variant holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// A secret's file cannot be read.
    #[error("{key}_file = \"{path}\" cannot be read: {source}; give a readable file")]
    Unreadable {
        /// The dotted key, less `_file`.
        key: String,
        /// The file.
        path: String,
        /// Why it cannot be read.
        source: std::io::Error,
    },
    /// The first line of a secret's file is empty.
    #[error("{key}_file = \"{path}\": its first line is empty; write the {what} there")]
    Empty {
        /// The dotted key, less `_file`.
        key: String,
        /// The file.
        path: String,
        /// The missing secret.
        what: &'static str,
    },
    /// The text is not an HTTP URL.
    #[error("{key} is not a URL that begins with https:// or http://; it is not shown here")]
    NotUrl {
        /// The dotted key.
        key: String,
    },
    /// The text is not a bot's token.
    #[error("{key} is not a bot's token, such as 123456:ABC-def; it is not shown here")]
    NotToken {
        /// The dotted key.
        key: String,
    },
    /// The secret makes no signing key.
    #[error("{key}: {source}")]
    Weak {
        /// The dotted key.
        key: String,
        /// What is wrong with it.
        source: WeakKey,
    },
}

pub(super) const URL: Setting = Setting {
    key: "url",
    form: Form::Secret { what: "URL" },
};

/// Posts to the key `url`. Such a URL contains a key, and an answer may repeat parts of it.
pub(super) fn posted_to_url(given: &ReceiverValues) -> Result<Target, ReceiverError> {
    let text = given.get(URL.key);
    let url = http_url(text).ok_or_else(|| ReceiverError::NotUrl {
        key: given.dotted(URL.key),
    })?;
    let parts = url.path_segments().into_iter().flatten().map(str::to_owned);
    let values = url.query_pairs().map(|(_, value)| value.into_owned());
    let mut hidden: Vec<Secret> = parts.chain(values).map(Secret).collect();
    hidden.insert(0, Secret(text.to_owned()));
    Ok(Target {
        url,
        key: None,
        hidden,
    })
}

/// The remedy for a status that means the same for every receiver with a URL.
pub(super) fn remedy_of_url(given: &ReceiverValues, answer: &Answer) -> Option<String> {
    let url = given.dotted(URL.key);
    Some(match answer.status {
        401 | 403 => format!("it refuses this URL or its key: check {url}"),
        404 => format!("nothing is at this address: check {url}"),
        405 => format!("this address does not accept POST: check {url}"),
        410 => format!("this address is gone for good: set a new {url}, or remove the receiver"),
        _ => return None,
    })
}

pub(super) fn http_url(text: &str) -> Option<Url> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host())
}
