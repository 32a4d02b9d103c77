//! `[notify]`: receivers by name, and their secrets.

use std::{collections::BTreeMap, path::PathBuf};

use reqwest::Url;
use serde::{Deserialize, Deserializer, Serialize, de};
use strum::{Display, IntoStaticStr};

use super::sign::{Key, WeakKey};
use crate::domain::{
    config::InvalidConfig,
    notice::{ALL, EventChoice, is_receiver_name},
    secret::Secret,
    span::Span,
};

const TELEGRAM: &str = "https://api.telegram.org";

/// `[notify]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotifySettings {
    /// Whether a scheduler or daemon with these settings delivers.
    pub deliver: bool,
    /// A message that no receiver took for this long is given up, 1m to 30d.
    pub give_up_after: Span,
    /// Longest wait for a receiver's answer, 100ms to 1m.
    pub timeout: Span,
    /// `[notify.receivers.NAME]`
    pub receivers: BTreeMap<String, ReceiverKeys>,
}

impl Default for NotifySettings {
    fn default() -> Self {
        Self {
            deliver: true,
            give_up_after: Span::from_secs(24 * 3_600),
            timeout: Span::from_secs(10),
            receivers: BTreeMap::new(),
        }
    }
}

/// What a receiver is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr, Serialize, Deserialize)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum ReceiverKind {
    /// A chat, through the bot API.
    Telegram,
    /// A channel's webhook, or whatever understands one.
    Discord,
    /// A channel's incoming webhook, or whatever understands one, such as Mattermost.
    Slack,
    /// A program of your own; JSON, signed.
    Webhook,
}

/// `[notify.receivers.NAME]`: which keys there are depends on the kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverKeys {
    /// What it is.
    pub kind: ReceiverKind,
    /// What it is told of; a halted signer is told whatever this says.
    #[serde(default)]
    pub events: EventChoice,
    /// Shortest time between two messages, 0s to 1h; without it what the kind allows.
    #[serde(default)]
    pub min_interval: Option<Span>,
    /// telegram: the bot's token.
    #[serde(default)]
    pub token: Secret,
    /// telegram: file whose first line is the token.
    #[serde(default)]
    pub token_file: String,
    /// telegram: the chat's number, or `@channel`.
    #[serde(default, deserialize_with = "text_or_number")]
    pub chat_id: String,
    /// telegram: where the API is.
    #[serde(default)]
    pub api_url: String,
    /// discord, slack, webhook: where messages are posted to. It holds a key.
    #[serde(default)]
    pub url: Secret,
    /// discord, slack, webhook: file whose first line is the URL.
    #[serde(default)]
    pub url_file: String,
    /// webhook: what signatures are made with.
    #[serde(default)]
    pub secret: Secret,
    /// webhook: file whose first line is the secret.
    #[serde(default)]
    pub secret_file: String,
}

fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => Ok(text),
        serde_json::Value::Number(number) => Ok(number.to_string()),
        other => Err(de::Error::custom(format!(
            "'{other}' is no chat; write its number, such as -1001234567890, or \"@channel\""
        ))),
    }
}

/// A receiver that messages can be sent to. Its secrets are read when they are needed, so that a new one in a file
/// counts at once, and kept no longer.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Its name in the settings.
    pub name: String,
    /// What it is.
    pub kind: ReceiverKind,
    /// What it is told of.
    pub events: EventChoice,
    /// Shortest time between two messages.
    pub min_interval: Span,
    chat_id: String,
    api_url: String,
    /// The token or the URL.
    place: SecretSource,
    key: SecretSource,
}

