//! Options for reading a file.

use crate::domain::Timestamp;

/// Whether a row's time is the start or the end of its candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CandleTime {
    /// Start of the candle, the usual convention of exchanges: the close is known one candle later.
    #[default]
    Open,
    /// End of the candle.
    Close,
}

/// Options for reading a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Rows before it are skipped.
    pub from: Option<Timestamp>,
    /// Rows after it are skipped.
    pub to: Option<Timestamp>,
    /// Meaning of a candle's time.
    pub candle_time: CandleTime,
    /// Bad or unordered rows are skipped instead of refused.
    pub skip_bad: bool,
}

/// Whether a row at this instant is read.
pub(super) fn within(at: Timestamp, options: &ReadOptions) -> bool {
    options.from.is_none_or(|from| at >= from) && options.to.is_none_or(|to| at <= to)
}
