//! Requests on jobs.

pub mod alive;
pub mod config;
pub mod export;
pub mod lifecycle;
pub mod list;
pub mod logs;
pub mod next;
pub mod pnl;
mod recorded;
pub mod replay;
pub mod sale;
pub mod selected;
pub mod start;
pub mod status;
pub mod tick;
pub mod trades;
