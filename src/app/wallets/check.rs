//! Whether each key opens, and how well it is protected.

use std::path::PathBuf;

use alloy_primitives::Address;
use serde::Serialize;

use crate::{
    app::error::AppError,
    chain::keystore::{KeyError, KeySource, SecretText},
    config::Settings,
};

/// Which keys to open, and with what.
#[derive(Debug, Default)]
pub struct CheckRequest {
    /// Only this wallet; none: all.
    pub wallet: Option<Address>,
    /// Opens the keystores instead of what the settings name.
    pub password: Option<SecretText>,
}

/// A key that was tried.
#[derive(Debug, Serialize)]
pub struct CheckedWallet {
    /// The wallet.
    #[serde(serialize_with = "crate::app::whole::checksum")]
    pub address: Address,
    /// Whether the key can be used.
    pub opens: bool,
    /// What one guess at the password costs, or where else the key is.
    pub kept: Option<String>,
    /// Whether guesses are cheap.
    pub weak: bool,
    /// Why it does not open.
    pub problem: Option<String>,
}

/// All keys that were tried.
#[derive(Debug, Serialize)]
pub struct WalletReport {
    /// Keystores that do not name their wallet, and so are never used.
    pub unnamed: Vec<PathBuf>,
    /// The keys.
    pub wallets: Vec<CheckedWallet>,
}

impl WalletReport {
    /// How many keys do not open.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.wallets.iter().filter(|wallet| !wallet.opens).count()
    }
}

/// Whether a check needs a password that neither settings nor environment have.
///
/// # Errors
/// [`AppError`] if the keystore's directory cannot be read.
pub fn needs_password(settings: &Settings, wallet: Option<Address>) -> Result<bool, AppError> {
    let keys = settings.keys()?;
    Ok(chosen(&keys, wallet)?
        .iter()
        .any(|wallet| matches!(keys.check(*wallet), Err(KeyError::NoPassword(_)))))
}

/// Opens every key: about a second each.
///
/// # Errors
/// [`AppError`] if the keystore's directory cannot be read. A key that does not open is part of the report.
pub async fn check(settings: &Settings, request: CheckRequest) -> Result<WalletReport, AppError> {
    let mut keys = settings.keys()?;
    let wallets = chosen(&keys, request.wallet)?;
    if request.password.is_some() {
        keys.password = request.password;
        keys.password_file = None;
    }
    let mut checked = Vec::new();
    for wallet in wallets {
        checked.push(examined(&keys, wallet).await);
    }
    Ok(WalletReport {
        wallets: checked,
        unnamed: keys.unnamed()?,
    })
}

fn chosen(keys: &KeySource, wallet: Option<Address>) -> Result<Vec<Address>, AppError> {
    Ok(match wallet {
        Some(wallet) => vec![wallet],
        None => keys.addresses()?,
    })
}

async fn examined(keys: &KeySource, wallet: Address) -> CheckedWallet {
    let (opened, kept, weak) = match keys.kms.get(&wallet) {
        Some(key) => (key.open(wallet).await.map(|_| ()), Some(key.to_string()), false),
        None => {
            let (kept, weak) = match keys.strength(wallet) {
                Ok(Some((strength, weak))) => (Some(strength), weak),
                Ok(None) => (Some("a variable, as it is".to_owned()), false),
                Err(_) => (None, false),
            };
            (keys.unlock(wallet).map(|_| ()), kept, weak)
        }
    };
    let problem = opened.err().map(|error| error.to_string());
    CheckedWallet {
        address: wallet,
        opens: problem.is_none(),
        kept,
        weak,
        problem,
    }
}
