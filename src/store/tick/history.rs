//! What the ledger remembers of a job's prices, to be decided again.

use alloy_primitives::Address;
use futures::TryStreamExt;
use sqlx::PgPool;

use crate::domain::{Timestamp, units::Price};
use crate::store::{
    StoreError,
    columns::{lower, price},
};

/// The samples of one series that are still there, oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn samples(
    pool: &PgPool,
    chain: &str,
    token: Address,
    series: &str,
) -> Result<Vec<(Timestamp, Price)>, StoreError> {
    let mut rows = sqlx::query!(
        "SELECT observed_at, price FROM price_samples WHERE chain = $1 AND token = $2 AND series = $3
         ORDER BY observed_at",
        chain,
        lower(token),
        series,
    )
    .fetch(pool);
    let mut samples = Vec::new();
    while let Some(row) = rows.try_next().await? {
        samples.push((row.observed_at, price("price_samples.price", row.price)?));
    }
    Ok(samples)
}
