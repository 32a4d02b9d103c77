//! Files of prices: which columns are time and price, and the notations of both. The one reader of backtests and of the
//! source `recorded`, so that both accept the same files.

mod cursor;
mod layout;
mod names;
mod number;
mod problem;
mod record;
mod sequence;
mod time;

pub use layout::{INVENTED, Layout, PriceRow, SOURCE};
pub use problem::{LayoutProblem, RowProblem, shown};
pub use sequence::{Ends, Order, Place, Spacing, Spacings};
pub use time::{FIRST, instant};
