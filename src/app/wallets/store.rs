//! The keystore's content: new keys, imported keys, the list.

use std::path::{Path, PathBuf};

use alloy_primitives::Address;
use serde::Serialize;
use tracing::info;

use crate::{
    app::{actor::Actor, error::AppError},
    chain::keystore::{KeystoreFile, SecretText},
    config::Settings,
};

/// A wallet and where its key is.
#[derive(Debug, Serialize)]
pub struct Wallet {
    /// The wallet.
    #[serde(serialize_with = "crate::app::whole::checksum")]
    pub address: Address,
    /// A keystore file, or a key of a service.
    pub keystore: String,
}

/// All wallets of this machine.
#[derive(Debug)]
pub struct WalletList {
    /// Where keystores are.
    pub dir: PathBuf,
    /// Keystores first, then keys of services.
    pub wallets: Vec<Wallet>,
}

/// Where an imported key comes from.
#[derive(Debug)]
pub enum KeyOrigin<'a> {
    /// A V3 keystore that the password opens; it is stored with the same one.
    Keystore(&'a Path),
    /// A raw key, to be stored with the password.
    Key(&'a SecretText),
}

impl From<&KeystoreFile> for Wallet {
    fn from(file: &KeystoreFile) -> Self {
        Self {
            address: file.address,
            keystore: file.path.display().to_string(),
        }
    }
}

/// Makes a key and stores it encrypted.
///
/// # Errors
/// [`AppError`] for a weak password, or a directory that cannot be written.
pub fn create(settings: &Settings, password: &SecretText, actor: &Actor) -> Result<Wallet, AppError> {
    let stored = Wallet::from(&settings.keys()?.create(password)?);
    info!(actor = actor.as_str(), wallet = %stored.address, keystore = stored.keystore, "wallet created");
    Ok(stored)
}

/// Stores an existing key encrypted.
///
/// # Errors
/// [`AppError`] for a key or keystore that cannot be read, a weak password, or a wallet that is there already.
pub fn import(
    settings: &Settings,
    origin: &KeyOrigin<'_>,
    password: &SecretText,
    actor: &Actor,
) -> Result<Wallet, AppError> {
    let keys = settings.keys()?;
    let stored = match origin {
        KeyOrigin::Keystore(path) => keys.adopt(path, password)?,
        KeyOrigin::Key(key) => keys.import(key, password)?,
    };
    let stored = Wallet::from(&stored);
    info!(actor = actor.as_str(), wallet = %stored.address, keystore = stored.keystore, "wallet imported");
    Ok(stored)
}

/// Lists all wallets; no key is opened.
///
/// # Errors
/// [`AppError`] if the directory cannot be read.
pub fn list(settings: &Settings) -> Result<WalletList, AppError> {
    let keys = settings.keys()?;
    let mut wallets: Vec<Wallet> = keys.list()?.iter().map(Wallet::from).collect();
    wallets.extend(keys.kms.iter().map(|(address, key)| Wallet {
        address: *address,
        keystore: key.to_string(),
    }));
    Ok(WalletList {
        dir: keys.dir,
        wallets,
    })
}
