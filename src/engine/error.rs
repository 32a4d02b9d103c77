//! Why a step failed.

use crate::{
    domain::{ids::TradeId, trade::IllegalTrade, units::MoneyError},
    ports::{NoMarket, QuoteError, RpcError, SignError},
    store::{StoreError, endings::BookError},
};

/// A step that failed. It left nothing half done and may be retried.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The ledger.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A fill contradicts the ledger.
    #[error(transparent)]
    Book(BookError),
    /// This process cannot trade for the account.
    #[error(transparent)]
    Market(#[from] NoMarket),
    /// The chain did not answer.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The venue gave no calldata.
    #[error(transparent)]
    Quote(#[from] QuoteError),
    /// The key could not be used.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The ledger contradicts itself.
    #[error("trade {trade}: {source}")]
    Illegal {
        /// The trade.
        trade: TradeId,
        /// The contradiction.
        source: IllegalTrade,
    },
    /// A number is out of range.
    #[error("trade arithmetic: {0}")]
    Money(#[from] MoneyError),
}

impl From<BookError> for EngineError {
    fn from(error: BookError) -> Self {
        match error {
            BookError::Store(error) => Self::Store(error),
            error => Self::Book(error),
        }
    }
}
