//! lgi-mm: a crash-proof trading runner. See ARCHITECTURE.md for the map and the invariants.

pub use lgi_mm_domain as domain;

pub mod api;
pub mod app;
pub mod backtest;
pub mod chain;
pub mod chat;
pub mod cli;
mod commands;
pub mod config;
pub mod devnet;
pub mod dump;
pub mod embedded;
pub mod engine;
pub mod failpoint;
pub mod mcp;
pub mod monitor;
pub mod notify;
pub mod paper;
pub mod ports;
pub mod prices;
pub mod report;
pub mod retention;
pub mod runner;
pub mod service;
pub mod store;
pub mod systemd;
pub mod telemetry;
pub mod trust;
pub mod version;
