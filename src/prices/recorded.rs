//! A recorded series: a CSV file of `time,price`, at real or accelerated time.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::book::missing;
use crate::domain::{
    Timestamp,
    config::{RecordedConfig, SourceName},
    price::{Answer, Observation},
};

type Rows = Arc<Vec<(Timestamp, Decimal)>>;

/// What a file held, and when it had been changed last.
type ReadFile = (Option<SystemTime>, Result<Rows, String>);

/// Files that were read, until they change.
#[derive(Default)]
pub(super) struct Recordings(Mutex<HashMap<String, ReadFile>>);

impl Recordings {
    /// The last row at or before `now`, by the series' own clock.
    pub(super) fn observe(&self, config: &RecordedConfig, now: Timestamp) -> Answer {
        let gone = |detail: String| missing(SourceName::Recorded, detail);
        let rows = self.rows(&config.file).map_err(gone)?;
        let (first, last) = match rows.as_slice() {
            [first, .., last] => (first.0, last.0),
            [only] => (only.0, only.0),
            [] => return Err(gone(format!("{}: no rows", config.file))),
        };
        let starts_at = config.starts_at.unwrap_or(first);
        let passed = scale(now - starts_at, config.speed);
        let then = first + passed;
        if then < first {
            return Err(gone(format!("{}: the series starts at {starts_at}", config.file)));
        }
        if then > last {
            return Err(gone(format!(
                "{}: the series ended with its row of {last}",
                config.file
            )));
        }
        let index = rows.partition_point(|(time, _)| *time <= then).saturating_sub(1);
        let Some((time, price_usd)) = rows.get(index).copied() else {
            return Err(gone(format!("{}: no row at {then}", config.file)));
        };
        let age = scale(then - time, Decimal::ONE / config.speed);
        Ok(Observation {
            source: SourceName::Recorded,
            price_usd,
            observed_at: now - age,
        })
    }

    fn rows(&self, file: &str) -> Result<Rows, String> {
        let changed = std::fs::metadata(file)
            .and_then(|metadata| metadata.modified())
            .ok();
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, rows)) = files.get(file)
            && changed.is_some()
            && *then == changed
        {
            return rows.clone();
        }
        let rows = read(Path::new(file)).map(Arc::new);
        files.insert(file.to_owned(), (changed, rows.clone()));
        rows
    }
}

/// `span * factor`, to the microsecond.
fn scale(span: TimeDelta, factor: Decimal) -> TimeDelta {
    let micros = span
        .num_microseconds()
        .map(Decimal::from)
        .and_then(|micros| micros.checked_mul(factor));
    micros
        .and_then(|micros| micros.trunc().to_i64())
        .map_or(TimeDelta::MAX, TimeDelta::microseconds)
}

/// Reads and checks a series; the error names file, line, what is there and what should be.
fn read(path: &Path) -> Result<Vec<(Timestamp, Decimal)>, String> {
    let at = |line: u64, what: String| format!("{}, line {line}: {what}", path.display());
    let reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_path(path);
    let mut reader = reader.map_err(|error| format!("{}: {error}", path.display()))?;
    let mut rows: Vec<(Timestamp, Decimal)> = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|error| format!("{}: {error}", path.display()))?;
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
        let when = instant(time)
            .ok_or_else(|| at(line, format!("'{time}' is no time: Unix seconds or RFC 3339")))?;
        let price: Decimal = price
            .parse()
            .map_err(|_| at(line, format!("'{price}' is no price")))?;
        if price <= Decimal::ZERO {
            return Err(at(line, format!("a price of {price}: prices are above zero")));
        }
        if rows.last().is_some_and(|(before, _)| *before >= when) {
            return Err(at(line, format!("{when} is not after the row before it")));
        }
        rows.push((when, price));
    }
    if rows.is_empty() {
        Err(format!("{}: no rows", path.display()))
    } else {
        Ok(rows)
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
