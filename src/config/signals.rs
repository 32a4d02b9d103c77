//! `[signals.NAME]`: signed messages from outside, and what each may do.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    domain::{config::Validator, ids::JobId, name::is_name, secret::Secret, signal::SignalAction},
    notify::{Key, WeakKey},
    trust::open_to_all,
};

/// What a secret is shown as.
const HIDDEN: &str = "(not shown)";

/// `[signals.NAME]`. No key has a default that lets a signal do anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalSettings {
    /// Number of the one job that it is for.
    pub job: JobId,
    /// What it may do.
    pub allow: Vec<SignalAction>,
    /// Whether it may do so if the job trades with real money.
    #[serde(default)]
    pub live: bool,
    /// File whose first line is the secret.
    #[serde(default)]
    pub secret_file: String,
    /// The secret: `whsec_` and base64, or a text of at least 16 bytes.
    #[serde(default)]
    pub secret: Secret,
}

/// A secret that cannot be used. It is not shown.
#[derive(Debug, thiserror::Error)]
pub enum SignalSecretError {
    /// The file cannot be read.
    #[error("signals.{name}.secret_file = \"{path}\" cannot be read: {source}; give a readable file")]
    Unreadable {
        /// The signal.
        name: String,
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// Others than its owner and group may read or change the file.
    #[error("signals.{name}.secret_file = \"{path}\": {problem}")]
    Open {
        /// The signal.
        name: String,
        /// The file.
        path: String,
        /// What is wrong, and what to do.
        problem: &'static str,
    },
    /// It is no key.
    #[error("signals.{name}: {source}")]
    Weak {
        /// The signal.
        name: String,
        /// What is wrong with the secret.
        source: WeakKey,
    },
}

impl SignalSettings {
    /// Wrong values; the file of the secret is read when the API is served.
    pub(super) fn check(&self, name: &str, found: &mut Validator) {
        let mut own = Validator::below(&format!("signals.{name}"));
        own.require(
            is_name(name),
            "NAME",
            name,
            "a name of 1 to 32 of a-z, 0-9, - and _",
        );
        own.require(
            self.job.0 > 0,
            "job",
            self.job,
            "the number of a job, as `list` shows it",
        );
        own.require(
            !self.allow.is_empty(),
            "allow",
            "[]",
            "at least one of pause, resume, tick and order",
        );
        match (self.secret.is_empty(), self.secret_file.is_empty()) {
            (true, true) => own.refuse_key(
                "secret_file",
                "it is missing; give a file whose first line is the secret, or secret itself",
            ),
            (false, false) => own.refuse("secret", HIDDEN, "one of secret and secret_file, not both"),
            (false, true) => {
                if let Err(weak) = Key::new(&self.secret.0) {
                    own.refuse("secret", HIDDEN, weak);
                }
            }
            (true, false) => {}
        }
        found.extend(own.into_found());
    }

    /// The key that its messages are signed with. Reads the file of the secret.
    ///
    /// # Errors
    /// [`SignalSecretError`].
    pub fn key(&self, name: &str) -> Result<Key, SignalSecretError> {
        let secret = match self.secret_file.as_str() {
            "" => self.secret.clone(),
            path => {
                let unreadable = |source| SignalSecretError::Unreadable {
                    name: name.to_owned(),
                    path: path.to_owned(),
                    source,
                };
                if let Some(problem) = open_to_all(Path::new(path)).map_err(unreadable)? {
                    return Err(SignalSecretError::Open {
                        name: name.to_owned(),
                        path: path.to_owned(),
                        problem,
                    });
                }
                let text = fs::read_to_string(path).map_err(unreadable)?;
                Secret(text.lines().next().unwrap_or_default().trim().to_owned())
            }
        };
        Key::new(&secret.0).map_err(|source| SignalSecretError::Weak {
            name: name.to_owned(),
            source,
        })
    }
}
