//! The command as a user meets it: help, views and errors as snapshots, bad input as tables.
#![expect(clippy::expect_used, reason = "what cannot go on in a test fails it")]

mod audit;
mod backtest;
mod bad_input;
mod bad_settings;
mod editor;
mod help;
mod life;
mod policy;
mod prices;
mod replay;
mod sweep;
mod terminal;
mod views;
mod wallets;
