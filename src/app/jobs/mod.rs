//! Requests on jobs.

pub mod adopt;
pub mod alive;
pub mod config;
pub mod export;
mod given;
pub mod lifecycle;
pub mod list;
pub mod next;
pub mod pnl;
mod recorded;
pub mod release;
pub mod replay;
pub mod sale;
pub mod selected;
pub mod start;
pub mod status;
pub mod tick;
pub mod trades;
