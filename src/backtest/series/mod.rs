//! Price series: a CSV file, read as often as it is needed and not held in memory unless it is swept, or rows in memory.

mod check;

use std::{
    fmt,
    fs::File,
    path::{Path, PathBuf},
};

use super::{PricePoint, result::SeriesSummary};
use crate::{
    domain::{Timestamp, span::Span},
    prices::csv::{Layout, LayoutProblem, instant},
};

use check::Checks;

/// Problems that are named with their lines; the others are counted.
pub const NAMED_MAX: usize = 20;

/// Rows in the order of time that can be gone through again.
pub trait Series {
    /// What it is.
    fn summary(&self) -> &SeriesSummary;

    /// Hands every row to `take`, oldest first.
    ///
    /// # Errors
    /// [`SeriesError`] if it cannot be read any more.
    fn each(&self, take: &mut dyn FnMut(PricePoint)) -> Result<(), SeriesError>;
}

/// Rows in memory: of a database, or of a file that many runs go through.
#[derive(Debug, Clone)]
pub struct Rows {
    /// What they are.
    pub summary: SeriesSummary,
    /// Oldest first, no two of one instant.
    pub rows: Vec<PricePoint>,
}

impl Series for Rows {
    fn summary(&self) -> &SeriesSummary {
        &self.summary
    }

    fn each(&self, take: &mut dyn FnMut(PricePoint)) -> Result<(), SeriesError> {
        self.rows.iter().copied().for_each(take);
        Ok(())
    }
}

/// Which instant of its candle a row's time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CandleTime {
    /// Its beginning, as exchanges write it: its close is known one candle later.
    #[default]
    Open,
    /// Its end.
    Close,
}

/// How a file is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Rows before are left out.
    pub from: Option<Timestamp>,
    /// Rows after are left out.
    pub to: Option<Timestamp>,
    /// What a candle's time is.
    pub candle_time: CandleTime,
    /// Bad rows and rows out of order are left out instead of refused.
    pub skip_bad: bool,
}

/// A row that cannot be used, or that is worth a remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, from 1.
    pub line: u64,
    /// What is there and what should be.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Problems of one kind: how many, and the first ones by line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    /// How many there are.
    pub count: u64,
    /// At most [`NAMED_MAX`] of them.
    pub named: Vec<Problem>,
}

impl Problems {
    fn add(&mut self, line: u64, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push(Problem { line, what: what() });
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.named {
            write!(f, "\n  {problem}")?;
        }
        let named = u64::try_from(self.named.len()).unwrap_or(u64::MAX);
        match self.count.saturating_sub(named) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

/// A series that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; check the path and its permissions")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Nobody can tell which columns are time and price.
    #[error(
        "{path}: {what}; write a header with a column named time, timestamp, date or unix and one named price or close"
    )]
    Columns {
        /// Which file.
        path: String,
        /// What is there.
        what: LayoutProblem,
    },
    /// Rows that cannot be used.
    #[error("{path}: {} rows cannot be used; fix them, or leave them out with --skip-bad{problems}", problems.count)]
    BadRows {
        /// Which file.
        path: String,
        /// Which rows.
        problems: Problems,
    },
    /// No rows.
    #[error("{path}: no rows{}", if *narrowed { " between --from and --to" } else { "" })]
    Empty {
        /// Which file.
        path: String,
        /// Whether rows outside were left out.
        narrowed: bool,
    },
}

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
    /// [`SeriesError`]; bad rows and disorder are errors unless they may be skipped.
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

    /// Holds all rows, for many runs.
    ///
    /// # Errors
    /// [`SeriesError`] if the file cannot be read any more.
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

/// Reads a date or time as a file may have it, see [`ReadOptions`]: ISO 8601 or Unix time.
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

fn within(at: Timestamp, options: &ReadOptions) -> bool {
    options.from.is_none_or(|from| at >= from) && options.to.is_none_or(|to| at <= to)
}

/// Hands every row of the file to `take` with its line, or what is wrong with it.
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
