//! Encrypted V3 keystores, compatible with other Ethereum tools. A key is in plain form only in memory, and wiped on
//! drop.

mod access;
mod passwd;
mod v3;

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::{Address, B256};
use nix::fcntl::OFlag;
use zeroize::Zeroizing;

use super::kms::KmsKey;
use access::Guard;
use v3::{Document, Strength, Unopened};

pub use super::key_error::KeyError;

/// Fewest characters of a password.
const PASSWORD_CHARS_MIN: usize = 8;
/// Maximum size of a password file, bytes.
const PASSWORD_BYTES_MAX: u64 = 4 * 1024;

/// A password or key: wiped on drop, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The plain text.
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

/// Source of private keys.
#[derive(Debug, Clone, Default)]
pub struct KeySource {
    /// Directory of keystores.
    pub dir: PathBuf,
    /// Password of the keystores, if already known.
    pub password: Option<SecretText>,
    /// File whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// A raw key, from the environment variable marked as unsafe.
    pub unsafe_key: Option<SecretText>,
    /// Keys in a key management service, by wallet.
    pub kms: BTreeMap<Address, KmsKey>,
}

/// A keystore file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeystoreFile {
    /// Wallet.
    pub address: Address,
    /// Path.
    pub path: PathBuf,
}

impl KeySource {
    /// All keystores, by address.
    ///
    /// # Errors
    /// [`KeyError::Io`]; a missing directory counts as empty.
    pub fn list(&self) -> Result<Vec<KeystoreFile>, KeyError> {
        let claims = self.claims()?.into_iter();
        let mut wallets: Vec<KeystoreFile> = claims
            .filter_map(|(path, address)| address.map(|address| KeystoreFile { address, path }))
            .collect();
        wallets.sort_by_key(|wallet| wallet.address);
        Ok(wallets)
    }

    /// The keystores of the directory, with the address that each claims.
    fn claims(&self) -> Result<Vec<(PathBuf, Option<Address>)>, KeyError> {
        let io_error = |source| self.io(source);
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            other => other.map_err(io_error)?,
        };
        let mut claims = Vec::new();
        for entry in entries {
            let path = entry.map_err(io_error)?.path();
            if let Some(address) = claim(&path) {
                claims.push((path, address));
            }
        }
        claims.sort();
        Ok(claims)
    }

    /// Keystores that name their wallet neither in a field nor in the file name: they are never opened.
    ///
    /// # Errors
    /// [`KeyError::Io`].
    pub fn unnamed(&self) -> Result<Vec<PathBuf>, KeyError> {
        let claims = self.claims()?.into_iter();
        let unnamed = claims.filter_map(|(path, address)| address.is_none().then_some(path));
        Ok(unnamed.collect())
    }

    /// Creates a new key and stores it encrypted: scrypt with n = 262144, the common standard.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn create(&self, password: &SecretText) -> Result<KeystoreFile, KeyError> {
        self.store(&PrivateKeySigner::random(), password, Strength::Standard)
    }

    /// Creates a new key for a devnet, with fast and weak encryption.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn create_for_devnet(&self, password: &SecretText) -> Result<KeystoreFile, KeyError> {
        self.store(&PrivateKeySigner::random(), password, Strength::Devnet)
    }

    /// Imports a raw key, with the same encryption as a new one.
    ///
    /// # Errors
    /// [`KeyError`]; [`KeyError::Exists`] if it is already stored.
    pub fn import(&self, key: &SecretText, password: &SecretText) -> Result<KeystoreFile, KeyError> {
        self.store(&parse(key)?, password, Strength::Standard)
    }

    /// Copies another tool's keystore byte by byte. It must open with `password`, and keeps it and its strength.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn adopt(&self, keystore: &Path, password: &SecretText) -> Result<KeystoreFile, KeyError> {
        let bytes = access::read(keystore, v3::BYTES_MAX, Guard::Any)?;
        let document = parsed(keystore, &bytes)?;
        let found = open(keystore, &document, password)?.address();
        match document.address {
            Some(address) if address != found => Err(KeyError::OtherKey {
                path: keystore.to_owned(),
                address,
                found,
            }),
            _ => self.place(found, &bytes),
        }
    }

    fn store(
        &self,
        key: &PrivateKeySigner,
        password: &SecretText,
        strength: Strength,
    ) -> Result<KeystoreFile, KeyError> {
        if password.expose().chars().count() < PASSWORD_CHARS_MIN {
            return Err(KeyError::WeakPassword);
        }
        let secret = Zeroizing::new(key.to_bytes().0);
        let sealed = v3::seal(&secret, key.address(), password.expose(), strength).map_err(KeyError::Seal)?;
        self.place(key.address(), &sealed)
    }

    /// Writes a keystore into the directory, readable by this user only.
    fn place(&self, address: Address, bytes: &[u8]) -> Result<KeystoreFile, KeyError> {
        access::directory(&self.dir)?;
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
        // Written completely before it is renamed: a crash leaves no partial file with a keystore's name.
        let name = format!("{address:#x}.json");
        let (draft, path) = (self.dir.join(format!(".{name}.new")), self.dir.join(name));
        self.publish(&draft, &path, bytes)
            .map_err(|source| self.io(source))?;
        Ok(KeystoreFile { address, path })
    }

    fn publish(&self, draft: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
        write_closed(draft, bytes)?;
        fs::rename(draft, path)?;
        fs::File::open(&self.dir)?.sync_all()
    }

    /// Whether this wallet's key could be opened; does not open it.
    ///
    /// # Errors
    /// What is missing.
    pub fn check(&self, address: Address) -> Result<(), KeyError> {
        if self.raw(address)?.is_some() || self.kms.contains_key(&address) {
            return Ok(());
        }
        self.document(address)?;
        self.password(address).map(|_| ())
    }

    /// Cost of one password guess on this wallet's keystore, and whether it is too low. `None`: the key was given raw.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn strength(&self, address: Address) -> Result<Option<(String, bool)>, KeyError> {
        if self.raw(address)?.is_some() {
            return Ok(None);
        }
        let (_, document) = self.document(address)?;
        Ok(Some((document.strength(), document.is_weak())))
    }

    /// The wallet's key.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn unlock(&self, address: Address) -> Result<PrivateKeySigner, KeyError> {
        if let Some(key) = self.raw(address)? {
            return Ok(key);
        }
        let (path, document) = self.document(address)?;
        let password = self.password(address)?;
        let key = open(&path, &document, &password)?;
        if key.address() != address {
            return Err(KeyError::OtherKey {
                path,
                address,
                found: key.address(),
            });
        }
        Ok(key)
    }

    /// The raw key, if given and if it belongs to this wallet.
    fn raw(&self, address: Address) -> Result<Option<PrivateKeySigner>, KeyError> {
        let key = self.unsafe_key.as_ref().map(parse).transpose()?;
        Ok(key.filter(|key| key.address() == address))
    }

    /// The wallet's keystore, if no other user can access it.
    fn document(&self, address: Address) -> Result<(PathBuf, Document), KeyError> {
        access::directory(&self.dir)?;
        let found = self.list()?.into_iter().find(|wallet| wallet.address == address);
        let wallet = found.ok_or_else(|| KeyError::NotFound {
            address,
            dir: self.dir.clone(),
        })?;
        let bytes = access::read(&wallet.path, v3::BYTES_MAX, Guard::Closed)?;
        let document = parsed(&wallet.path, &bytes)?;
        Ok((wallet.path, document))
    }

    fn password(&self, address: Address) -> Result<SecretText, KeyError> {
        if let Some(path) = &self.password_file {
            return password_in(path);
        }
        self.password.clone().ok_or(KeyError::NoPassword(address))
    }

    /// All wallets, the raw key's first.
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

