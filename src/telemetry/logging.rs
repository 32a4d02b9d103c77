//! Log lines.

use std::{fmt::Display, io::IsTerminal, time::Instant};

use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

/// Says once that something is gone, and once that it is back.
#[derive(Debug)]
pub struct Outage {
    what: &'static str,
    since: Option<Instant>,
}

impl Outage {
    /// Nothing is wrong yet.
    #[must_use]
    pub const fn new(what: &'static str) -> Self {
        Self { what, since: None }
    }

    /// It failed. Only the first failure in a row is said.
    pub fn failed(&mut self, error: &dyn Display) {
        if self.since.is_none() {
            warn!(what = self.what, %error, "not available; trying on");
            self.since = Some(Instant::now());
        }
    }

    /// It worked. Only the first success after a failure is said.
    pub fn recovered(&mut self) {
        if let Some(since) = self.since.take() {
            info!(what = self.what, after = ?since.elapsed(), "available again");
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Libraries whose lines and spans show whole URLs, which may hold keys, and PostgreSQL's remarks that what a migration
/// makes is there already: whatever `RUST_LOG` says, only their warnings are logged.
const QUIET: [&str; 9] = [
    "sqlx::postgres::notice",
    "alloy_transport_http",
    "alloy_transport",
    "alloy_rpc_client",
    "reqwest",
    "hyper",
    "hyper_util",
    "h2",
    "rustls",
];

/// Sends log lines to standard error. `RUST_LOG` overrides `filter`. A second call changes nothing.
pub fn init_logging(format: LogFormat, filter: &str) {
    let wanted = EnvFilter::try_from_default_env()
        .or_else(|_| EnvFilter::try_new(filter))
        .unwrap_or_default();
    let filter = QUIET
        .iter()
        .filter_map(|target| format!("{target}=warn").parse().ok());
    let filter = filter.fold(wanted, EnvFilter::add_directive);
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // Only a process that logs already refuses.
    let _ = match format {
        LogFormat::Human => logs.with_target(false).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
}
