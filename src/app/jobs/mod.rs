//! Requests on jobs.

pub mod lifecycle;
pub mod list;
pub mod status;
pub mod tick;
pub mod trades;
