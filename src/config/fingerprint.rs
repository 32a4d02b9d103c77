//! Which version of the settings file a process has read, so that processes that read different ones are seen.

use std::{fmt::Write as _, path::Path};

use sha2::{Digest, Sha256};

/// Hexadecimal digits of a fingerprint.
const DIGITS: usize = 12;

/// Bytes of a file that is read whole.
const LARGEST: u64 = 16 << 20;

/// The fingerprint where there is no settings file.
pub const NO_FILE: &str = "none";

/// The first 12 hexadecimal digits of the SHA-256 of the file's bytes, as `sha256sum` prints them; [`NO_FILE`] without
/// a file, and for one that cannot be read.
#[must_use]
pub fn fingerprint(file: Option<&Path>) -> String {
    let Some(bytes) = file.and_then(bytes) else {
        return NO_FILE.to_owned();
    };
    let mut text = String::new();
    for byte in Sha256::digest(bytes).iter().take(DIGITS / 2) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// What is no regular file can be read once only, and settings are never that large.
fn bytes(path: &Path) -> Option<Vec<u8>> {
    let there = std::fs::metadata(path).ok()?;
    let usual = there.is_file() && there.len() <= LARGEST;
    usual.then(|| std::fs::read(path).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_beginning_of_what_sha256sum_prints() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("lgi-mm.toml");
        std::fs::write(&file, "abc").expect("a file");
        assert_eq!(fingerprint(Some(&file)), "ba7816bf8f01");
        std::fs::write(&file, "abd").expect("a file");
        assert_ne!(fingerprint(Some(&file)), "ba7816bf8f01");
        assert_eq!(fingerprint(None), NO_FILE);
        assert_eq!(fingerprint(Some(&dir.path().join("gone"))), NO_FILE);
    }
}
