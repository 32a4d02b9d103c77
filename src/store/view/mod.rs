//! What people are shown.

pub mod alive;
pub mod census;
pub mod changes;
pub mod glance;
pub mod logs;
pub mod moves;
pub mod payouts;
pub mod pnl;
pub mod spending;
pub mod views;
