//! What is wrong with a file of prices.

use rust_decimal::Decimal;

/// Why a file has no columns that can be read. The text quotes the file; [`Self::unquoted`] does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutProblem {
    /// Nothing is in it.
    #[error("the file is empty")]
    Empty,
    /// The first line is no CSV.
    #[error("{0}")]
    Malformed(String),
    /// A number of columns that is neither time and price nor a candle.
    #[error("{0} columns and no header")]
    NoHeader(usize),
    /// No known names.
    #[error("the first line has the columns {0}")]
    Names(String),
}

impl LayoutProblem {
    /// The problem, without a word of the file.
    #[must_use]
    pub fn unquoted(&self) -> String {
        match self {
            Self::Empty => "no rows".to_owned(),
            Self::Malformed(_) => "the first line is no CSV".to_owned(),
            Self::NoHeader(columns) => format!("line 1: {columns} columns and no header"),
            Self::Names(_) => {
                "the first line is neither a row of time and price nor a header with a column named \
                               time, timestamp, date or unix and one named price or close"
                    .to_owned()
            }
        }
    }
}

/// What is wrong with a row. The text quotes the file; [`Self::unquoted`] does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowProblem {
    /// Too few columns.
    #[error("{found} columns, where {needed} are needed")]
    Columns {
        /// In this row.
        found: usize,
        /// Up to the last one that is read.
        needed: usize,
    },
    /// None of the notations of a time.
    #[error("'{0}' is no time: Unix seconds or milliseconds, or such as 2026-01-31T12:00:00Z")]
    Time(String),
    /// Bytes that are no text.
    #[error("not UTF-8 text")]
    NotText,
    /// Nothing where the price should be.
    #[error("no price")]
    NoPrice,
    /// No number where the price should be.
    #[error("'{0}' is no price: a number such as 0.0123")]
    Price(String),
    /// A number that no price can be.
    #[error("a price of {0}: prices are above zero")]
    NotPositive(Decimal),
}

impl RowProblem {
    /// The problem, without a word of the file but a number.
    #[must_use]
    pub fn unquoted(&self) -> String {
        match self {
            Self::Time(_) => {
                "no time: Unix seconds or milliseconds, or such as 2026-01-31T12:00:00Z".to_owned()
            }
            Self::Price(_) => "no price: a number such as 0.0123".to_owned(),
            Self::Columns { .. } | Self::NotText | Self::NoPrice | Self::NotPositive(_) => self.to_string(),
        }
    }
}
