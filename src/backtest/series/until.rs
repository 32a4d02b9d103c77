//! A series that can be given up while it is read.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{problems::SeriesError, rows::Series};
use crate::backtest::{result::SeriesSummary, setup::PricePoint};

/// The rows of a series until `stop` is set: the caller discards the result then.
#[derive(Debug)]
pub struct Until<'a, S> {
    /// The series.
    pub series: &'a S,
    /// Whether it was given up.
    pub stop: &'a AtomicBool,
}

impl<S: Series> Series for Until<'_, S> {
    fn summary(&self) -> &SeriesSummary {
        self.series.summary()
    }

    fn each(&self, take: &mut dyn FnMut(PricePoint)) -> Result<(), SeriesError> {
        self.series.each(&mut |row| {
            if !self.stop.load(Ordering::Relaxed) {
                take(row);
            }
        })
    }
}
