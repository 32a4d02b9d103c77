//! Requests on jobs.

pub mod adopt;
pub mod alive;
pub mod basket;
pub mod chart;
pub mod config;
mod deadline;
pub mod export;
pub mod left;
pub mod lifecycle;
pub mod list;
pub mod logs;
pub mod next;
pub mod order;
pub mod overview;
pub mod pnl;
mod recorded;
pub mod release;
pub mod replay;
pub mod sale;
pub mod selected;
pub mod start;
pub mod status;
pub mod taken_out;
pub mod tick;
pub mod trades;
