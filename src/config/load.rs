//! Reads the settings from their file and the environment.

use std::{
    env,
    path::{Path, PathBuf},
};

use super::{
    check,
    environment::{user_config_dir, variable},
    error::SettingsError,
    fingerprint::{NO_FILE, fingerprint},
    job,
    layers::{self, Layer},
    settings::Settings,
};
use crate::{
    domain::{chains::CHAINS, secret::Secret},
    trust::{Chosen, trusted},
};

impl Settings {
    /// Reads the settings: `file` if given, else `lgi-mm.toml` in the working directory, else
    /// `lgi-mm/lgi-mm.toml` in the user's configuration directory; then the environment.
    ///
    /// # Errors
    /// [`SettingsError`] names the key, its origin and the allowed values.
    pub fn load(file: Option<&Path>) -> Result<Self, SettingsError> {
        let mut layers = Vec::new();
        let named = file.map(|path| (path.to_path_buf(), Chosen::ByName));
        let used = named.or_else(|| Some((usual_file()?, Chosen::Found)));
        let mut origin = None;
        let mut before = NO_FILE.to_owned();
        if let Some((path, chosen)) = used {
            let trusted = trusted(&path, chosen)?;
            before = fingerprint(Some(&trusted));
            layers.push(Layer::file(&path)?);
            origin = Some(trusted);
        }
        layers.push(Layer::environment(env::vars_os())?);
        let mut settings: Self =
            layers::typed(&serde_json::Map::new(), &layers).map_err(SettingsError::Keys)?;
        job::check_defaults(&layers)?;
        // Taken before the file is read: a change in between looks like a change, never like none.
        settings.fingerprint = before;
        settings.origin = origin;
        if let Some(url) = variable("DATABASE_URL")? {
            settings.database.url = Secret(url);
        }
        settings.database.take_password()?;
        settings.database.take_root_cert()?;
        if let Some(dir) = variable("LGI_MM_DATA_DIR")? {
            settings.database.data_dir = dir;
        }
        if let Some(url) = variable("ETH_RPC_URL")?.filter(|url| !url.is_empty()) {
            let default_chain = settings.chains.entry(CHAINS[0].name.to_owned()).or_default();
            default_chain.rpc_urls = vec![url];
        }
        let wrong = check::problems(&settings);
        if wrong.is_empty() {
            Ok(settings)
        } else {
            Err(SettingsError::Invalid(wrong))
        }
    }
}

/// Where a settings file is looked for if none is named; the first that is there is read.
#[must_use]
pub fn usual_files() -> Vec<PathBuf> {
    let user = user_config_dir();
    let places = [
        Some(PathBuf::from("lgi-mm.toml")),
        user.map(|dir| dir.join("lgi-mm/lgi-mm.toml")),
    ];
    places.into_iter().flatten().collect()
}

fn usual_file() -> Option<PathBuf> {
    usual_files().into_iter().find(|path| path.is_file())
}
