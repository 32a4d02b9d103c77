//! Price series.

use super::problems::SeriesError;
use crate::backtest::result::SeriesSummary;
use crate::backtest::setup::PricePoint;

/// Rows in the order of time that can be read repeatedly.
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
