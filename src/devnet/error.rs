//! Errors of the local chain, each with the fix.

use std::{io, path::PathBuf};

use alloy_primitives::B256;

/// The local chain could not be started or used.
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
    /// anvil could not be started.
    #[error("{program} cannot be run: {source}; it comes with `npm ci` in scripts/contracts")]
    NoAnvil {
        /// The operation.
        program: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// It runs and does not listen in time.
    #[error(
        "anvil does not listen: the port is taken, or anvil is missing; it comes with `npm ci` in scripts/contracts"
    )]
    NotListening,
    /// It refused a request.
    #[error("{method}: {detail}")]
    Rpc {
        /// Name.
        method: &'static str,
        /// Its message.
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
