//! Settings that cannot be used.

use super::{database::PasswordError, layers::LayerError};
use crate::{domain::config::InvalidConfig, trust::NotTrusted};

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file or variable cannot be read.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// A file that other users can write to.
    #[error(transparent)]
    Trust(#[from] NotTrusted),
    /// Keys that do not exist, or values of the wrong type.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Keys(Vec<LayerError>),
    /// A password file that cannot be used.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Values that are not allowed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<InvalidConfig>),
}

impl SettingsError {
    /// Whether a key does not exist, so that a list of all keys helps.
    #[must_use]
    pub fn has_unknown_key(&self) -> bool {
        matches!(self, Self::Keys(wrong) if wrong.iter().any(|one| matches!(one, LayerError::UnknownKey { .. })))
    }
}
