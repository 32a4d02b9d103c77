//! Price sources. They answer raw; what is believed is decided by `domain::price`.

mod book;
mod dexscreener;
mod generated;
mod rate_limit;
mod recorded;

pub use book::{PriceBook, series};
pub use dexscreener::{Dexscreener, DexscreenerSettings, TokenInfo};
