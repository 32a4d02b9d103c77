//! Commands on one job, or on all of them.

pub mod adopt;
mod alive;
pub mod basket;
pub mod config;
pub mod export;
mod filters;
pub mod lifecycle;
pub mod list;
pub mod logs;
mod next;
pub mod order;
mod place;
pub mod pnl;
mod questions;
pub mod replay;
pub mod selection;
pub mod start;
pub mod status;
pub mod tick;
pub mod trades;
