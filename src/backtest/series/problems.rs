//! Problems of a series.

use std::fmt;

use crate::prices::csv::LayoutProblem;

/// Maximum number of problems listed with their lines; the others are only counted.
pub const NAMED_MAX: usize = 20;

/// A row that cannot be used, or that needs a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, from 1.
    pub line: u64,
    /// What was found and what was expected.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Problems of one kind: their number, and the first ones by line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    /// Their number.
    pub count: u64,
    /// At most [`NAMED_MAX`] of them.
    pub named: Vec<Problem>,
}

impl Problems {
    pub(super) fn add(&mut self, line: u64, what: impl FnOnce() -> String) {
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

/// Error of a series.
#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; check the path and its permissions")]
    Unreadable {
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The columns of time and price cannot be identified.
    #[error("{path}: {what}")]
    Columns {
        /// The file.
        path: String,
        /// What was found.
        what: LayoutProblem,
    },
    /// Unusable rows.
    #[error("{path}: {} rows cannot be used; fix them, or skip them{problems}", problems.count)]
    BadRows {
        /// The file.
        path: String,
        /// The rows.
        problems: Problems,
    },
    /// No rows.
    #[error("{path}: no rows{}", if *narrowed { " in the given range" } else { "" })]
    Empty {
        /// The file.
        path: String,
        /// Whether rows outside a range were skipped.
        narrowed: bool,
    },
}
