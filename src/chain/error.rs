//! A request to a node that brought no usable result.

use alloy_primitives::Bytes;

use crate::ports::RpcError;

/// A request without a usable result.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// A node answered that it will not, or that the call reverts.
    #[error("{endpoint}: {message}")]
    Node {
        /// Who answered, without credentials.
        endpoint: String,
        /// JSON-RPC error code; 3 is a revert.
        code: i64,
        /// Its words, cleaned and capped.
        message: String,
        /// Revert data, if any.
        data: Option<Bytes>,
    },
    /// No node gave a usable answer.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

impl CallError {
    /// As an error of the port, where what the node said makes no difference.
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
