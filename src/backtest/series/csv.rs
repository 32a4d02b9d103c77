//! A CSV file as a series: checked once, then read as often as needed.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use super::{
    check::Checks,
    options::{ReadOptions, within},
    problems::SeriesError,
    rows::{Rows, Series},
};
use crate::{
    backtest::{result::SeriesSummary, setup::PricePoint},
    domain::Timestamp,
    prices::csv::{Ends, Layout, Order, Place, PriceRow, Spacing, instant},
};

/// A CSV file that was checked.
#[derive(Debug, Clone)]
pub struct CsvSeries {
    path: PathBuf,
    layout: Layout,
    options: ReadOptions,
    /// Of candles whose time is their beginning: a close is known at the end.
    spacing: Spacing,
    summary: SeriesSummary,
}

impl CsvSeries {
    /// Reads the whole file once and checks every row.
    ///
    /// # Errors
    /// [`SeriesError`]; bad or unordered rows are errors unless they may be skipped.
    pub fn open(path: &Path, options: ReadOptions) -> Result<Self, SeriesError> {
        let layout = layout(path)?;
        let mut checks = Checks::new(&layout);
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
        let Some(checked) = checks.finish(&shown(), &layout, &options) else {
            return Err(SeriesError::Empty {
                path: shown(),
                narrowed: options.from.is_some() || options.to.is_some(),
            });
        };
        Ok(Self {
            path: path.to_owned(),
            layout,
            options,
            spacing: checked.spacing,
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
        let mut ends = Ends::new(self.spacing);
        let mut give = |row: Option<PriceRow>| {
            if let Some(PriceRow { at, price }) = row {
                take(PricePoint { at, price });
            }
        };
        let mut order = Order::new(self.layout.newest_first);
        let mut turned = Vec::new();
        let newest_first = self.layout.newest_first;
        each_line(&self.path, &self.layout, |_, row| {
            let Ok(row) = row else { return };
            if !within(row.at, &self.options) || order.place(row.at) != Place::Next {
                return;
            }
            if newest_first {
                turned.push(row);
            } else {
                give(ends.push(row));
            }
        })?;
        for row in turned.into_iter().rev() {
            give(ends.push(row));
        }
        give(ends.finish());
        Ok(())
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
    mut take: impl FnMut(u64, Result<PriceRow, String>),
) -> Result<(), SeriesError> {
    let unreadable = |source: std::io::Error| SeriesError::Unreadable {
        path: path.display().to_string(),
        source,
    };
    let mut rows = layout.rows(File::open(path).map_err(unreadable)?);
    while let Some((line, row)) = rows.next_row().map_err(unreadable)? {
        take(line, row.map_err(|problem| problem.to_string()));
    }
    Ok(())
}
