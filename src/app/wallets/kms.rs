//! Wallets whose keys are in a key management service.

use alloy_primitives::Address;
use serde::Serialize;

use crate::{app::error::AppError, chain::kms::KmsKey, config::Settings};

/// A key in a service, and the wallet that it signs for.
#[derive(Debug, Serialize)]
pub struct KmsWallet {
    /// The wallet.
    #[serde(serialize_with = "crate::app::whole::checksum")]
    pub address: Address,
    /// The key.
    pub key: String,
}

/// Looks up the wallet of `key`, or opens every key of `[wallet.kms]` and checks its wallet.
///
/// # Errors
/// [`AppError`] if a service does not answer, or holds another wallet's key than the settings say.
pub async fn kms(settings: &Settings, key: Option<&KmsKey>) -> Result<Vec<KmsWallet>, AppError> {
    if let Some(key) = key {
        return Ok(vec![KmsWallet {
            address: key.address().await?,
            key: key.to_string(),
        }]);
    }
    let mut found = Vec::new();
    for (wallet, key) in settings.keys()?.kms {
        key.open(wallet).await?;
        found.push(KmsWallet {
            address: wallet,
            key: key.to_string(),
        });
    }
    Ok(found)
}
