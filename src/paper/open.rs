//! Wallets that are used for the first time: created and funded.

use alloy_primitives::Address;
use chrono::DateTime;
use sqlx::PgPool;

use super::{
    error::{PaperError, texts, to_i64},
    settings::PaperSettings,
};
use crate::domain::{Timestamp, chains::ChainInfo, onchain::Asset};

/// 2020-01-01: block 0 of every paper chain.
const GENESIS_UNIX_SECS: i64 = 1_577_836_800;

/// Creates and funds wallets unless they exist.
pub(super) async fn open(
    pool: &PgPool,
    chain: &ChainInfo,
    wallets: &[Address],
    settings: &PaperSettings,
) -> Result<(), PaperError> {
    let millis = u64::try_from(settings.block_time.std().as_millis()).unwrap_or(u64::MAX);
    let (assets, amounts): (Vec<String>, Vec<String>) = [
        (Asset::Native, settings.wallet_native()),
        (Asset::Token(chain.usdc), settings.wallet_usdc()),
    ]
    .into_iter()
    .map(|(asset, amount)| (asset.to_string(), amount.to_string()))
    .unzip();
    // In the order of their addresses: processes that open the same ones wait for each other one way only.
    sqlx::query!(
        "WITH made AS (
             INSERT INTO paper.chains (name, genesis, block_millis) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING
         ), opened AS (
             INSERT INTO paper.wallets (chain, address, next_block_at)
             SELECT $1, address, now() FROM unnest($4::text[]) AS u (address) ORDER BY address
             ON CONFLICT (chain, address) DO NOTHING RETURNING address
         )
         INSERT INTO paper.balances (chain, address, asset, amount)
         SELECT $1, o.address, f.asset, f.amount::numeric
         FROM opened o CROSS JOIN unnest($5::text[], $6::text[]) AS f (asset, amount)",
        chain.name,
        DateTime::from_timestamp(GENESIS_UNIX_SECS, 0).unwrap_or(Timestamp::UNIX_EPOCH),
        to_i64("chains.block_millis", millis)?,
        &texts(wallets.iter().copied()),
        &assets,
        &amounts,
    )
    .execute(pool)
    .await?;
    Ok(())
}
