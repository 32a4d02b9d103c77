//! Looks a token up at DexScreener.

use std::time::Duration;

use alloy_primitives::Address;

use crate::{
    app::{App, AppError},
    prices::TokenListing,
    store,
};

/// Longest wait for DexScreener.
const PATIENCE: Duration = Duration::from_secs(3);

/// DexScreener's data on a token, or why there is none.
pub(super) async fn look_up(
    app: &App,
    chain: &str,
    token: Address,
) -> Result<Result<TokenListing, String>, AppError> {
    let book = app.prices()?;
    let now = store::now(&app.pool).await?;
    let asked = tokio::time::timeout(PATIENCE, book.dexscreener().lookup(chain, token, now)).await;
    Ok(asked.map_or_else(
        |_| Err(format!("no answer within {} s", PATIENCE.as_secs())),
        |found| found.map_err(|error| error.to_string()),
    ))
}