/// A receiver that cannot be used. No variant holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// A secret's file cannot be read.
    #[error("{key}_file = \"{path}\" cannot be read: {source}; give a readable file")]
    Unreadable {
        /// The key, less `_file`.
        key: String,
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A secret's file has nothing in it.
    #[error("{key}_file = \"{path}\": its first line is empty; write the {what} there")]
    Empty {
        /// The key, less `_file`.
        key: String,
        /// The file.
        path: String,
        /// What is missing.
        what: &'static str,
    },
    /// No URL.
    #[error("{key} is not a URL that begins with https:// or http://; it is not shown here")]
    NotUrl {
        /// The key.
        key: String,
    },
    /// No token.
    #[error("{key} is not a bot's token, such as 123456:ABC-def; it is not shown here")]
    NotToken {
        /// The key.
        key: String,
    },
    /// No key.
    #[error("{key}: {source}")]
    Weak {
        /// The key.
        key: String,
        /// Why not.
        source: WeakKey,
    },
}

/// A secret, or the file that has it.
#[derive(Debug, Clone)]
struct SecretSource {
    key: String,
    what: &'static str,
    given: Secret,
    file: String,
}

impl SecretSource {
    async fn read(&self) -> Result<Secret, ReceiverError> {
        if self.file.is_empty() {
            return Ok(self.given.clone());
        }
        let (key, path) = (self.key.clone(), self.file.clone());
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

/// A receiver with its secrets: only as long as a message is sent.
pub(super) struct Opened {
    /// Where to post to.
    pub(super) url: Url,
    /// What to sign with.
    pub(super) key: Option<Key>,
    /// What must not be in any message of ours about it.
    pub(super) hidden: Vec<Secret>,
}

impl NotifySettings {
    /// What is not allowed.
    #[must_use]
    pub fn problems(&self) -> Vec<InvalidConfig> {
        let mut wrong = Vec::new();
        for (name, keys) in &self.receivers {
            let mut refuse = |key: &str, value: &str, allowed: &str| {
                wrong.push(InvalidConfig {
                    key: format!("notify.receivers.{name}{key}"),
                    value: value.to_owned(),
                    allowed: allowed.to_owned(),
                });
            };
            if !is_receiver_name(name) {
                let allowed = format!("a name of 1 to 32 of a-z, 0-9, - and _, other than {ALL}");
                refuse("", name, &allowed);
            }
            if keys
                .min_interval
                .is_some_and(|span| span > Span::from_secs(3_600))
            {
                let value = keys.min_interval.unwrap_or_default().to_string();
                refuse(".min_interval", &value, "0s to 1h");
            }
            keys.problems(&mut refuse);
        }
        wrong
    }

    /// All receivers, by name.
    #[must_use]
    pub fn receivers(&self) -> Vec<Receiver> {
        self.receivers
            .iter()
            .map(|(name, keys)| keys.receiver(name))
            .collect()
    }
}

impl ReceiverKeys {
    /// The keys of secrets with what is given for each, whether this kind has it.
    fn secrets(&self) -> [(&'static str, &Secret, &str, bool); 3] {
        let telegram = self.kind == ReceiverKind::Telegram;
        [
            ("token", &self.token, self.token_file.as_str(), telegram),
            ("url", &self.url, &self.url_file, !telegram),
            (
                "secret",
                &self.secret,
                &self.secret_file,
                self.kind == ReceiverKind::Webhook,
            ),
        ]
    }

    fn problems(&self, refuse: &mut impl FnMut(&str, &str, &str)) {
        let kind = self.kind;
        for (key, given, file, wanted) in self.secrets() {
            let place = format!(".{key}");
            match (wanted, given.is_empty(), file.is_empty()) {
                (true, true, true) => {
                    let allowed =
                        format!("present for kind {kind}: set {key}_file (a file's first line), or {key}");
                    refuse(&place, "missing", &allowed);
                }
                (true, false, false) => {
                    let allowed = format!("one of {key} and {key}_file, not both");
                    refuse(&place, "(not shown)", &allowed);
                }
                (false, given, file) if !given || !file => {
                    refuse(&place, "(not shown)", &format!("absent for kind {kind}"));
                }
                _ => {}
            }
        }
        let telegram = kind == ReceiverKind::Telegram;
        if telegram {
            let name = self
                .chat_id
                .strip_prefix('@')
                .is_some_and(|name| !name.is_empty());
            if !name && self.chat_id.parse::<i64>().is_err() {
                let allowed = "a chat's number, such as -1001234567890, or \"@channel\"";
                refuse(".chat_id", &self.chat_id, allowed);
            }
            if !self.api_url.is_empty() && http_url(&self.api_url).is_none() {
                refuse(
                    ".api_url",
                    "(not shown)",
                    "a URL that begins with https:// or http://",
                );
            }
        } else {
            for (key, value) in [(".chat_id", &self.chat_id), (".api_url", &self.api_url)] {
                if !value.is_empty() {
                    refuse(key, "(not shown)", &format!("absent for kind {kind}"));
                }
            }
        }
    }

    fn receiver(&self, name: &str) -> Receiver {
        let source = |key: &str, what, given: &Secret, file: &str| SecretSource {
            key: format!("notify.receivers.{name}.{key}"),
            what,
            given: given.clone(),
            file: file.to_owned(),
        };
        let place = match self.kind {
            ReceiverKind::Telegram => source("token", "token", &self.token, &self.token_file),
            _ => source("url", "URL", &self.url, &self.url_file),
        };
        Receiver {
            name: name.to_owned(),
            kind: self.kind,
            events: self.events.clone(),
            min_interval: self.min_interval.unwrap_or_else(|| self.usual_interval()),
            chat_id: self.chat_id.clone(),
            api_url: self.api_url.clone(),
            place,
            key: source("secret", "secret", &self.secret, &self.secret_file),
        }
    }

    /// What the services say they take: Telegram a message a second in a chat and twenty a minute in a group,
    /// Discord five in two seconds, Slack one a second.
    fn usual_interval(&self) -> Span {
        match self.kind {
            ReceiverKind::Telegram if self.chat_id.starts_with(['-', '@']) => Span::from_secs(3),
            ReceiverKind::Telegram | ReceiverKind::Slack => Span::from_secs(1),
            ReceiverKind::Discord => Span::from_millis(500),
            ReceiverKind::Webhook => Span::ZERO,
        }
    }
}

impl Receiver {
    /// Whether its secrets can be read and used. Nobody is asked.
    ///
    /// # Errors
    /// [`ReceiverError`].
    pub async fn check(&self) -> Result<(), ReceiverError> {
        self.open().await.map(|_| ())
    }

    /// The chat, for Telegram.
    #[must_use]
    pub fn chat_id(&self) -> &str {
        &self.chat_id
    }

    pub(super) async fn open(&self) -> Result<Opened, ReceiverError> {
        let place = self.place.read().await?;
        if self.kind == ReceiverKind::Telegram {
            let url = telegram_url(&self.api_url, &place).ok_or_else(|| ReceiverError::NotToken {
                key: self.place.key.clone(),
            })?;
            return Ok(Opened {
                url,
                key: None,
                hidden: vec![place],
            });
        }
        let url = http_url(&place.0).ok_or_else(|| ReceiverError::NotUrl {
            key: self.place.key.clone(),
        })?;
        // A webhook's key is a part of its URL, and may be repeated without the rest.
        let parts = url.path_segments().into_iter().flatten().map(str::to_owned);
        let values = url.query_pairs().map(|(_, value)| value.into_owned());
        let mut hidden: Vec<Secret> = parts.chain(values).map(Secret).collect();
        hidden.insert(0, place);
        let key = if self.kind == ReceiverKind::Webhook {
            let secret = self.key.read().await?;
            let key = Key::new(&secret.0).map_err(|source| ReceiverError::Weak {
                key: self.key.key.clone(),
                source,
            })?;
            hidden.push(secret);
            Some(key)
        } else {
            None
        };
        Ok(Opened { url, key, hidden })
    }
}

fn http_url(text: &str) -> Option<Url> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host())
}

fn telegram_url(api_url: &str, token: &Secret) -> Option<Url> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-');
    if !token.0.contains(':') || !token.0.chars().all(fits) {
        return None;
    }
    let api = if api_url.is_empty() { TELEGRAM } else { api_url };
    http_url(&format!(
        "{}/bot{}/sendMessage",
        api.trim_end_matches('/'),
        token.0
    ))
}
