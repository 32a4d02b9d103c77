//! What each mined transaction of an ended trade paid for gas.

use alloy_primitives::B256;
use sqlx::PgConnection;

use crate::domain::{
    Timestamp,
    ids::TradeId,
    units::{Amount, Usd},
};
use crate::store::StoreError;

/// The gas of one mined transaction, from its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GasPaid {
    /// The transaction.
    pub hash: B256,
    /// Executed rather than reverted.
    pub success: bool,
    /// Gas and an L2's data fee, wei.
    pub gas_native: Amount,
    /// The same in USD.
    pub gas_usd: Usd,
    /// Time of its block.
    pub mined_at: Timestamp,
}

/// Writes the gas of a trade that ends, as a round of its own: a reorg may open the trade again.
pub(in crate::store) async fn record(
    connection: &mut PgConnection,
    trade: TradeId,
    paid: &[GasPaid],
) -> Result<(), StoreError> {
    if paid.is_empty() {
        return Ok(());
    }
    let hashes: Vec<Vec<u8>> = paid.iter().map(|paid| paid.hash.to_vec()).collect();
    let success: Vec<bool> = paid.iter().map(|paid| paid.success).collect();
    let native: Vec<String> = paid.iter().map(|paid| paid.gas_native.to_string()).collect();
    let dollars: Vec<rust_decimal::Decimal> = paid.iter().map(|paid| paid.gas_usd.decimal()).collect();
    let mined_at: Vec<Timestamp> = paid.iter().map(|paid| paid.mined_at).collect();
    sqlx::query!(
        "INSERT INTO gas_paid (trade_id, round, tx_hash, success, gas_native, gas_usd, mined_at)
         SELECT $1, (SELECT COALESCE(max(round), 0) + 1 FROM gas_paid WHERE trade_id = $1),
                p.hash, p.success, p.native::numeric, p.dollars, p.mined_at
         FROM unnest($2::bytea[], $3::bool[], $4::text[], $5::numeric[], $6::timestamptz[])
              AS p(hash, success, native, dollars, mined_at)",
        trade.0,
        &hashes,
        &success,
        &native,
        &dollars,
        &mined_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}
