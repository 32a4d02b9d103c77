//! Commands for experiments, without a database.

pub mod backtest;
pub mod prices;
