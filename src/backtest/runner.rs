//! One job, fed with rows in the order of time.

use super::{
    Detail, PricePoint, Setup,
    result::{HoldRun, Point, Summary, TradeLine},
};

/// What a run came to. The fields are those of [`super::result::BacktestResult`].
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Figures.
    pub summary: Summary,
    /// Trades, if they were asked for.
    pub trades: Vec<TradeLine>,
    /// Points for charts, if they were asked for.
    pub points: Vec<Point>,
    /// Runs of equal holds, if they were asked for.
    pub holds: Vec<HoldRun>,
}

/// One job over a series. Its memory does not grow with the series, apart from trades that are kept.
#[derive(Debug)]
pub struct Runner {
    summary: Summary,
}

impl Runner {
    /// A job that has seen nothing yet.
    #[must_use]
    pub fn new(_setup: &Setup, _detail: Detail) -> Self {
        Self {
            summary: Summary::default(),
        }
    }

    /// The next row, later than all before it: decides every slot from the row before up to this one.
    pub fn feed(&mut self, _row: PricePoint) {}

    /// The end of the series: decides the slots up to its last row.
    #[must_use]
    pub fn finish(self) -> Outcome {
        Outcome {
            summary: self.summary,
            trades: Vec::new(),
            points: Vec::new(),
            holds: Vec::new(),
        }
    }
}
