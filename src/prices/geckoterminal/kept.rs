//! Candles kept on disk: one file for each pool, token and step, which only grows.
//!
//! A page of candles is followed by a line that says which span it covers. What follows the last such line was cut
//! short by a crash, and is not read.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use super::HistoryError;
use crate::domain::units::Price;

/// How long it is believed that a pool has no older candle.
const BEGINNING_BELIEVED_SECS: i64 = 24 * 60 * 60;
/// Between two looks whether another process has finished with the file.
const LOCK_POLL: Duration = Duration::from_millis(100);

/// The candles of one file; the file is locked.
pub(super) struct Kept {
    path: PathBuf,
    file: File,
    /// End of the last whole page.
    end: u64,
    candles: BTreeMap<i64, Price>,
    /// Spans of beginnings of which every candle is known: from, inclusive; to, exclusive.
    covered: Vec<(i64, i64)>,
    /// No candle begins before the first, by what the API said at the second.
    beginning: Option<(i64, i64)>,
}

impl Kept {
    /// Opens the file, and waits for another process that uses it.
    pub(super) async fn open(path: PathBuf) -> Result<Self, HistoryError> {
        let file = lock(&path).await.map_err(io(&path))?;
        let mut kept = Self {
            file,
            end: 0,
            candles: BTreeMap::new(),
            covered: Vec::new(),
            beginning: None,
            path,
        };
        kept.read().map_err(io(&kept.path))?;
        Ok(kept)
    }

    fn read(&mut self) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes)?;
        let mut page = Vec::new();
        let mut at = 0_u64;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            at = at.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
            let Some(entry) = Entry::parse(line) else { break };
            match entry {
                Entry::Candle(begin, price) => page.push((begin, price)),
                Entry::Covers(from, to) => {
                    self.candles.extend(page.drain(..));
                    self.covered.push((from, to));
                    self.end = at;
                }
                Entry::Begins(begin, asked) => {
                    self.beginning = Some((begin, asked));
                    self.end = at;
                }
            }
        }
        Ok(())
    }

    /// The latest instant up to `cursor` that is not covered: candles before it are unknown.
    pub(super) fn unknown_before(&self, mut cursor: i64) -> i64 {
        while let Some((from, _)) = self
            .covered
            .iter()
            .find(|(from, to)| *from < cursor && cursor <= *to)
        {
            cursor = *from;
        }
        cursor
    }

    /// Whether the API has said lately that it has no candle before `cursor`.
    pub(super) fn begins(&self, cursor: i64, now: i64) -> bool {
        let believed = |asked: i64| (0..BEGINNING_BELIEVED_SECS).contains(&now.saturating_sub(asked));
        self.beginning
            .is_some_and(|(begin, asked)| cursor <= begin && believed(asked))
    }

    /// Adds a page: every candle that begins from `from` on and before `to`.
    pub(super) fn add(
        &mut self,
        page: &BTreeMap<i64, Price>,
        from: i64,
        to: i64,
    ) -> Result<(), HistoryError> {
        let mut text = String::new();
        for (begin, price) in page.range(from..to) {
            text.push_str(&format!("{begin},{price}\n"));
            self.candles.insert(*begin, *price);
        }
        text.push_str(&format!("covers,{from},{to}\n"));
        self.covered.push((from, to));
        self.append(&text)
    }

    /// Notes that no candle begins before `cursor`.
    pub(super) fn note_beginning(&mut self, cursor: i64, now: i64) -> Result<(), HistoryError> {
        self.beginning = Some((cursor, now));
        self.append(&format!("begins,{cursor},{now}\n"))
    }

    fn append(&mut self, text: &str) -> Result<(), HistoryError> {
        let mut write = || -> std::io::Result<()> {
            self.file.set_len(self.end)?;
            self.file.seek(SeekFrom::Start(self.end))?;
            self.file.write_all(text.as_bytes())
        };
        write().map_err(io(&self.path))?;
        self.end = self
            .end
            .saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Candles that begin in this span.
    pub(super) fn between(&self, from: i64, to: i64) -> Vec<(i64, Price)> {
        self.candles
            .range(from..to)
            .map(|(begin, price)| (*begin, *price))
            .collect()
    }
}

enum Entry {
    Candle(i64, Price),
    Covers(i64, i64),
    Begins(i64, i64),
}

impl Entry {
    /// `None` for a line that was cut short, or that this program did not write.
    fn parse(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
        let fields: Vec<&str> = line.split(',').collect();
        match fields.as_slice() {
            ["covers", from, to] => {
                let (from, to) = (from.parse().ok()?, to.parse().ok()?);
                (from < to).then_some(Self::Covers(from, to))
            }
            ["begins", begin, asked] => Some(Self::Begins(begin.parse().ok()?, asked.parse().ok()?)),
            [begin, price] => Some(Self::Candle(
                begin.parse().ok()?,
                Price::new(price.parse().ok()?).ok()?,
            )),
            _ => None,
        }
    }
}

async fn lock(path: &Path) -> std::io::Result<File> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    while let Err(held) = file.try_lock() {
        match held {
            fs::TryLockError::WouldBlock => tokio::time::sleep(LOCK_POLL).await,
            fs::TryLockError::Error(error) => return Err(error),
        }
    }
    Ok(file)
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> HistoryError {
    let path = path.display().to_string();
    move |source| HistoryError::File {
        path: path.clone(),
        source,
    }
}
