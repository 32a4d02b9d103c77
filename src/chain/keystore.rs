//! Keys at rest: encrypted V3 keystores, as other Ethereum tools read and write them. A key is plain only in
//! memory, and wiped when it is dropped.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::Address;
use rand_core::OsRng;
use zeroize::Zeroizing;

use super::kms::KmsKey;
use crate::domain::foreign::Foreign;

/// A password or a key as text: wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes the text over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one who needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

/// What opens a key.
#[derive(Debug, Clone, Default)]
pub struct KeySource {
    /// Directory of keystores.
    pub dir: PathBuf,
    /// Password of the keystores, if it is known already.
    pub password: Option<SecretText>,
    /// File whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// A raw key, from the variable whose name says that this is unsafe.
    pub unsafe_key: Option<SecretText>,
    /// Keys that a key management service holds, by wallet.
    pub kms: BTreeMap<Address, KmsKey>,
}

/// An encrypted key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletFile {
    /// Whose.
    pub address: Address,
    /// Where.
    pub path: PathBuf,
}

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
    /// It does not open.
    #[error("keystore {path} does not open: {detail}")]
    Locked {
        /// Which.
        path: PathBuf,
        /// Why, without secrets.
        detail: String,
    },
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

impl KeySource {
    /// Every encrypted key, by address.
    ///
    /// # Errors
    /// [`KeyError::Io`]; a directory that is not there holds nothing.
    pub fn list(&self) -> Result<Vec<WalletFile>, KeyError> {
        let io_error = |source| self.io(source);
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            other => other.map_err(io_error)?,
        };
        let mut wallets = Vec::new();
        for entry in entries {
            let path = entry.map_err(io_error)?.path();
            if let Some(address) = address_of(&path) {
                wallets.push(WalletFile { address, path });
            }
        }
        wallets.sort_by_key(|wallet| wallet.address);
        Ok(wallets)
    }

    /// Makes a new key and stores it encrypted.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn create(&self, password: &SecretText) -> Result<WalletFile, KeyError> {
        self.store(&PrivateKeySigner::random(), password)
    }

    /// Stores a key that exists, encrypted.
    ///
    /// # Errors
    /// [`KeyError`]; [`KeyError::Exists`] if it is stored already.
    pub fn import(&self, key: &SecretText, password: &SecretText) -> Result<WalletFile, KeyError> {
        self.store(&parse(key)?, password)
    }

    /// Takes over another tool's keystore: it must open with `password`, which stays its password.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn adopt(&self, keystore: &Path, password: &SecretText) -> Result<WalletFile, KeyError> {
        self.store(&open(keystore, password)?, password)
    }

    fn store(&self, key: &PrivateKeySigner, password: &SecretText) -> Result<WalletFile, KeyError> {
        if password.expose().chars().count() < 8 {
            return Err(KeyError::WeakPassword);
        }
        let address = key.address();
        if let Some(known) = self.list()?.into_iter().find(|wallet| wallet.address == address) {
            return Err(KeyError::Exists {
                address,
                path: known.path,
            });
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(|source| self.io(source))?;
        // Complete before it has its name: a crash leaves no half a key behind that looks like one.
        let name = format!("{address:#x}.json");
        let draft = format!(".{name}.new");
        let secret = Zeroizing::new(key.to_bytes().0);
        PrivateKeySigner::encrypt_keystore(&self.dir, &mut OsRng, *secret, password.expose(), Some(&draft))
            .map_err(|error| KeyError::Locked {
            path: self.dir.join(&draft),
            detail: error.to_string(),
        })?;
        let path = self.dir.join(name);
        self.publish(&self.dir.join(draft), &path, address)
            .map_err(|source| self.io(source))?;
        Ok(WalletFile { address, path })
    }

    /// Adds the address, as other tools do, and gives the file its name.
    fn publish(&self, draft: &Path, path: &Path, address: Address) -> io::Result<()> {
        let mut json: serde_json::Value = serde_json::from_slice(&fs::read(draft)?)?;
        if let Some(fields) = json.as_object_mut() {
            fields.insert("address".to_owned(), format!("{address:x}").into());
        }
        fs::write(draft, serde_json::to_vec(&json)?)?;
        fs::set_permissions(draft, Permissions::from_mode(0o600))?;
        fs::File::open(draft)?.sync_all()?;
        fs::rename(draft, path)?;
        fs::File::open(&self.dir)?.sync_all()
    }

    /// Whether this wallet's key could be opened, without opening it.
    ///
    /// # Errors
    /// What is missing.
    pub fn check(&self, address: Address) -> Result<(), KeyError> {
        if self.raw(address)?.is_some() || self.kms.contains_key(&address) {
            return Ok(());
        }
        self.file(address)?;
        self.password(address).map(|_| ())
    }

    /// The wallet's key.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn unlock(&self, address: Address) -> Result<PrivateKeySigner, KeyError> {
        if let Some(key) = self.raw(address)? {
            return Ok(key);
        }
        let wallet = self.file(address)?;
        let password = self.password(address)?;
        let key = open(&wallet.path, &password)?;
        if key.address() != address {
            return Err(KeyError::OtherKey {
                path: wallet.path,
                address,
                found: key.address(),
            });
        }
        Ok(key)
    }

    /// The raw key, if one was given and it is this wallet's.
    fn raw(&self, address: Address) -> Result<Option<PrivateKeySigner>, KeyError> {
        let key = self.unsafe_key.as_ref().map(parse).transpose()?;
        Ok(key.filter(|key| key.address() == address))
    }

    fn file(&self, address: Address) -> Result<WalletFile, KeyError> {
        let found = self.list()?.into_iter().find(|wallet| wallet.address == address);
        found.ok_or_else(|| KeyError::NotFound {
            address,
            dir: self.dir.clone(),
        })
    }

    fn password(&self, address: Address) -> Result<SecretText, KeyError> {
        if let Some(path) = &self.password_file {
            return first_line(path).map_err(|source| KeyError::Io {
                path: path.clone(),
                source,
            });
        }
        self.password.clone().ok_or(KeyError::NoPassword(address))
    }

    /// The wallets there are, the raw key's first.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn addresses(&self) -> Result<Vec<Address>, KeyError> {
        let raw = self.unsafe_key.as_ref().map(parse).transpose()?;
        let mut addresses: Vec<Address> = raw.iter().map(PrivateKeySigner::address).collect();
        addresses.extend(self.kms.keys());
        addresses.extend(self.list()?.into_iter().map(|wallet| wallet.address));
        addresses.dedup();
        Ok(addresses)
    }

    fn io(&self, source: io::Error) -> KeyError {
        KeyError::Io {
            path: self.dir.clone(),
            source,
        }
    }
}

