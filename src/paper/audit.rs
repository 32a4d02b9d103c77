//! What really happened, from the paper ledger's own records, to be compared with what ours says.

use alloy_primitives::{Address, B256};
use sqlx::PgPool;
use strum::{Display, EnumString};

use super::{
    error::{PaperError, hash, read, text, unsigned},
    mine::catch_up,
};
use crate::domain::{Timestamp, onchain::Asset, units::Amount};

/// The result of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum PaperStatus {
    /// Waits in the pool.
    Pooled,
    /// In a block, executed.
    Mined,
    /// In a block, reverted.
    Reverted,
    /// Another one with its nonce took its place in the pool.
    Replaced,
    /// Forgotten.
    Dropped,
}

/// A swap as the paper ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaperSwap {
    /// Transaction hash.
    pub hash: B256,
    /// Chain name.
    pub chain: String,
    /// Nonce of the wallet.
    pub nonce: u64,
    /// Its result.
    pub status: PaperStatus,
    /// What went out.
    pub token_in: Address,
    /// What came in.
    pub token_out: Address,
    /// How much went out, base units; zero unless it was mined and executed.
    pub amount_in: Amount,
    /// How much came in, base units; zero unless it was mined and executed.
    pub amount_out: Amount,
    /// What was paid for gas, wei; zero unless it is in a block.
    pub gas_native: Amount,
    /// Time of its block.
    pub mined_at: Option<Timestamp>,
}

/// What a wallet holds, and what swaps and gas changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetBalance {
    /// Chain name.
    pub chain: String,
    /// Description.
    pub asset: Asset,
    /// How much there is now, base units.
    pub balance: Amount,
    /// How much swaps brought, base units.
    pub received: Amount,
    /// How much swaps and gas took, base units.
    pub spent: Amount,
}

/// All swaps that `wallet` ever sent, on `chain` or everywhere, by chain and nonce. Cancels are no swaps.
///
/// # Errors
/// [`PaperError`].
pub async fn records(
    pool: &PgPool,
    chain: Option<&str>,
    wallet: Address,
) -> Result<Vec<PaperSwap>, PaperError> {
    mine_everywhere(pool, chain, wallet).await?;
    // Amounts from the logs, not from what was asked for.
    sqlx::query!(
        r#"SELECT t.hash, t.chain, t.nonce, t.status, t.token_in AS "token_in!", t.token_out AS "token_out!",
                  COALESCE(sum(l.amount) FILTER (WHERE l.from_address = t.sender), 0)::text AS "amount_in!",
                  COALESCE(sum(l.amount) FILTER (WHERE l.to_address = t.sender), 0)::text AS "amount_out!",
                  COALESCE(t.gas_native, 0)::text AS "gas_native!", t.block_time
           FROM paper.transactions t LEFT JOIN paper.transfers l ON l.tx_hash = t.hash
           WHERE t.sender = $1 AND ($2::text IS NULL OR t.chain = $2) AND t.kind = 'swap'
           GROUP BY t.hash ORDER BY t.chain, t.nonce, t.received_at"#,
        text(wallet),
        chain
    )
    .fetch_all(pool)
    .await?
    .into_iter()
    .map(|row| {
        Ok(PaperSwap {
            hash: hash("transactions.hash", &row.hash)?,
            chain: row.chain,
            nonce: unsigned("transactions.nonce", row.nonce)?,
            status: read("transactions.status", &row.status)?,
            token_in: read("transactions.token_in", &row.token_in)?,
            token_out: read("transactions.token_out", &row.token_out)?,
            amount_in: read("transfers.amount", &row.amount_in)?,
            amount_out: read("transfers.amount", &row.amount_out)?,
            gas_native: read("transactions.gas_native", &row.gas_native)?,
            mined_at: row.block_time,
        })
    })
    .collect()
}

/// What `wallet` holds and what it traded, for every asset it ever touched, on `chain` or everywhere.
///
/// # Errors
/// [`PaperError`].
pub async fn net_balances(
    pool: &PgPool,
    chain: Option<&str>,
    wallet: Address,
) -> Result<Vec<NetBalance>, PaperError> {
    mine_everywhere(pool, chain, wallet).await?;
    sqlx::query!(
        r#"WITH moved AS (
               SELECT t.chain, l.token AS asset, l.amount * (l.to_address = t.sender)::int AS received,
                      l.amount * (l.from_address = t.sender)::int AS spent
               FROM paper.transactions t JOIN paper.transfers l ON l.tx_hash = t.hash WHERE t.sender = $1
               UNION ALL
               SELECT t.chain, 'native', 0, t.gas_native FROM paper.transactions t
               WHERE t.sender = $1 AND t.gas_native IS NOT NULL
           ), sums AS (
               SELECT chain, asset, sum(received) AS received, sum(spent) AS spent FROM moved GROUP BY chain, asset
           )
           SELECT b.chain, b.asset, b.amount::text AS "amount!", COALESCE(s.received, 0)::text AS "received!",
                  COALESCE(s.spent, 0)::text AS "spent!"
           FROM paper.balances b LEFT JOIN sums s ON s.chain = b.chain AND s.asset = b.asset
           WHERE b.address = $1 AND ($2::text IS NULL OR b.chain = $2) ORDER BY b.chain, b.asset"#,
        text(wallet),
        chain
    )
    .fetch_all(pool)
    .await?
    .into_iter()
    .map(|row| {
        Ok(NetBalance {
            chain: row.chain,
            asset: read("balances.asset", &row.asset)?,
            balance: read("balances.amount", &row.amount)?,
            received: read("transfers.amount", &row.received)?,
            spent: read("transfers.amount", &row.spent)?,
        })
    })
    .collect()
}

async fn mine_everywhere(pool: &PgPool, chain: Option<&str>, wallet: Address) -> Result<(), PaperError> {
    let chains = sqlx::query_scalar!(
        "SELECT chain FROM paper.wallets WHERE address = $1 AND ($2::text IS NULL OR chain = $2)",
        text(wallet),
        chain
    )
    .fetch_all(pool)
    .await?;
    for chain in chains {
        catch_up(pool, &chain, &[wallet]).await?;
    }
    Ok(())
}
