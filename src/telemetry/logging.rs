//! Log lines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// A log line about a job: its number, realm and ticker first, then what else there is to say. No span repeats them.
macro_rules! job_line {
    ($level:ident, $job:expr, $($rest:tt)+) => {
        tracing::$level!(
            job = $job.id.0, realm = %$job.account.realm, symbol = $job.token.symbol, $($rest)+
        )
    };
}
pub(crate) use job_line;

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
        // A line that cannot be written is lost: reporting that to the same closed terminal would panic.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    // Fails only if this process logs already.
    let _ = match format {
        LogFormat::Human => logs.with_target(false).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
}
