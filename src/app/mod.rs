//! The application: every request that a face can make, from typed request to typed view.
//!
//! A face (the command line, an HTTP API, a chat) parses a request, calls one function here and renders its view. It
//! knows no SQL, no store and no rule. Each function that writes takes an [`Actor`] and leaves an audit row: in
//! `job_events` for a job, else in `audit`. A write to a file (keystore, policy) while no database is open is only
//! logged, at `info`.

mod actor;
pub(crate) mod adopt;
pub mod audit;
pub(crate) mod backtest;
pub(crate) mod changes;
pub(crate) mod chat;
pub mod connections;
pub(crate) mod console;
mod context;
pub(crate) mod costs;
pub mod database;
pub mod demo;
pub mod devnet;
pub mod doctor;
mod error;
mod face;
pub(crate) mod fleet;
mod given;
pub mod health;
pub(crate) mod history;
pub mod info;
pub(crate) mod init;
pub(crate) mod jobs;
pub mod keep;
pub(crate) mod message;
pub(crate) mod name;
pub mod paper;
pub mod policy;
pub(crate) mod pools;
pub(crate) mod preflight;
pub(crate) mod prices;
pub mod prune;
pub mod receivers;
pub(crate) mod reconcile;
pub(crate) mod repeats;
pub mod services;
mod settings_file;
pub(crate) mod signals;
pub mod target;
mod ticker;
pub(crate) mod tokens;
mod trail;
pub mod unit;
pub mod wallets;
pub(crate) mod whole;
pub(crate) mod withdraw;

pub use self::{
    actor::Actor,
    context::{App, redacted},
    error::{AppError, ErrorKind},
    target::Target,
};
