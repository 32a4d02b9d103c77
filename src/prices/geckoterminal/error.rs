//! Why there is no history.

use std::time::Duration;

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The API has no name for the chain.
    #[error("GeckoTerminal: {0}")]
    Chain(String),
    /// It does not know the token or the pool.
    #[error("GeckoTerminal knows no {what} on {network}")]
    Unknown {
        /// The token or the pool, with its address.
        what: String,
        /// Its name of the chain.
        network: &'static str,
    },
    /// It could not be asked, or its answer is none.
    #[error("GeckoTerminal: {0}")]
    Source(String),
    /// It does not give this away.
    #[error("GeckoTerminal: {0}")]
    Denied(String),
    /// It asks to wait.
    #[error("GeckoTerminal allows no request for another {} s; run the command again then", .0.as_secs())]
    Later(Duration),
    /// What is kept on disk cannot be used.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// The error of the system.
        source: std::io::Error,
    },
}
