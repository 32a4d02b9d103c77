//! Secrets that a process has without asking.

use std::path::Path;

use crate::{
    app::error::AppError,
    chain::keystore::{self, SecretText},
    config::Settings,
};

/// The password in `file`, in the file of the settings or in the environment, in this order; `None`: ask for it.
///
/// # Errors
/// [`AppError`] if a named file cannot be read.
pub fn known_password(settings: &Settings, file: Option<&Path>) -> Result<Option<SecretText>, AppError> {
    let keys = settings.keys()?;
    if let Some(path) = file.or(keys.password_file.as_deref()) {
        return Ok(Some(keystore::password_in(path)?));
    }
    Ok(keys.password)
}

/// The raw key in the environment; `None`: ask for it.
///
/// # Errors
/// [`AppError`] for a variable that is not text.
pub fn known_key(settings: &Settings) -> Result<Option<SecretText>, AppError> {
    Ok(settings.keys()?.unsafe_key)
}
