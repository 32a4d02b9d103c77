//! Where the price of a chain's native coin comes from.

use async_trait::async_trait;

use crate::{domain::onchain::UsdPrice, ports::RpcError};

/// A source of the native coin's price.
#[async_trait]
pub trait NativePrice: Send + Sync {
    /// USD per whole native coin.
    async fn native_usd(&self) -> Result<UsdPrice, RpcError>;

    /// The same in the state of `block`.
    async fn native_usd_at(&self, block: u64) -> Result<UsdPrice, RpcError>;
}
