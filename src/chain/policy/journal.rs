//! Log of signatures in a file owned by the worker, so that the database cannot reset it. One line per signature,
//! flushed to disk before the signature is returned.

use std::{
    collections::HashMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use alloy_primitives::{Address, B256, keccak256};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    file::Entry,
    refusal::{Reason, Refusal},
};
use crate::domain::{Timestamp, units::Usd};

const NAME: &str = "signed.log";
const LOCK: &str = "signed.lock";
/// Older lines do not count towards any limit.
const KEPT: TimeDelta = TimeDelta::hours(49);
/// A file above this size that has doubled is rewritten without expired lines.
const PRUNED_FROM: u64 = 1 << 20;
const HOUR: TimeDelta = TimeDelta::hours(1);

/// One signature. A replacement has the same nonce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signed {
    pub(super) at: Timestamp,
    pub(super) chain: String,
    pub(super) wallet: Address,
    pub(super) nonce: u64,
    /// USD spent by a buy; zero for a sale.
    pub(super) usd: Usd,
    /// Hash of the call: equal for replacements that only raise fees.
    pub(super) call: B256,
}

/// Spending of a wallet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// In the last 60 minutes.
    pub hour: Usd,
    /// On this UTC day.
    pub day: Usd,
}

type Key = (String, Address, u64);

/// State of the reader.
#[derive(Debug, Default)]
struct Seen {
    /// Identity of the file.
    inode: u64,
    /// Offset after the last complete line.
    end: u64,
    /// Size at which the file is rewritten.
    prune_from: u64,
    lines: u64,
    rows: HashMap<Key, Signed>,
}

/// The file, shared by all workers on a machine.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    seen: Mutex<Seen>,
}

impl Journal {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            seen: Mutex::default(),
        }
    }

    /// Path of the file.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn broken(&self, what: &str, error: impl ToString) -> Refusal {
        let detail = format!(
            "the journal of signatures cannot be {what} in {}: {}; set LGI_MM_POLICY_STATE to a directory of this user",
            self.dir.display(),
            error.to_string()
        );
        Refusal::new(Reason::Journal, detail)
    }

    /// Spending of `wallet`.
    ///
    /// # Errors
    /// [`Refusal`] if the file cannot be read.
    pub fn spent(&self, chain: &str, wallet: Address, now: Timestamp) -> Result<Spent, Refusal> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.dir.join(NAME);
        if path.exists() {
            let mut file = File::open(&path).map_err(|error| self.broken("read", error))?;
            self.refresh(&mut seen, &mut file)?;
        }
        sum(&seen, chain, wallet, None, now)
    }

    /// Whether exactly this call was already signed for this nonce.
    pub(super) fn knows(&self, signed: &Signed) -> Result<bool, Refusal> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.dir.join(NAME);
        if path.exists() {
            let mut file = File::open(&path).map_err(|error| self.broken("read", error))?;
            self.refresh(&mut seen, &mut file)?;
        }
        Ok(before(&seen, signed).is_some_and(|row| row.call == signed.call))
    }

    /// Records a signature if `entry` still allows its spending. After an error the caller must not sign.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(super) fn record(&self, entry: &Entry, mut signed: Signed) -> Result<(), Refusal> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = self.lock().map_err(|error| self.broken("written", error))?;
        let mut file = self.open().map_err(|error| self.broken("written", error))?;
        self.refresh(&mut seen, &mut file)?;
        let again = before(&seen, &signed).cloned();
        if again.as_ref().is_none_or(|row| row.call != signed.call) {
            within(&seen, entry, &signed)?;
        }
        // Any of a nonce's replacements may be mined, so the largest counts.
        if let Some(row) = &again {
            signed.usd = signed.usd.max(row.usd);
        }
        self.append(&mut seen, &mut file, signed)
            .map_err(|error| self.broken("written", error))
    }

    fn lock(&self) -> std::io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let dir = fs::metadata(&self.dir)?;
        let own = nix::unistd::Uid::effective().as_raw();
        if dir.mode() & 0o022 != 0 || (dir.uid() != own && dir.uid() != 0) {
            return Err(std::io::Error::other(format!(
                "the directory may be written by others (mode {:04o}, owner {}): run `chmod go-w` on it",
                dir.mode() & 0o7777,
                dir.uid()
            )));
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.dir.join(LOCK))?;
        lock.lock()?;
        Ok(lock)
    }

    fn open(&self) -> std::io::Result<File> {
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(self.dir.join(NAME))
    }

    /// Reads lines that other workers appended. An incomplete last line was never followed by a signature.
    fn refresh(&self, seen: &mut Seen, file: &mut File) -> Result<(), Refusal> {
        let broken = |error: &dyn ToString| self.broken("read", error.to_string());
        let metadata = file.metadata().map_err(|error| broken(&error))?;
        if metadata.ino() != seen.inode || metadata.len() < seen.end {
            *seen = Seen {
                inode: metadata.ino(),
                prune_from: PRUNED_FROM.max(metadata.len().saturating_mul(2)),
                ..Seen::default()
            };
        }
        file.seek(SeekFrom::Start(seen.end))
            .map_err(|error| broken(&error))?;
        let mut added = Vec::new();
        file.read_to_end(&mut added).map_err(|error| broken(&error))?;
        for line in added.split_inclusive(|byte| *byte == b'\n') {
            let Some(whole) = line.strip_suffix(b"\n") else {
                break;
            };
            seen.lines = seen.lines.saturating_add(1);
            let row = understood(whole).ok_or_else(|| {
                broken(&format!(
                    "line {} of {NAME} is damaged; limits cannot be enforced until it is repaired or, after checking today's \
                     spending, the file is moved away",
                    seen.lines
                ))
            });
            let row = match row {
                Ok(row) => row,
                Err(error) => {
                    // Start from the beginning next time: the file may have been repaired.
                    *seen = Seen::default();
                    return Err(error);
                }
            };
            seen.end = seen
                .end
                .saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
            seen.rows.insert((row.chain.clone(), row.wallet, row.nonce), row);
        }
        Ok(())
    }

    fn append(&self, seen: &mut Seen, file: &mut File, signed: Signed) -> std::io::Result<()> {
        if seen.end > seen.prune_from {
            *file = self.prune(seen, signed.at)?;
        }
        let line = written(&signed)?;
        // Remove an incomplete line left by a crash.
        file.set_len(seen.end)?;
        file.seek(SeekFrom::Start(seen.end))?;
        file.write_all(line.as_bytes())?;
        file.sync_data()?;
        if seen.lines == 0 {
            // The directory entry of a new file must be durable, too.
            File::open(&self.dir)?.sync_all()?;
        }
        seen.end = seen
            .end
            .saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        seen.lines = seen.lines.saturating_add(1);
        let key = (signed.chain.clone(), signed.wallet, signed.nonce);
        seen.rows.insert(key, signed);
        Ok(())
    }

    /// Rewrites the file without expired lines; the new file is on disk before it replaces the old one.
    fn prune(&self, seen: &mut Seen, now: Timestamp) -> std::io::Result<File> {
        seen.rows.retain(|_, row| now - row.at < KEPT);
        let mut text = String::new();
        for row in seen.rows.values() {
            text.push_str(&written(row)?);
        }
        let mut fresh = tempfile::NamedTempFile::new_in(&self.dir)?;
        fresh.write_all(text.as_bytes())?;
        fresh.as_file().sync_all()?;
        let file = fresh.persist(self.dir.join(NAME)).map_err(|error| error.error)?;
        File::open(&self.dir)?.sync_all()?;
        seen.inode = file.metadata()?.ino();
        seen.end = u64::try_from(text.len()).unwrap_or(u64::MAX);
        seen.prune_from = PRUNED_FROM.max(seen.end.saturating_mul(2));
        seen.lines = u64::try_from(seen.rows.len()).unwrap_or(u64::MAX);
        Ok(file)
    }
}

