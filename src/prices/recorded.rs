//! A recorded series: a CSV file as backtests read it, at real or accelerated time.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use chrono::TimeDelta;
use nix::fcntl::OFlag;
use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::csv::{Ends, Layout, Order, Place, PriceRow, Spacing, Spacings};
use crate::domain::{
    Timestamp,
    config::{RecordedConfig, SourceName},
    price::{Answer, Observation, PriceMissing},
};

/// Largest series, bytes: some two million rows.
const FILE_MAX: u64 = 64 * 1024 * 1024;
/// Series that are kept in memory at once.
const FILES_MAX: usize = 64;

/// A price, and the instant from which it applies.
#[derive(Debug, Clone, Copy)]
struct Row {
    at: Timestamp,
    price_usd: Decimal,
}

impl Row {
    const fn of(row: PriceRow) -> Self {
        Self {
            at: row.at,
            price_usd: row.price.decimal(),
        }
    }
}

type Rows = Arc<Vec<Row>>;

/// Identifies a version of a file: its time of change and its length.
type Version = Option<(SystemTime, u64)>;

type ReadFile = (Version, Result<Rows, String>);

/// Cache of files, until they change.
#[derive(Default)]
pub(super) struct Recordings(Mutex<HashMap<String, ReadFile>>);

impl Recordings {
    /// The last row at or before `now`, by the series' own clock.
    pub(super) fn observe(&self, config: &RecordedConfig, now: Timestamp) -> Answer {
        self.row(config, now)
            .map_err(|detail| PriceMissing::new(SourceName::Recorded, format!("{}: {detail}", config.file)))
    }

    fn row(&self, config: &RecordedConfig, now: Timestamp) -> Result<Observation, String> {
        let rows = self.rows(&config.file)?;
        let (Some(Row { at: first, .. }), Some(Row { at: last, .. })) =
            (rows.first().copied(), rows.last().copied())
        else {
            return Err("no rows".to_owned());
        };
        let starts_at = config.starts_at.unwrap_or(first);
        if now < starts_at {
            return Err(format!("the series starts at {starts_at}"));
        }
        // Beyond the range of a timestamp is after the last row.
        let then = scale(now - starts_at, config.speed).and_then(|passed| first.checked_add_signed(passed));
        let ended = || format!("the series ended with its row of {last}");
        let then = then.filter(|then| *then <= last).ok_or_else(ended)?;
        let index = rows.partition_point(|row| row.at <= then).saturating_sub(1);
        let Row { at, price_usd } = rows.get(index).copied().ok_or_else(ended)?;
        Ok(Observation {
            source: SourceName::Recorded,
            price_usd,
            observed_at: real_time(at - first, config.speed, starts_at)
                .map_or(now, |observed_at| observed_at.min(now)),
        })
    }

    fn rows(&self, file: &str) -> Result<Rows, String> {
        let version = version(Path::new(file));
        let files = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, rows)) = files().get(file)
            && version.is_some()
            && *before == version
        {
            return rows.clone();
        }
        // Read without the lock: one slow file must not keep others waiting.
        let rows = read(Path::new(file)).map(Arc::new);
        let mut files = files();
        if files.len() >= FILES_MAX {
            files.clear();
        }
        files.insert(file.to_owned(), (version, rows.clone()));
        rows
    }
}

/// Checks that a series can be read.
///
/// # Errors
/// The problem and its line, without quoting the file.
pub fn check(config: &RecordedConfig) -> Result<(), String> {
    read(Path::new(&config.file)).map(|_| ())
}

/// Opens a series. The path comes out of the database, so a user who writes there would choose what a worker opens:
/// only a regular file named like a series is opened, and its content is never quoted.
fn open(path: &Path) -> Result<File, String> {
    if path
        .extension()
        .is_none_or(|extension| !extension.eq_ignore_ascii_case("csv"))
    {
        return Err("a series is a file whose name ends in .csv".to_owned());
    }
    // A pipe without a writer would block indefinitely.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
        .map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("not a regular file".to_owned());
    }
    if metadata.len() > FILE_MAX {
        return Err(format!(
            "{} bytes, a series has at most {FILE_MAX}",
            metadata.len()
        ));
    }
    Ok(file)
}

fn version(file: &Path) -> Version {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// When a row became current: the same instant for the same row, however late it is read.
fn real_time(since_first: TimeDelta, speed: Decimal, starts_at: Timestamp) -> Option<Timestamp> {
    let passed = scale(since_first, Decimal::ONE.checked_div(speed)?)?;
    starts_at.checked_add_signed(passed)
}

/// `span * factor`, to the microsecond; `None` if out of range.
fn scale(span: TimeDelta, factor: Decimal) -> Option<TimeDelta> {
    let micros = Decimal::from(span.num_microseconds()?).checked_mul(factor)?;
    micros.trunc().to_i64().map(TimeDelta::microseconds)
}

/// Reads a whole series, as a backtest does. Only numbers and times of the file are quoted.
fn read(path: &Path) -> Result<Vec<Row>, String> {
    let detected = Layout::detect(open(path)?).map_err(|error| error.to_string())?;
    let layout = detected.map_err(|problem| problem.unquoted())?;
    let mut read = layout.rows(open(path)?.take(FILE_MAX));
    let mut rows: Vec<PriceRow> = Vec::new();
    let mut spacings = Spacings::default();
    let mut order = Order::new(layout.newest_first);
    while let Some((line, row)) = read.next_row().map_err(|error| error.to_string())? {
        let row = row.map_err(|problem| format!("line {line}: {}", problem.unquoted()))?;
        match order.place(row.at) {
            Place::Again => continue,
            Place::OutOfOrder => {
                let than = if layout.newest_first { "after" } else { "before" };
                return Err(format!(
                    "line {line}: {} is {than} the row before it: out of order; sort the file by time",
                    row.at
                ));
            }
            Place::Next => {}
        }
        if let Some(last) = rows.last() {
            spacings.add(row.at.min(last.at), row.at.max(last.at));
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return Err("no rows".to_owned());
    }
    if layout.newest_first {
        rows.reverse();
    }
    let mut ends = Ends::new(if layout.begins() {
        spacings.usual()
    } else {
        Spacing::NONE
    });
    let mut moved: Vec<Row> = rows
        .into_iter()
        .filter_map(|row| ends.push(row))
        .map(Row::of)
        .collect();
    moved.extend(ends.finish().map(Row::of));
    Ok(moved)
}
