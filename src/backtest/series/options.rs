//! How a file is read.

use crate::domain::Timestamp;

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

/// Whether a row of this instant is read.
pub(super) fn within(at: Timestamp, options: &ReadOptions) -> bool {
    options.from.is_none_or(|from| at >= from) && options.to.is_none_or(|to| at <= to)
}
