//! Errors of the paper ledger, and conversions of its columns.

use std::str::FromStr;

use alloy_primitives::{Address, B256};

use crate::{
    domain::{chains::UnknownChain, units::MoneyError},
    ports::{QuoteError, RpcError, SendError},
    store::refusal::explain,
};

/// An error of the paper ledger.
#[derive(Debug, thiserror::Error)]
pub enum PaperError {
    /// Its database did not answer.
    #[error("paper ledger: {}", explain(.0))]
    Database(#[from] sqlx::Error),
    /// A column holds a value that its constraint should have refused.
    #[error("the paper ledger holds an impossible {column}: {value}; was it edited by hand?")]
    Corrupt {
        /// The column.
        column: &'static str,
        /// Its value.
        value: String,
    },
    /// The fault `down` is injected.
    #[error("the paper chain is down: this fault was injected")]
    Down,
    /// No such chain.
    #[error(transparent)]
    UnknownChain(#[from] UnknownChain),
    /// A balance would leave its range.
    #[error("the balance cannot become that: {0}")]
    Balance(#[from] MoneyError),
}

impl PaperError {
    /// As an error of a node without a usable answer.
    pub(super) fn into_rpc(self) -> RpcError {
        RpcError {
            endpoint: "paper".into(),
            detail: self.to_string(),
        }
    }
}

impl From<PaperError> for SendError {
    fn from(error: PaperError) -> Self {
        Self::Ambiguous(error.into_rpc())
    }
}

impl From<PaperError> for QuoteError {
    fn from(error: PaperError) -> Self {
        Self::Rpc(error.into_rpc())
    }
}

/// Reads a column of text.
pub(super) fn read<T: FromStr>(column: &'static str, text: &str) -> Result<T, PaperError> {
    text.parse().map_err(|_| corrupt(column, text))
}

/// Reads a column that is never negative.
pub(super) fn unsigned(column: &'static str, value: i64) -> Result<u64, PaperError> {
    u64::try_from(value).map_err(|_| corrupt(column, value))
}

/// A number that a bigint column holds.
pub(super) fn to_i64(column: &'static str, value: u64) -> Result<i64, PaperError> {
    i64::try_from(value).map_err(|_| corrupt(column, value))
}

pub(super) fn hash(column: &'static str, bytes: &[u8]) -> Result<B256, PaperError> {
    B256::try_from(bytes).map_err(|_| corrupt(column, alloy_primitives::hex::encode(bytes)))
}

pub(super) fn corrupt(column: &'static str, value: impl ToString) -> PaperError {
    PaperError::Corrupt {
        column,
        value: value.to_string(),
    }
}

/// Lower-case, as every address column is.
pub(super) fn text(address: Address) -> String {
    format!("{address:#x}")
}

pub(super) fn texts(addresses: impl IntoIterator<Item = Address>) -> Vec<String> {
    addresses.into_iter().map(text).collect()
}
