//! Files of prices: which columns are time and price, and the notations of both. The one reader of backtests and of the
//! source `recorded`, so that a file that one of them takes is good for the other.

mod layout;
mod problem;
mod text;

pub use layout::{Layout, PriceRow};
pub use problem::{LayoutProblem, RowProblem};
pub use text::instant;
