//! How a local chain is started.

use std::path::PathBuf;

use crate::domain::span::Span;

/// How blocks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BlockTime {
    /// One for each transaction, at once.
    #[default]
    OnTransaction,
    /// One per interval, 1s or more.
    Every(Span),
    /// Only on request.
    OnDemand,
}

/// How a local chain is started.
#[derive(Debug, Clone, Default)]
pub struct DevnetOptions {
    /// Directory with `node_modules` of `scripts/contracts`.
    pub contracts: PathBuf,
    /// A state to begin with; made there if it is missing. None: deployed again.
    pub state: Option<PathBuf>,
    /// Port; 0 for any.
    pub port: u16,
    /// How blocks are made once everything is deployed.
    pub block_time: BlockTime,
}