fn before<'a>(seen: &'a Seen, signed: &Signed) -> Option<&'a Signed> {
    seen.rows
        .get(&(signed.chain.clone(), signed.wallet, signed.nonce))
}

/// Spending of a wallet, excluding one nonce. A time in the future counts as now: setting the clock back frees no
/// limit.
fn sum(
    seen: &Seen,
    chain: &str,
    wallet: Address,
    except: Option<u64>,
    now: Timestamp,
) -> Result<Spent, Refusal> {
    let mut spent = Spent::default();
    let rows = seen.rows.values();
    let own = rows.filter(|row| row.chain == chain && row.wallet == wallet && Some(row.nonce) != except);
    for row in own {
        let at = row.at.min(now);
        if now - at < HOUR {
            spent.hour = add(spent.hour, row.usd)?;
        }
        if at.date_naive() == now.date_naive() {
            spent.day = add(spent.day, row.usd)?;
        }
    }
    Ok(spent)
}

fn add(one: Usd, other: Usd) -> Result<Usd, Refusal> {
    one.checked_add(other)
        .map_err(|error| Refusal::new(Reason::Journal, error.to_string()))
}

fn within(seen: &Seen, entry: &Entry, signed: &Signed) -> Result<(), Refusal> {
    let spent = sum(seen, &signed.chain, signed.wallet, Some(signed.nonce), signed.at)?;
    fits(entry, spent, signed.usd)
}

/// Whether a buy of this size fits the remaining limit.
pub(super) fn fits(entry: &Entry, spent: Spent, usd: Usd) -> Result<(), Refusal> {
    if !usd.is_positive() {
        return Ok(());
    }
    for (reason, key, before, most) in [
        (Reason::Hour, "max_hour_usd", spent.hour, entry.max_hour_usd),
        (Reason::Day, "max_day_usd", spent.day, entry.max_day_usd),
    ] {
        if add(before, usd)? > most {
            let detail = format!(
                "a buy of {usd} USD exceeds the remaining limit: {before} USD already signed, {key} is {most}"
            );
            return Err(Refusal::new(reason, detail));
        }
    }
    Ok(())
}

/// A line: four bytes of the hash of its content, then the content.
fn written(signed: &Signed) -> std::io::Result<String> {
    let text = serde_json::to_string(signed)?;
    Ok(format!("{} {text}\n", mark(text.as_bytes())))
}

fn understood(line: &[u8]) -> Option<Signed> {
    let line = std::str::from_utf8(line).ok()?;
    let (given, text) = line.split_once(' ')?;
    (given == mark(text.as_bytes())).then(|| serde_json::from_str(text).ok())?
}

fn mark(text: &[u8]) -> String {
    alloy_primitives::hex::encode(keccak256(text).get(..4).unwrap_or_default())
}

/// Current time of this machine.
pub(super) fn now() -> Timestamp {
    DateTime::<Utc>::from(std::time::SystemTime::now())
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
