//! New passwords of keystores.

use std::path::PathBuf;

use alloy_primitives::Address;
use serde::Serialize;
use tracing::info;

use super::store::Wallet;
use crate::{
    app::{actor::Actor, error::AppError},
    chain::keystore::SecretText,
    config::Settings,
};

/// What has its new password.
#[derive(Debug, Serialize)]
pub struct Renewed {
    /// Those whose keystore was replaced.
    pub wallets: Vec<Wallet>,
    /// The file from which workers read the old password until the new one is written into it.
    pub password_file: Option<PathBuf>,
}

/// Encrypts keystores with another password: of one wallet, or all, since all of a worker share one.
///
/// # Errors
/// [`AppError`] if a keystore does not open with the old password, or for a weak new one: nothing is changed then. If a
/// replacement cannot take its keystore's place, the error says how many did.
pub fn change(
    settings: &Settings,
    wallet: Option<Address>,
    (old, new): (&SecretText, &SecretText),
    actor: &Actor,
) -> Result<Renewed, AppError> {
    let keys = settings.keys()?;
    let wallets: Vec<Address> = match wallet {
        Some(wallet) => vec![wallet],
        None => keys.list()?.iter().map(|file| file.address).collect(),
    };
    if wallets.is_empty() {
        return Err(AppError::Refused(format!(
            "there is no keystore in {}: nothing was changed",
            keys.dir.display()
        )));
    }
    let changed = keys.change_password(&wallets, old, new)?;
    for file in &changed {
        info!(actor = actor.as_str(), wallet = %file.address, keystore = %file.path.display(), "password changed");
    }
    Ok(Renewed {
        wallets: changed.iter().map(Wallet::from).collect(),
        password_file: keys.password_file,
    })
}
