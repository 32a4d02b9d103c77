//! Chains and keys for live trading, from settings and environment.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use alloy_primitives::Address;

use super::{
    environment::{data_dir, user_config_dir, variable},
    layers::LayerError,
    settings::Settings,
};
use crate::{
    chain::{
        ChainSpec, InvalidChain,
        keystore::{KeySource, SecretText},
        kms::{InvalidKmsKey, KmsKey},
        policy::{MACHINE_POLICY, Place, PolicyBook},
    },
    domain::{
        chains,
        config::{InvalidConfig, Validator},
    },
};

/// Variable with the keystore's password.
pub const PASSWORD_VARIABLE: &str = "LGI_MM_WALLET_PASSWORD";
/// Variable with a raw key; for experiments only, never for real money.
pub const UNSAFE_KEY_VARIABLE: &str = "LGI_MM_UNSAFE_PRIVATE_KEY";

/// Variable with the path of the policy file.
pub const POLICY_VARIABLE: &str = "LGI_MM_POLICY";
/// Variable with the directory of the signing journal.
pub const POLICY_STATE_VARIABLE: &str = "LGI_MM_POLICY_STATE";

impl Settings {
    /// The checked settings of chain `name`.
    ///
    /// # Errors
    /// [`InvalidChain`].
    pub fn chain(&self, name: &str) -> Result<ChainSpec, InvalidChain> {
        ChainSpec::resolve(name, self.chains.get(name).unwrap_or(&Default::default()))
    }

    /// Every chain with a node.
    #[must_use]
    pub fn live_chains(&self) -> Vec<Arc<ChainSpec>> {
        let specs = self.chains.keys().filter_map(|name| self.chain(name).ok());
        specs
            .filter_map(|spec| spec.with_rpc().ok())
            .map(Arc::new)
            .collect()
    }

    /// Locations of keys, and the secrets that open them.
    ///
    /// # Errors
    /// [`LayerError::NotText`] for a variable that is not UTF-8.
    pub fn keys(&self) -> Result<KeySource, LayerError> {
        let secret = |name| {
            Ok(variable(name)?
                .filter(|text| !text.is_empty())
                .map(SecretText::new))
        };
        let file = &self.wallet.password_file;
        Ok(KeySource {
            dir: self.keystore_dir(),
            password: secret(PASSWORD_VARIABLE)?,
            password_file: (!file.is_empty()).then(|| PathBuf::from(file)),
            unsafe_key: secret(UNSAFE_KEY_VARIABLE)?,
            // Invalid entries were refused when the settings were read.
            kms: kms_keys(&self.wallet.kms).filter_map(Result::ok).collect(),
        })
    }

    /// The policy of this machine's keys: `LGI_MM_POLICY`, else `/etc/lgi-mm/policy.toml` if it is there, else
    /// `lgi-mm/policy.toml` in the user's configuration directory. The signing journal is in
    /// `LGI_MM_POLICY_STATE`, else in the user's data directory.
    ///
    /// # Errors
    /// [`LayerError::NotText`] for a variable that is not UTF-8.
    pub fn policy(&self) -> Result<PolicyBook, LayerError> {
        let place = match variable(POLICY_VARIABLE)? {
            Some(path) => Place::Named(path.into()),
            None => Place::Usual {
                machine: MACHINE_POLICY.into(),
                // Without a home directory use the machine's file: a path relative to the working directory would be
                // unsafe.
                user: user_config_dir()
                    .map_or_else(|| MACHINE_POLICY.into(), |dir| dir.join("lgi-mm/policy.toml")),
            },
        };
        let state = variable(POLICY_STATE_VARIABLE)?.map(PathBuf::from);
        // Without a home directory there is no journal, and nothing is signed until the variable names one.
        let usual = || Some(data_dir().join("lgi-mm/policy")).filter(|dir| dir.is_absolute());
        let state = state.or_else(usual).unwrap_or_default();
        Ok(PolicyBook::new(place, state))
    }

    fn keystore_dir(&self) -> PathBuf {
        let given = &self.wallet.keystore_dir;
        if !given.is_empty() {
            return PathBuf::from(given);
        }
        data_dir().join("lgi-mm/keystore")
    }

    /// Errors in the chains and the wallet's address. A chain that is only named, or not complete, is
    /// reported when a job trades on it.
    pub(super) fn chain_problems(&self) -> Vec<InvalidConfig> {
        let mut found = Validator::default();
        for name in self.chains.keys() {
            match self.chain(name) {
                Err(InvalidChain::Invalid(problems)) => found.extend(problems),
                Err(InvalidChain::Unknown(_)) => found.refuse(
                    &format!("chains.{name}"),
                    name,
                    format_args!(
                        "{}, or a custom chain with chain_id, wrapped_native and usdc",
                        chains::names()
                    ),
                ),
                Err(InvalidChain::NoRpc(_)) | Ok(_) => {}
            }
        }
        found.extend(kms_keys(&self.wallet.kms).filter_map(Result::err));
        let address = &self.wallet.address;
        found.require(
            address.is_empty() || address.parse::<Address>().is_ok(),
            "wallet.address",
            address,
            "0x and 40 hexadecimal digits",
        );
        found.into_found()
    }
}

/// `[wallet.kms]`, entry by entry.
fn kms_keys(
    entries: &BTreeMap<String, String>,
) -> impl Iterator<Item = Result<(Address, KmsKey), InvalidConfig>> + '_ {
    entries.iter().map(|(wallet, key)| {
        let wrong = |value: &str, allowed: String| InvalidConfig {
            key: format!("wallet.kms.{wallet}"),
            value: Some(value.to_owned()),
            allowed,
        };
        let address = wallet.parse().map_err(|_| {
            wrong(
                wallet,
                "a wallet's address as the key: 0x and 40 hexadecimal digits".to_owned(),
            )
        })?;
        let key = key
            .parse()
            .map_err(|error: InvalidKmsKey| wrong(key, error.to_string()))?;
        Ok((address, key))
    })
}
