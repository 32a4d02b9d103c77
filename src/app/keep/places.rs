//! What belongs to an installation and is not in its database.

use std::path::PathBuf;

use serde::Serialize;

use crate::{app::error::AppError, config::Settings};

/// A file or directory that no backup of the database contains.
#[derive(Debug, Clone, Serialize)]
pub struct Elsewhere {
    /// What it is.
    pub what: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is there.
    pub there: bool,
}

/// Keys, settings and policy of this machine.
///
/// # Errors
/// [`AppError::Settings`] for a variable that is not UTF-8.
pub fn elsewhere(settings: &Settings) -> Result<Vec<Elsewhere>, AppError> {
    let keys = settings.keys()?;
    let policy = settings.policy()?;
    let mut places = vec![("keystore", keys.dir)];
    places.extend(keys.password_file.map(|path| ("password of the keystore", path)));
    places.extend(settings.origin.clone().map(|path| ("settings", path)));
    places.push(("policy", policy.path().to_owned()));
    places.push(("journal of signatures", policy.journal().dir().to_owned()));
    // Without a home directory there is no usual place.
    places.retain(|(_, path)| !path.as_os_str().is_empty());
    let places = places.into_iter().map(|(what, path)| Elsewhere {
        what,
        there: path.exists(),
        path,
    });
    Ok(places.collect())
}
