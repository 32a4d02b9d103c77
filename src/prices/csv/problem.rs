//! Problems of price files.

use rust_decimal::Decimal;

use super::time::NoTime;
use crate::domain::Timestamp;

const COLUMNS: &str =
    "write a header with a column named time, timestamp, date or unix and one named price or close";
const TIMES: &str = "Unix seconds or milliseconds, or such as 2026-01-31T12:00:00Z";
const DATES: &str = "write dates as 2026-01-31";
const DIGITS: &str = "format the column as a number or as a date, and export it again";
const NUMBERS: &str = "write 1234.5 without a separator of thousands";

/// Why a file has no columns that can be read. The text quotes the file; [`Self::unquoted`] does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutProblem {
    /// An empty file.
    #[error("the file is empty: {COLUMNS}, and rows below it")]
    Empty,
    /// Not a text file that can be read.
    #[error("the file is {0}")]
    Format(&'static str),
    /// A number of columns that is neither time and price nor a candle.
    #[error("line {line}: {columns} columns and no header; {COLUMNS}")]
    NoHeader {
        /// Number of the line, as an editor shows it.
        line: u64,
        /// Columns of that line.
        columns: usize,
    },
    /// No known column names.
    #[error("line {line} has the columns {names}; {COLUMNS}")]
    Names {
        /// Number of the line, as an editor shows it.
        line: u64,
        /// Its columns.
        names: String,
    },
}

impl LayoutProblem {
    /// The problem, without quoting the file.
    #[must_use]
    pub fn unquoted(&self) -> String {
        match self {
            Self::Names { line, .. } => {
                format!(
                    "line {line} is neither a row of time and price nor a header that is known; {COLUMNS}"
                )
            }
            Self::Empty | Self::Format(_) | Self::NoHeader { .. } => self.to_string(),
        }
    }
}

/// What is wrong with a row. The text quotes the file; [`Self::unquoted`] does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowProblem {
    /// Too few columns.
    #[error("{found} columns, where {needed} are needed")]
    Columns {
        /// Columns of this row.
        found: usize,
        /// Columns needed.
        needed: usize,
    },
    /// More columns than the first line, so that they cannot be assigned.
    #[error("{found} columns, where the first line has {first}; write decimals with a point, or in quotes")]
    TooMany {
        /// Columns of this row.
        found: usize,
        /// Columns of the header, or of the first row.
        first: usize,
    },
    /// A quote that is never closed.
    #[error("a quote is opened and not closed")]
    Quote,
    /// Not a known notation of a time.
    #[error("'{0}' is no time: {TIMES}")]
    Time(String),
    /// 03/04 may be March or April.
    #[error("'{0}': day and month may be either, and no date of the file tells which; {DATES}")]
    DayOrMonth(String),
    /// A time in scientific notation.
    #[error("'{0}' is a time in scientific notation, which has lost digits; {DIGITS}")]
    Digits(String),
    /// Before the first price of any token.
    #[error("'{text}' was read as {}, which is before 2009; write {TIMES}", shown(*.at))]
    TooEarly {
        /// The field.
        text: String,
        /// The parsed time.
        at: Timestamp,
    },
    /// Later than tomorrow.
    #[error("'{text}' was read as {}, which is later than tomorrow; write {TIMES}", shown(*.at))]
    TooLate {
        /// The field.
        text: String,
        /// The parsed time.
        at: Timestamp,
    },
    /// Not UTF-8.
    #[error("not UTF-8 text")]
    NotText,
    /// An empty price.
    #[error("no price")]
    NoPrice,
    /// A price that is not a number.
    #[error("'{0}' is no price: a number such as 0.0123")]
    Price(String),
    /// 1,234 may be 1.234 or 1234.
    #[error(
        "'{0}': the comma may begin decimals or part thousands, and no price of the file tells which; {NUMBERS}"
    )]
    Thousands(String),
    /// A number outside the range of prices.
    #[error("a price of {0}: prices are above zero")]
    NotPositive(Decimal),
}

impl RowProblem {
    /// A field that is not a valid time of a price.
    pub(super) fn of_time(text: String, problem: NoTime) -> Self {
        match problem {
            NoTime::Notation => Self::Time(text),
            NoTime::DayOrMonth => Self::DayOrMonth(text),
            NoTime::Digits => Self::Digits(text),
            NoTime::TooEarly(at) => Self::TooEarly { text, at },
            NoTime::TooLate(at) => Self::TooLate { text, at },
        }
    }

    /// The problem, quoting only numbers and dates of the file.
    #[must_use]
    pub fn unquoted(&self) -> String {
        match self {
            Self::Time(_) => format!("no time: {TIMES}"),
            Self::DayOrMonth(_) => {
                format!("day and month may be either, and no date of the file tells which; {DATES}")
            }
            Self::Digits(_) => format!("a time in scientific notation, which has lost digits; {DIGITS}"),
            Self::TooEarly { at, .. } => {
                format!(
                    "the time was read as {}, which is before 2009; write {TIMES}",
                    shown(*at)
                )
            }
            Self::TooLate { at, .. } => format!(
                "the time was read as {}, which is later than tomorrow; write {TIMES}",
                shown(*at)
            ),
            Self::Price(_) => "no price: a number such as 0.0123".to_owned(),
            Self::Thousands(_) => format!(
                "the comma of the price may begin decimals or part thousands, and no price of the file tells which; \
                 {NUMBERS}"
            ),
            Self::Columns { .. }
            | Self::TooMany { .. }
            | Self::Quote
            | Self::NotText
            | Self::NoPrice
            | Self::NotPositive(_) => self.to_string(),
        }
    }
}

/// An instant as messages about files show it.
#[must_use]
pub fn shown(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}
