//! Commands for experiments and for prices, without a database.

pub mod backtest;
pub mod init;
pub mod prices;
