//! What a service that keeps this installation running takes over from this process.

use std::{env, path::PathBuf};

use super::{
    environment::{user_config_dir, variable},
    layers::LayerError,
    live::{PASSWORD_VARIABLE, UNSAFE_KEY_VARIABLE},
};

/// Variables of others that change what a process of ours does: where PostgreSQL, time zones and files are, and which
/// identity opens a key in KMS.
const OTHERS: [&str; 12] = [
    "AWS_CONFIG_FILE",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_SHARED_CREDENTIALS_FILE",
    "DATABASE_URL",
    "ETH_RPC_URL",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "PG_BIN",
    "RUST_LOG",
    "TZDIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
];

/// Variables of ours that are not for a service: passwords and keys belong into files, and the settings file is an
/// argument.
const NOT_FOR_A_SERVICE: [&str; 3] = [PASSWORD_VARIABLE, UNSAFE_KEY_VARIABLE, "LGI_MM_SETTINGS"];

/// The user's home.
#[must_use]
pub fn home() -> Option<PathBuf> {
    env::var_os("HOME")
        .map(PathBuf::from)
        .filter(|home| home.is_absolute())
}

/// Where units of this user are.
#[must_use]
pub fn user_unit_dir() -> Option<PathBuf> {
    user_config_dir().map(|dir| dir.join("systemd/user"))
}

/// The variables of this process that a service with the same configuration needs.
///
/// # Errors
/// [`LayerError::NotText`] for a variable that is not UTF-8.
pub fn service_environment() -> Result<Vec<(String, String)>, LayerError> {
    let mut found = Vec::new();
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let ours = name.starts_with("LGI_MM_") && !NOT_FOR_A_SERVICE.contains(&name);
        if (ours || OTHERS.contains(&name))
            && let Some(value) = variable(name)?
        {
            found.push((name.to_owned(), value));
        }
    }
    found.sort();
    Ok(found)
}