fn open(path: &Path, password: &SecretText) -> Result<PrivateKeySigner, KeyError> {
    PrivateKeySigner::decrypt_keystore(path, password.expose()).map_err(|error| KeyError::Locked {
        path: path.to_owned(),
        detail: error.to_string(),
    })
}

/// The first line of a file of secrets.
///
/// # Errors
/// [`io::Error`].
pub fn first_line(path: &Path) -> io::Result<SecretText> {
    let text = Zeroizing::new(fs::read_to_string(path)?);
    Ok(SecretText::new(
        text.lines().next().unwrap_or_default().to_owned(),
    ))
}

fn parse(key: &SecretText) -> Result<PrivateKeySigner, KeyError> {
    key.expose().trim().parse().map_err(|_| KeyError::NoKey)
}

/// Whose key a file holds: by its field, or by its name where the field is left out. A draft is none.
fn address_of(path: &Path) -> Option<Address> {
    let name = path.file_name()?.to_str()?;
    if name.starts_with('.') {
        return None;
    }
    let json: serde_json::Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    json.get("crypto").or_else(|| json.get("Crypto"))?;
    let field = json.get("address").and_then(serde_json::Value::as_str);
    field
        .and_then(|text| text.parse().ok())
        .or_else(|| name.split(['.', '-']).rev().find_map(|part| part.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0x4646464646464646464646464646464646464646464646464646464646464646";

    fn source(dir: &Path) -> KeySource {
        KeySource {
            dir: dir.join("keys"),
            password: Some(SecretText::new("correct horse".to_owned())),
            ..KeySource::default()
        }
    }

    #[test]
    fn a_key_goes_in_encrypted_and_comes_out_with_its_password_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let source = source(dir.path());
        let password = SecretText::new("correct horse".to_owned());
        let stored = source
            .import(&SecretText::new(KEY.to_owned()), &password)
            .expect("stored");
        assert_eq!(source.list().expect("listed"), vec![stored.clone()]);
        assert_eq!(
            source.unlock(stored.address).expect("opens").address(),
            stored.address
        );
        let text = fs::read_to_string(&stored.path).expect("the file");
        assert!(
            !text.contains(&KEY[2..]) && text.contains("\"version\":3"),
            "{text}"
        );
        let mode = fs::metadata(&stored.path).expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let wrong = KeySource {
            password: Some(SecretText::new("wrong horse".to_owned())),
            ..source.clone()
        };
        let error = wrong
            .unlock(stored.address)
            .expect_err("stays closed")
            .to_string();
        assert!(
            error.contains("does not open") && !error.contains("horse"),
            "{error}"
        );
        let again = source.import(&SecretText::new(KEY.to_owned()), &password);
        assert!(matches!(again, Err(KeyError::Exists { .. })));
    }

    #[test]
    fn what_is_missing_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let source = source(dir.path());
        let short = SecretText::new("short".to_owned());
        assert!(matches!(source.create(&short), Err(KeyError::WeakPassword)));
        let no_key = source.import(
            &SecretText::new("0x12".to_owned()),
            &SecretText::new("correct horse".to_owned()),
        );
        assert!(matches!(no_key, Err(KeyError::NoKey)));
        let nobody = Address::repeat_byte(7);
        assert!(matches!(source.unlock(nobody), Err(KeyError::NotFound { .. })));
        let made = source
            .create(&SecretText::new("correct horse".to_owned()))
            .expect("made");
        let silent = KeySource {
            password: None,
            ..source
        };
        assert!(matches!(silent.check(made.address), Err(KeyError::NoPassword(_))));
    }

    #[test]
    fn nothing_that_holds_a_secret_shows_it() {
        let source = KeySource {
            unsafe_key: Some(SecretText::new(KEY.to_owned())),
            password: Some(SecretText::new("correct horse".to_owned())),
            ..KeySource::default()
        };
        let shown = format!("{source:?}");
        assert!(!shown.contains("4646") && !shown.contains("horse"), "{shown}");
    }
}
