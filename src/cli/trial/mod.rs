//! Commands that try something out, without a database.

pub mod backtest;
pub mod prices;
