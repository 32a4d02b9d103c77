//! The command as a user meets it: help, views and errors as snapshots, bad input as tables.
#![expect(clippy::expect_used, reason = "an error in a test's set-up fails the test")]

mod adopt;
mod audit;
mod backtest;
mod bad_input;
mod bad_settings;
mod completions;
mod editor;
mod export;
mod followed;
mod gecko;
mod help;
mod history;
mod info;
mod init;
mod keep;
mod life;
mod logs;
mod next;
mod order;
mod pnl;
mod policy;
mod prices;
mod replay;
mod schemas;
mod service;
mod several;
mod sweep;
mod tables;
mod terminal;
mod views;
mod wallets;
mod widths;
