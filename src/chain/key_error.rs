//! Reasons why a key cannot be used, each with the fix.

use std::{io, path::PathBuf};

use alloy_primitives::Address;

use crate::domain::foreign::Foreign;

/// Why a key cannot be used. No variant holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The directory or one of its files cannot be accessed.
    #[error("keystore {path}: {source}; check the path and its permissions")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The keystore has no key for this wallet.
    #[error("no key of wallet {address} in {dir}")]
    NotFound {
        /// Wallet.
        address: Address,
        /// Directory that was searched.
        dir: PathBuf,
    },
    /// The keystore already has this key.
    #[error("wallet {address} is in the keystore already: {path}")]
    Exists {
        /// Wallet.
        address: Address,
        /// Existing file.
        path: PathBuf,
    },
    /// No password was given.
    #[error(
        "no password for wallet {0}: set wallet.password_file, or LGI_MM_WALLET_PASSWORD, or start on a terminal to be asked"
    )]
    NoPassword(Address),
    /// The password does not open the file.
    #[error(
        "wrong password for keystore {path}: it is mistyped or another wallet's, or the file was altered; nothing else is \
         wrong with the file"
    )]
    WrongPassword {
        /// Keystore file.
        path: PathBuf,
    },
    /// The file is not a usable keystore.
    #[error("{path} is no V3 keystore that can be opened: {detail}; take it from your copy")]
    Malformed {
        /// Keystore file.
        path: PathBuf,
        /// The field, without secrets.
        detail: String,
    },
    /// Other users can read or change a secret file.
    #[error("{path}: {problem}; run `{fix}`")]
    Exposed {
        /// File or directory.
        path: PathBuf,
        /// Which users have which access.
        problem: String,
        /// Command that restricts access.
        fix: String,
    },
    /// The task that opened the key panicked or was cancelled.
    #[error(
        "opening the key of wallet {0} failed with an internal error; report it with the keystore's kdf and kdfparams"
    )]
    Stopped(Address),
    /// A key could not be encrypted.
    #[error("the key could not be encrypted: {0}; nothing was stored")]
    Seal(String),
    /// The text is not a private key.
    #[error("not a private key: expected 64 hexadecimal digits, with or without 0x")]
    NoKey,
    /// The new password is the old one.
    #[error("the new password is the same as the old one; nothing was changed")]
    SamePassword,
    /// A wallet whose key is not encrypted with a password.
    #[error(
        "wallet {0} has no keystore with a password: its key is in a key management service or in a variable; nothing was \
         changed"
    )]
    NoKeystore(Address),
    /// A keystore is not where it seems to be.
    #[error(
        "keystore {path} is a symbolic link: set wallet.keystore_dir to the directory of the file that it points to; nothing was changed"
    )]
    Linked {
        /// Keystore file.
        path: PathBuf,
    },
    /// What was written does not open as it should.
    #[error(
        "{path}, which was to replace keystore {of}, does not open with the new password; nothing was changed"
    )]
    Unverified {
        /// The draft.
        path: PathBuf,
        /// Keystore file.
        of: PathBuf,
    },
    /// Some keystores have their new password, the others still the old one.
    #[error(
        "{done} of {all} keystores have the new password, the others still the old one: {cause}; repair this, then change \
         those that `wallet check` reports, one by one"
    )]
    PartlyChanged {
        /// Keystores that were replaced.
        done: usize,
        /// Keystores that were to be replaced.
        all: usize,
        /// What stopped it.
        cause: Box<KeyError>,
    },
    /// The password is too short to protect the key.
    #[error("the password is empty or shorter than 8 characters")]
    WeakPassword,
    /// A key management service did not provide its key.
    #[error("key {key} of [wallet.kms]: {detail}")]
    Kms {
        /// Name of the key.
        key: String,
        /// Error of the service.
        detail: Foreign,
    },
    /// The named key belongs to another wallet.
    #[error("key {key} is the key of {found}, not of {address}: fix [wallet.kms]")]
    OtherKms {
        /// Name of the key.
        key: String,
        /// Wallet in the settings.
        address: Address,
        /// Wallet that the key belongs to.
        found: Address,
    },
    /// The file holds the key of another wallet.
    #[error("keystore {path} holds the key of {found}, not of {address}")]
    OtherKey {
        /// Keystore file.
        path: PathBuf,
        /// Wallet that the file names.
        address: Address,
        /// Wallet that the key belongs to.
        found: Address,
    },
}
