//! New passwords of keystores. A keystore stays as it is until its replacement was read back and opened.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use alloy_primitives::Address;
use zeroize::Zeroizing;

use super::{
    KeyError, KeySource, KeystoreFile, PASSWORD_CHARS_MIN, SecretText,
    access::{self, Guard},
    open, parsed, v3, write_closed,
};

/// A replacement that was read back and opened.
struct Draft {
    path: PathBuf,
    of: KeystoreFile,
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Once it has taken its keystore's place, there is none left to remove.
        let _ = fs::remove_file(&self.path);
    }
}

impl KeySource {
    /// Encrypts the keystores of `wallets` with another password, not weaker than before. All replacements are written
    /// and opened before the first one takes its keystore's place: what fails until then changes nothing.
    ///
    /// # Errors
    /// [`KeyError`]; [`KeyError::PartlyChanged`] for what fails after the first replacement took its keystore's place.
    pub fn change_password(
        &self,
        wallets: &[Address],
        old: &SecretText,
        new: &SecretText,
    ) -> Result<Vec<KeystoreFile>, KeyError> {
        if new.expose().chars().count() < PASSWORD_CHARS_MIN {
            return Err(KeyError::WeakPassword);
        }
        if old == new {
            return Err(KeyError::SamePassword);
        }
        access::directory(&self.dir)?;
        let drafts = wallets.iter().map(|wallet| self.draft(*wallet, old, new));
        let drafts = drafts.collect::<Result<Vec<Draft>, KeyError>>()?;
        let mut changed: Vec<KeystoreFile> = Vec::new();
        let stopped = |done: usize, cause: KeyError| match done {
            0 => cause,
            done => KeyError::PartlyChanged {
                done,
                all: drafts.len(),
                cause: Box::new(cause),
            },
        };
        for draft in &drafts {
            let path = &draft.of.path;
            fs::rename(&draft.path, path).map_err(|source| stopped(changed.len(), at(path)(source)))?;
            changed.push(draft.of.clone());
        }
        // Until this, a power failure may bring back old keystores, each of them whole.
        let synced = fs::File::open(&self.dir).and_then(|dir| dir.sync_all());
        synced.map_err(|source| stopped(changed.len(), self.io(source)))?;
        Ok(changed)
    }

    fn draft(&self, wallet: Address, old: &SecretText, new: &SecretText) -> Result<Draft, KeyError> {
        if self.kms.contains_key(&wallet) {
            return Err(KeyError::NoKeystore(wallet));
        }
        let (path, document) = self.document(wallet)?;
        if fs::symlink_metadata(&path).map_err(at(&path))?.is_symlink() {
            return Err(KeyError::Linked { path });
        }
        let key = open(&path, &document, old)?;
        if key.address() != wallet {
            return Err(KeyError::OtherKey {
                path,
                address: wallet,
                found: key.address(),
            });
        }
        let secret = Zeroizing::new(key.to_bytes().0);
        let sealed = v3::seal(&secret, wallet, new.expose(), document.renewed()).map_err(KeyError::Seal)?;
        let draft = Draft {
            path: self.dir.join(format!(".{wallet:#x}.json.new")),
            of: KeystoreFile {
                address: wallet,
                path,
            },
        };
        write_closed(&draft.path, &sealed).map_err(at(&draft.path))?;
        verify(&draft, new)?;
        Ok(draft)
    }
}

/// Opens what the disk has.
fn verify(draft: &Draft, password: &SecretText) -> Result<(), KeyError> {
    let bytes = access::read(&draft.path, v3::BYTES_MAX, Guard::Any)?;
    let opened = parsed(&draft.path, &bytes).and_then(|document| open(&draft.path, &document, password));
    if opened.is_ok_and(|key| key.address() == draft.of.address) {
        return Ok(());
    }
    Err(KeyError::Unverified {
        path: draft.path.clone(),
        of: draft.of.path.clone(),
    })
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Io { path, source }
}
