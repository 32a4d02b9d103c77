//! Keys that never leave a key management service: AWS KMS and Google Cloud KMS.
//!
//! `[wallet.kms]` maps a wallet's address to its key. The address is checked against the key's public key before
//! anything is signed. Each service is a cargo feature (`kms-aws`, `kms-gcp`), since both bring large SDKs along.

use std::{fmt, str::FromStr, sync::Arc};

use alloy::signers::Signer;
use alloy_primitives::Address;
use futures::future::{BoxFuture, FutureExt};

use super::key_error::KeyError;
use crate::domain::foreign::Foreign;
#[cfg(any(feature = "kms-aws", feature = "kms-gcp"))]
use crate::domain::foreign::causes;

/// Location of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KmsKey {
    /// AWS KMS: a key id or ARN. Region and credentials come from the AWS SDK's usual places.
    Aws(String),
    /// Google Cloud KMS: a key version. Credentials come from Application Default Credentials.
    Gcp(GcpKey),
}

/// A version of a key in Google Cloud KMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcpKey {
    /// Project id.
    pub project: String,
    /// Location, such as `global`.
    pub location: String,
    /// Key ring.
    pub key_ring: String,
    /// Key.
    pub key: String,
    /// Version.
    pub version: u64,
}

/// Text that is not a key name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a key name: write \"aws:KEY_ID_OR_ARN\" or \
     \"gcp:projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N\""
)]
pub struct InvalidKmsKey(pub String);

impl FromStr for KmsKey {
    type Err = InvalidKmsKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidKmsKey(Foreign::new(text).into_string());
        // Aliases are refused: a user who may edit them can point them to another key.
        if let Some(id) = text.strip_prefix("aws:") {
            let is_id = !id.is_empty() && !id.contains("alias/") && id.chars().all(|c| c.is_ascii_graphic());
            return is_id.then(|| Self::Aws(id.to_owned())).ok_or_else(invalid);
        }
        let name = text.strip_prefix("gcp:").ok_or_else(invalid)?;
        let parts: Vec<&str> = name.split('/').collect();
        let [
            "projects",
            project,
            "locations",
            location,
            "keyRings",
            key_ring,
            "cryptoKeys",
            key,
            "cryptoKeyVersions",
            version,
        ] = parts.as_slice()
        else {
            return Err(invalid());
        };
        if [project, location, key_ring, key]
            .iter()
            .any(|part| part.is_empty())
        {
            return Err(invalid());
        }
        Ok(Self::Gcp(GcpKey {
            project: (*project).to_owned(),
            location: (*location).to_owned(),
            key_ring: (*key_ring).to_owned(),
            key: (*key).to_owned(),
            version: version.parse().map_err(|_| invalid())?,
        }))
    }
}

impl fmt::Display for KmsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aws(id) => write!(f, "aws:{id}"),
            Self::Gcp(key) => write!(
                f,
                "gcp:projects/{}/locations/{}/keyRings/{}/cryptoKeys/{}/cryptoKeyVersions/{}",
                key.project, key.location, key.key_ring, key.key, key.version
            ),
        }
    }
}

impl KmsKey {
    /// Whether this build can use the service.
    #[must_use]
    pub const fn is_supported(&self) -> bool {
        match self {
            Self::Aws(_) => cfg!(feature = "kms-aws"),
            Self::Gcp(_) => cfg!(feature = "kms-gcp"),
        }
    }

    /// Connects, and verifies that the key belongs to `wallet`.
    ///
    /// # Errors
    /// [`KeyError::Kms`] if the service refuses or is unreachable, or this build lacks support; [`KeyError::OtherKms`]
    /// if the key belongs to another wallet.
    pub async fn open(&self, wallet: Address) -> Result<Arc<dyn Signer + Send + Sync>, KeyError> {
        let signer = self.connect().await.map_err(|detail| KeyError::Kms {
            key: self.to_string(),
            detail: Foreign::new(&detail),
        })?;
        let found = signer.address();
        if found != wallet {
            return Err(KeyError::OtherKms {
                key: self.to_string(),
                address: wallet,
                found,
            });
        }
        Ok(signer)
    }

    /// The address of the key.
    ///
    /// # Errors
    /// [`KeyError::Kms`].
    pub async fn address(&self) -> Result<Address, KeyError> {
        let signer = self.connect().await.map_err(|detail| KeyError::Kms {
            key: self.to_string(),
            detail: Foreign::new(&detail),
        })?;
        Ok(signer.address())
    }

    /// Boxed to keep the SDKs' large futures out of the callers' futures.
    fn connect(&self) -> BoxFuture<'_, Result<Arc<dyn Signer + Send + Sync>, String>> {
        match self {
            Self::Aws(id) => aws(id).boxed(),
            Self::Gcp(key) => gcp(key).boxed(),
        }
    }
}

#[cfg(feature = "kms-aws")]
async fn aws(id: &str) -> Result<Arc<dyn Signer + Send + Sync>, String> {
    use alloy::signers::aws::{AwsSigner, aws_config, aws_sdk_kms};

    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let client = aws_sdk_kms::Client::new(&config);
    let signer = AwsSigner::new(client, id.to_owned(), None).await;
    signer
        .map(|signer| Arc::new(signer) as _)
        .map_err(|error| causes(&error))
}

#[cfg(not(feature = "kms-aws"))]
async fn aws(_: &str) -> Result<Arc<dyn Signer + Send + Sync>, String> {
    Err("this build has no AWS KMS; build it with the feature kms-aws".to_owned())
}

#[cfg(feature = "kms-gcp")]
async fn gcp(key: &GcpKey) -> Result<Arc<dyn Signer + Send + Sync>, String> {
    use alloy::signers::gcp::{
        GcpKeyRingRef, GcpSigner, KeySpecifier,
        gcloud_sdk::{
            GoogleApi, google::cloud::kms::v1::key_management_service_client::KeyManagementServiceClient,
        },
    };

    let client = GoogleApi::from_function(
        KeyManagementServiceClient::new,
        "https://cloudkms.googleapis.com",
        None,
    )
    .await
    .map_err(|error| causes(&error))?;
    let ring = GcpKeyRingRef::new(&key.project, &key.location, &key.key_ring);
    let name = KeySpecifier::new(ring, &key.key, key.version);
    let signer = GcpSigner::new(client, name, None).await;
    signer
        .map(|signer| Arc::new(signer) as _)
        .map_err(|error| causes(&error))
}

#[cfg(not(feature = "kms-gcp"))]
async fn gcp(_: &GcpKey) -> Result<Arc<dyn Signer + Send + Sync>, String> {
    Err("this build has no Google Cloud KMS; build it with the feature kms-gcp".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_s_name_reads_back_and_what_names_none_is_refused() {
        for name in [
            "aws:arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "aws:mrk-1234abcd12ab34cd56ef1234567890ab",
            "gcp:projects/p/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
        ] {
            assert_eq!(name.parse::<KmsKey>().expect(name).to_string(), name);
        }
        for name in [
            "",
            "aws:",
            "aws:alias/trading",
            "aws:arn:aws:kms:eu-central-1:111122223333:alias/trading",
            "aws:a key",
            "azure:x",
            "gcp:projects/p/locations/global/keyRings/r/cryptoKeys/k",
            "gcp:projects//locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
            "gcp:projects/p/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/latest",
        ] {
            let error = name.parse::<KmsKey>().expect_err(name).to_string();
            assert!(error.contains("aws:KEY_ID_OR_ARN"), "{error}");
        }
    }
}
