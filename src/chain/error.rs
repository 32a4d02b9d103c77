//! Failed requests to nodes.

use alloy_primitives::Bytes;

use crate::ports::RpcError;

/// A request without a usable result.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// A node refused the request, or the call reverts.
    #[error("{endpoint}: {message}")]
    Node {
        /// The node, without credentials.
        endpoint: String,
        /// JSON-RPC error code; 3 is a revert.
        code: i64,
        /// Message, sanitized and truncated.
        message: String,
        /// Revert data, if any.
        data: Option<Bytes>,
    },
    /// No node gave a usable answer.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

impl CallError {
    /// Converts to the port's error, where the kind of failure does not matter.
    #[must_use]
    pub fn into_rpc(self) -> RpcError {
        match self {
            Self::Node {
                endpoint, message, ..
            } => RpcError {
                endpoint,
                detail: message,
            },
            Self::Rpc(error) => error,
        }
    }
}
