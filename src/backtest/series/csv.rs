//! A CSV file as a series: checked once, then read as often as needed.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use super::{
    check::Checks,
    options::{CandleTime, ReadOptions, within},
    problems::SeriesError,
    rows::{Rows, Series},
};
use crate::{
    backtest::{result::SeriesSummary, setup::PricePoint},
    domain::{Timestamp, span::Span},
    prices::csv::{Layout, instant},
};

/// A CSV file that was checked.
#[derive(Debug, Clone)]
pub struct CsvSeries {
    path: PathBuf,
    layout: Layout,
    options: ReadOptions,
    /// Added to each row's time: a candle's close is known at its end.
    shift: Span,
    summary: SeriesSummary,
}

impl CsvSeries {
    /// Reads the whole file once and checks every row.
    ///
    /// # Errors
    /// [`SeriesError`]; bad or unordered rows are errors unless they may be skipped.
    pub fn open(path: &Path, options: ReadOptions) -> Result<Self, SeriesError> {
        let layout = layout(path)?;
        let options = ReadOptions {
            candle_time: if layout.closes {
                CandleTime::Close
            } else {
                options.candle_time
            },
            ..options
        };
        let mut checks = Checks::default();
        each_line(path, &layout, |line, row| {
            if let Err(what) = row.and_then(|row| checks.row(line, row, &options)) {
                checks.bad.add(line, || what);
            }
        })?;
        let shown = || path.display().to_string();
        if checks.bad.count > 0 && !options.skip_bad {
            return Err(SeriesError::BadRows {
                path: shown(),
                problems: checks.bad,
            });
        }
        let Some(checked) = checks.finish(&shown(), layout.candles, &options) else {
            return Err(SeriesError::Empty {
                path: shown(),
                narrowed: options.from.is_some() || options.to.is_some(),
            });
        };
        Ok(Self {
            path: path.to_owned(),
            layout,
            options,
            shift: checked.shift,
            summary: checked.summary,
        })
    }

    /// Loads all rows into memory, for many runs.
    ///
    /// # Errors
    /// [`SeriesError`] if the file can no longer be read.
    pub fn load(&self) -> Result<Rows, SeriesError> {
        let mut rows = Vec::new();
        self.each(&mut |row| rows.push(row))?;
        Ok(Rows {
            summary: self.summary.clone(),
            rows,
        })
    }
}

impl Series for CsvSeries {
    fn summary(&self) -> &SeriesSummary {
        &self.summary
    }

    fn each(&self, take: &mut dyn FnMut(PricePoint)) -> Result<(), SeriesError> {
        let mut last = None;
        each_line(&self.path, &self.layout, |_, row| {
            let Ok(row) = row else { return };
            if within(row.at, &self.options) && last.is_none_or(|last| row.at > last) {
                last = Some(row.at);
                take(PricePoint {
                    at: self.shift.after(row.at),
                    ..row
                });
            }
        })
    }
}

/// Reads a date or time: ISO 8601 or Unix time.
#[must_use]
pub fn parse_instant(text: &str) -> Option<Timestamp> {
    instant(text.trim().as_bytes())
}

fn layout(path: &Path) -> Result<Layout, SeriesError> {
    let shown = || path.display().to_string();
    let detected = File::open(path).and_then(Layout::detect);
    let detected = detected.map_err(|source| SeriesError::Unreadable {
        path: shown(),
        source,
    })?;
    detected.map_err(|what| SeriesError::Columns { path: shown(), what })
}

/// Passes every row of the file to `take`, with its line, or the problem.
fn each_line(
    path: &Path,
    layout: &Layout,
    mut take: impl FnMut(u64, Result<PricePoint, String>),
) -> Result<(), SeriesError> {
    let unreadable = |source: std::io::Error| SeriesError::Unreadable {
        path: path.display().to_string(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut reader = layout.reader(file);
    let mut record = csv::ByteRecord::new();
    let mut header = layout.header;
    while reader
        .read_byte_record(&mut record)
        .map_err(|error| unreadable(error.into()))?
    {
        if std::mem::take(&mut header) {
            continue;
        }
        let line = record.position().map_or(0, csv::Position::line);
        let row = layout.row(&record).map(|row| PricePoint {
            at: row.at,
            price: row.price,
        });
        take(line, row.map_err(|problem| problem.to_string()));
    }
    Ok(())
}
