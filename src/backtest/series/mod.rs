//! Price series: a CSV file, read as often as needed and loaded into memory only for a sweep, or rows in
//! memory.

mod check;
mod csv;
mod options;
mod problems;
mod rows;
mod until;

pub use self::csv::{CsvSeries, parse_instant};
pub use options::{CandleTime, ReadOptions};
pub use problems::{NAMED_MAX, Problem, Problems, SeriesError};
pub use rows::{Rows, Series};
pub use until::Until;
