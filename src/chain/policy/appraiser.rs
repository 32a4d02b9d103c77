//! Independent prices for the policy.

use alloy_primitives::Address;
use async_trait::async_trait;

use crate::domain::{pool::Pool, units::Price};

/// Value of a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Worth {
    /// USD per whole token.
    pub(crate) price: Price,
    /// Decimals of the token.
    pub(crate) decimals: u8,
}

/// Prices that this worker reads itself, independent of the database.
#[async_trait]
pub(crate) trait Appraiser: Send + Sync {
    /// USD per whole native coin.
    async fn native_usd(&self) -> Result<Price, String>;

    /// USD per whole token, and its decimals: from the best pool, or from `pool` if none is found.
    async fn token_usd(&self, token: Address, quote: Address, pool: Option<Pool>) -> Result<Worth, String>;
}