/// Writes a file that only this user can read, down to the disk.
fn write_closed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn parsed(path: &Path, bytes: &[u8]) -> Result<Document, KeyError> {
    Document::parse(bytes).map_err(|detail| KeyError::Malformed {
        path: path.to_owned(),
        detail,
    })
}

fn open(path: &Path, document: &Document, password: &SecretText) -> Result<PrivateKeySigner, KeyError> {
    let path = path.to_owned();
    let secret = match document.open(password.expose()) {
        Ok(secret) => secret,
        Err(Unopened::WrongPassword) => return Err(KeyError::WrongPassword { path }),
        Err(Unopened::Malformed(detail)) => return Err(KeyError::Malformed { path, detail }),
    };
    let mut word = B256::new(*secret);
    let key = PrivateKeySigner::from_bytes(&word);
    zeroize::Zeroize::zeroize(&mut word.0);
    key.map_err(|_| KeyError::Malformed {
        path,
        detail: "its content is not a private key".to_owned(),
    })
}

/// Reads a password from the first line of a file, which other users must not be able to read.
///
/// # Errors
/// [`KeyError`].
pub fn password_in(path: &Path) -> Result<SecretText, KeyError> {
    let bytes = access::read(path, PASSWORD_BYTES_MAX, Guard::Closed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| KeyError::Io {
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, "is not UTF-8 text"),
    })?;
    Ok(SecretText::new(
        text.lines().next().unwrap_or_default().to_owned(),
    ))
}

fn parse(key: &SecretText) -> Result<PrivateKeySigner, KeyError> {
    key.expose().trim().parse().map_err(|_| KeyError::NoKey)
}

/// The claimed address of a keystore: from its field, or from the file name if the field is missing. `None` for other
/// files and drafts.
fn claim(path: &Path) -> Option<Option<Address>> {
    let name = path.file_name()?.to_str()?;
    if name.starts_with('.') {
        return None;
    }
    let bytes = access::read(path, v3::BYTES_MAX, Guard::Any).ok()?;
    let field = v3::claim(&bytes)?;
    Some(field.or_else(|| name.split(['.', '-']).rev().find_map(|part| part.parse().ok())))
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
            error.contains("wrong password") && !error.contains("horse"),
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
