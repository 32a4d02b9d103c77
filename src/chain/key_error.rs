//! Why a key cannot be used, and what to do about it.

use std::{io, path::PathBuf};

use alloy_primitives::Address;

use crate::domain::foreign::Foreign;

/// Why a key cannot be used. No variant holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The directory or a file in it.
    #[error("keystore {path}: {source}; check the path and its permissions")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no key of this wallet.
    #[error(
        "no key of wallet {address} in {dir}; `lgi-mm wallet list` shows what is there, `lgi-mm wallet import` adds one"
    )]
    NotFound {
        /// Whose.
        address: Address,
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// There is one already.
    #[error("wallet {address} is in the keystore already: {path}")]
    Exists {
        /// Whose.
        address: Address,
        /// Where.
        path: PathBuf,
    },
    /// Nobody gave a password.
    #[error(
        "no password for wallet {0}: set wallet.password_file, or LGI_MM_WALLET_PASSWORD, or start on a terminal to be asked"
    )]
    NoPassword(Address),
    /// The password is another one's.
    #[error(
        "wrong password for keystore {path}: it is mistyped or another wallet's, or the file was altered; nothing else is \
         wrong with the file"
    )]
    WrongPassword {
        /// Which.
        path: PathBuf,
    },
    /// The file is no keystore that can be opened.
    #[error("{path} is no V3 keystore that can be opened: {detail}; take it from your copy")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// The field, without secrets.
        detail: String,
    },
    /// Somebody else can read or change what must be secret.
    #[error("{path}: {problem}; run `{fix}`")]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Who can do what.
        problem: String,
        /// The command that closes it.
        fix: String,
    },
    /// The opening was cut short.
    #[error(
        "opening the key of wallet {0} ended by an error of this program; report it with the keystore's kdf and kdfparams"
    )]
    Stopped(Address),
    /// A key could not be encrypted.
    #[error("the key could not be encrypted: {0}; nothing was stored")]
    Seal(String),
    /// The text is no key.
    #[error("this is no private key: 64 hexadecimal digits, with or without 0x, are")]
    NoKey,
    /// A password that protects nothing.
    #[error("the password is empty or shorter than 8 characters")]
    WeakPassword,
    /// A key management service did not give its key.
    #[error("key {key} of [wallet.kms]: {detail}")]
    Kms {
        /// Which.
        key: String,
        /// What the service said.
        detail: Foreign,
    },
    /// The key management service holds another wallet's key under this name.
    #[error("key {key} is the key of {found}, not of {address}: fix [wallet.kms]")]
    OtherKms {
        /// Which.
        key: String,
        /// Whose it should be.
        address: Address,
        /// Whose it is.
        found: Address,
    },
    /// The file opened, but to another key.
    #[error("keystore {path} holds the key of {found}, not of {address}")]
    OtherKey {
        /// Which.
        path: PathBuf,
        /// Whose it should be.
        address: Address,
        /// Whose it is.
        found: Address,
    },
}
