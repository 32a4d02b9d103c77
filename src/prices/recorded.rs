//! A recorded series: a CSV file of `time,price`, at real or accelerated time.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use chrono::{DateTime, TimeDelta, Utc};
use nix::fcntl::OFlag;
use rust_decimal::{Decimal, prelude::ToPrimitive};

use crate::domain::{
    Timestamp,
    config::{RecordedConfig, SourceName},
    price::{Answer, Observation, PriceMissing},
};

/// Largest series, bytes: some two million rows.
const FILE_MAX: u64 = 64 * 1024 * 1024;
/// Series that are kept in memory at once.
const FILES_MAX: usize = 64;

type Rows = Arc<Vec<(Timestamp, Decimal)>>;

/// What tells a changed file: its time of change and its length.
type Version = Option<(SystemTime, u64)>;

type ReadFile = (Version, Result<Rows, String>);

/// Files that were read, until they change.
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
        let (Some((first, _)), Some((last, _))) = (rows.first().copied(), rows.last().copied()) else {
            return Err("no rows".to_owned());
        };
        let starts_at = config.starts_at.unwrap_or(first);
        if now < starts_at {
            return Err(format!("the series starts at {starts_at}"));
        }
        // Past what a clock can say is past the last row.
        let then = scale(now - starts_at, config.speed).and_then(|passed| first.checked_add_signed(passed));
        let ended = || format!("the series ended with its row of {last}");
        let then = then.filter(|then| *then <= last).ok_or_else(ended)?;
        let index = rows.partition_point(|(time, _)| *time <= then).saturating_sub(1);
        let (time, price_usd) = rows.get(index).copied().ok_or_else(ended)?;
        Ok(Observation {
            source: SourceName::Recorded,
            price_usd,
            observed_at: real_time(time - first, config.speed, starts_at)
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

/// Opens a series. The path comes out of the database, so whoever writes there would choose what a worker opens: only
/// a regular file whose name says that it is a series is, and nothing of what stands in it is ever quoted.
fn open(path: &Path) -> Result<File, String> {
    if path
        .extension()
        .is_none_or(|extension| !extension.eq_ignore_ascii_case("csv"))
    {
        return Err("a series is a file whose name ends in .csv".to_owned());
    }
    // A pipe without a writer would block for ever.
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

/// When a row became current: always the same instant for the same row, however late it is looked at.
fn real_time(since_first: TimeDelta, speed: Decimal, starts_at: Timestamp) -> Option<Timestamp> {
    let passed = scale(since_first, Decimal::ONE.checked_div(speed)?)?;
    starts_at.checked_add_signed(passed)
}

/// `span * factor`, to the microsecond; none past what a clock can say.
fn scale(span: TimeDelta, factor: Decimal) -> Option<TimeDelta> {
    let micros = Decimal::from(span.num_microseconds()?).checked_mul(factor)?;
    micros.trunc().to_i64().map(TimeDelta::microseconds)
}

/// Reads and checks a series; the error names line, what is there and what should be.
fn read(path: &Path) -> Result<Vec<(Timestamp, Decimal)>, String> {
    let at = |line: u64, what: String| format!("line {line}: {what}");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(open(path)?.take(FILE_MAX));
    let mut rows: Vec<(Timestamp, Decimal)> = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|error| unreadable(&error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let (Some(time), Some(price), None) = (record.get(0), record.get(1), record.get(2)) else {
            return Err(at(
                line,
                format!("{} columns, where time and price should be", record.len()),
            ));
        };
        if index == 0 && time.eq_ignore_ascii_case("time") {
            continue;
        }
        let when = instant(time).ok_or_else(|| {
            at(
                line,
                "the first column is no time: Unix seconds or RFC 3339".to_owned(),
            )
        })?;
        let price = price
            .parse()
            .or_else(|_| Decimal::from_scientific(price))
            .map_err(|_| at(line, "the second column is no price".to_owned()))?;
        if price <= Decimal::ZERO {
            return Err(at(line, format!("a price of {price}: prices are above zero")));
        }
        if rows.last().is_some_and(|(before, _)| *before >= when) {
            return Err(at(line, format!("{when} is not after the row before it")));
        }
        rows.push((when, price));
    }
    if rows.is_empty() {
        Err("no rows".to_owned())
    } else {
        Ok(rows)
    }
}

fn unreadable(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { pos: Some(at), .. } => format!("line {}: not UTF-8 text", at.line()),
        _ => error.to_string(),
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    match text.parse::<Decimal>() {
        Ok(seconds) => {
            let micros = seconds.checked_mul(Decimal::from(1_000_000))?.trunc().to_i64()?;
            DateTime::from_timestamp_micros(micros)
        }
        Err(_) => DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|time| time.with_timezone(&Utc)),
    }
}
