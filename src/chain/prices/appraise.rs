//! Prices of the native coin for the engine, and of both sides of a swap for the policy.

use alloy_primitives::Address;
use async_trait::async_trait;
use futures::join;

use super::{
    OnchainPrices,
    feed::{FeedPrice, Native},
};
use crate::{
    chain::{
        contracts::Erc20,
        multicall::Read,
        native_price::NativePrice,
        policy::appraiser::{Appraiser, Worth},
    },
    domain::{config::SourceName, onchain::UsdPrice, pool::Pool, units::Price},
    ports::{PoolPriceRequest, PoolPrices, RpcError},
};

impl OnchainPrices {
    fn said(&self, native: Result<Native, String>) -> Result<UsdPrice, RpcError> {
        let FeedPrice { usd, updated_at } =
            native
                .and_then(|native| native.price)
                .map_err(|detail| RpcError {
                    endpoint: self.spec().name.clone(),
                    detail,
                })?;
        Ok(UsdPrice {
            price: usd,
            source: "chainlink",
            at: updated_at,
        })
    }
}

#[async_trait]
impl NativePrice for OnchainPrices {
    async fn native_usd(&self) -> Result<UsdPrice, RpcError> {
        self.said(self.native().await)
    }

    async fn native_usd_at(&self, block: u64) -> Result<UsdPrice, RpcError> {
        self.said(self.native_at(Some(block)).await)
    }
}

#[async_trait]
impl Appraiser for OnchainPrices {
    async fn native_usd(&self) -> Result<Price, String> {
        self.native().await?.price.map(|price| price.usd)
    }

    async fn token_usd(&self, token: Address, quote: Address, pool: Option<Pool>) -> Result<Worth, String> {
        let request = |pool| PoolPriceRequest {
            token,
            quote,
            pool,
            decimals: None,
            source: SourceName::Onchain,
        };
        let one = async |request: PoolPriceRequest| {
            let answer = self.pool_prices(&[request]).await.pop();
            answer
                .ok_or_else(|| "not asked".to_owned())?
                .map_err(|missing| missing.to_string())
        };
        let asked = [token];
        let digits = [Read::new(token, &Erc20::decimalsCall {})];
        // Read for this signature alone, and in one round trip.
        let (best, readings) = join!(one(request(None)), self.read(&digits));
        let seen = match (best, pool) {
            (Err(_), Some(pool)) => one(request(Some(pool))).await?,
            (best, _) => best?,
        };
        let decimals = self.digits(&asked, &readings?).get(&token).copied();
        let price = Price::new(seen.price_usd).map_err(|error| error.to_string())?;
        Ok(Worth {
            price,
            decimals: decimals.ok_or_else(|| format!("{token} does not report its decimals"))?,
        })
    }
}
