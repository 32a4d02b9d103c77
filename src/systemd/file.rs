//! The files of a unit. A unit that the owner changed by hand is never replaced or removed unasked.

use std::{fs, io, os::unix::fs::OpenOptionsExt, path::Path};

use sha2::{Digest, Sha256};

/// The beginning of the first line of a unit that we wrote; the rest is the checksum of what follows it.
const MARK: &str =
    "# Written by `lgi-mm service install`; changes by hand are kept. Checksum of what follows: ";

/// What is in a unit's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum Found {
    /// No file.
    Nothing,
    /// Exactly this unit.
    Same,
    /// A unit that we wrote, of other settings or another version.
    Older,
    /// A unit that was changed by hand, or not written by us.
    Changed,
}

/// The whole file of a unit.
fn whole(text: &str) -> String {
    format!("{MARK}{}\n{text}", checksum(text))
}

fn checksum(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// What is at `path`, compared with the unit of this text.
///
/// # Errors
/// [`io::Error`].
pub fn found(path: &Path, text: &str) -> io::Result<Found> {
    let there = match fs::read_to_string(path) {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    };
    if there == whole(text) {
        return Ok(Found::Same);
    }
    let ours = there
        .strip_prefix(MARK)
        .and_then(|rest| rest.split_once('\n'))
        .is_some_and(|(sum, rest)| sum == checksum(rest));
    Ok(if ours { Found::Older } else { Found::Changed })
}

/// Writes the unit, and its environment for its owner's eyes only: a connection string holds a password.
///
/// # Errors
/// [`io::Error`].
pub fn install(path: &Path, text: &str, environment: Option<(&Path, &str)>) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    if let Some((path, text)) = environment {
        write(path, text, 0o600)?;
    }
    write(path, &whole(text), 0o644)
}

/// Removes both files.
///
/// # Errors
/// [`io::Error`]; a file that is not there is none.
pub fn remove(path: &Path, environment: &Path) -> io::Result<()> {
    for path in [path, environment] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Under another name first: a unit is never half a unit.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    use io::Write;

    let dir = path.parent().unwrap_or(Path::new("/"));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let mut file = tempfile::Builder::new().make_in(dir, |path| options.open(path))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Variables as an environment file has them.
#[must_use]
pub fn environment_text(variables: &[(String, String)]) -> String {
    let line = |(name, value): &(String, String)| {
        let mut escaped = String::new();
        for c in value.chars() {
            if ['\\', '"', '$', '`'].contains(&c) {
                escaped.push('\\');
            }
            escaped.push(c);
        }
        format!("{name}=\"{escaped}\"\n")
    };
    variables.iter().map(line).collect()
}
