//! Where the policy's own prices come from.

use alloy_primitives::Address;
use async_trait::async_trait;

use crate::domain::{pool::Pool, units::Price};

/// Prices as this worker reads them itself, whatever the database says.
#[async_trait]
pub(crate) trait Appraiser: Send + Sync {
    /// USD per whole native coin.
    async fn native_usd(&self) -> Result<Price, String>;

    /// USD per whole token, and its digits: of the best pool, or of `pool` if none is found.
    async fn token_usd(
        &self,
        token: Address,
        quote: Address,
        pool: Option<Pool>,
    ) -> Result<(Price, u8), String>;
}
