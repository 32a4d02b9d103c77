//! The environment: variables and the user's directories.

use std::{
    env,
    path::{Path, PathBuf},
};

use super::layers::LayerError;

/// The user's directory of configuration.
pub(super) fn user_config_dir() -> Option<PathBuf> {
    env::var_os("XDG_CONFIG_HOME")
        .filter(|dir| !dir.is_empty())
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".config")))
}

/// The user's directory of data.
pub(super) fn data_dir() -> PathBuf {
    let data = env::var_os("XDG_DATA_HOME")
        .filter(|dir| !dir.is_empty())
        .map(PathBuf::from);
    let home = env::var_os("HOME").unwrap_or_default();
    data.unwrap_or_else(|| Path::new(&home).join(".local/share"))
}

/// An environment variable. One that is not UTF-8 is an error: ignoring it could select another database. An empty
/// one counts as unset: compose files and units leave such variables, and they must not override a file.
pub(super) fn variable(name: &str) -> Result<Option<String>, LayerError> {
    let text = env::var_os(name).map(std::ffi::OsString::into_string).transpose();
    let text = text.map_err(|_| LayerError::NotText {
        name: name.to_owned(),
    })?;
    Ok(text.filter(|text| !text.is_empty()))
}
