//! Price series.

use super::problems::SeriesError;
use crate::backtest::result::SeriesSummary;
use crate::backtest::setup::PricePoint;

/// Rows in chronological order that can be read repeatedly.
pub trait Series {
    /// Description of the series.
    fn summary(&self) -> &SeriesSummary;

    /// Passes every row to `take`, oldest first.
    ///
    /// # Errors
    /// [`SeriesError`] if the series can no longer be read.
    fn each(&self, take: &mut dyn FnMut(PricePoint)) -> Result<(), SeriesError>;
}

/// Rows in memory: from a database, or from a file for many runs.
#[derive(Debug, Clone)]
pub struct Rows {
    /// Description of the rows.
    pub summary: SeriesSummary,
    /// Oldest first, at most one for each instant.
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
