//! Where the policy's own prices come from.

use alloy_primitives::Address;
use async_trait::async_trait;

use crate::domain::{pool::Pool, units::Price};

/// What a token is worth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Worth {
    /// USD per whole token.
    pub(crate) price: Price,
    /// Digits of one whole token.
    pub(crate) decimals: u8,
}

/// Prices as this worker reads them itself, whatever the database says.
#[async_trait]
pub(crate) trait Appraiser: Send + Sync {
    /// USD per whole native coin.
    async fn native_usd(&self) -> Result<Price, String>;

    /// USD per whole token, and its digits: of the best pool, or of `pool` if none is found.
    async fn token_usd(&self, token: Address, quote: Address, pool: Option<Pool>) -> Result<Worth, String>;
}
