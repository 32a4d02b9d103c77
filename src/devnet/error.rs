//! Why there is no local chain, and what to do about it.

use std::{io, path::PathBuf};

use alloy_primitives::B256;

/// A local chain that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DevnetError {
    /// A file of the npm packages.
    #[error(
        "{path}: {detail}; install the contracts with `npm ci` in scripts/contracts, or set LGI_MM_CONTRACTS"
    )]
    Artifact {
        /// Name.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// anvil itself.
    #[error("{program} cannot be run: {source}; it comes with `npm ci` in scripts/contracts")]
    NoAnvil {
        /// What was tried.
        program: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// It runs and does not listen.
    #[error(
        "anvil does not listen: the port is taken, or anvil is missing; it comes with `npm ci` in scripts/contracts"
    )]
    NotListening,
    /// It refused a request.
    #[error("{method}: {detail}")]
    Rpc {
        /// Name.
        method: &'static str,
        /// Its words.
        detail: String,
    },
    /// A step of the deployment reverted.
    #[error("transaction {hash} of the deployment reverted")]
    Reverted {
        /// Name.
        hash: B256,
    },
    /// A state file that cannot be used.
    #[error("{path}: {source}")]
    State {
        /// Name.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
}
