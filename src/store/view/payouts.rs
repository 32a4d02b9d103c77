//! Withdrawals for the books: what was taken out of a wallet, when, and what it cost.

use alloy_primitives::{Address, B256};
use rust_decimal::Decimal;
use sqlx::PgExecutor;

use crate::domain::{
    Timestamp,
    ids::WithdrawalId,
    job::Account,
    onchain::Asset,
    trade::TradeStatus,
    units::{Amount, Usd},
};
use crate::store::{
    StoreError,
    columns::{address, amount, hash, unsigned, usd, word},
};

/// A withdrawal, whether it has paid, has failed or is open.
#[derive(Debug, Clone, PartialEq)]
pub struct Payout {
    /// Row id.
    pub withdrawal: WithdrawalId,
    /// When its outcome was written down; of an open one, when it was ordered.
    pub at: Timestamp,
    /// The wallet.
    pub account: Account,
    /// What was paid.
    pub asset: Asset,
    /// Its ticker.
    pub symbol: String,
    /// Its decimals.
    pub decimals: u8,
    /// How much, base units.
    pub amount: Amount,
    /// Who was paid.
    pub receiver: Address,
    /// SUBMITTED, EXECUTED or FAILED.
    pub status: TradeStatus,
    /// Why it failed: the kind.
    pub failure: Option<String>,
    /// What it waits for, or why it failed.
    pub note: Option<String>,
    /// What the transaction was for that used its nonce: `transfer` or `cancel`; none if it is not ours, or open.
    pub purpose: Option<String>,
    /// The transaction that used its nonce.
    pub hash: Option<B256>,
    /// Gas, wei.
    pub gas_native: Amount,
    /// The same in USD.
    pub gas_usd: Usd,
    /// What was paid was worth in its block; none if nothing was, or if it has no price feed.
    pub value_usd: Option<Usd>,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// When its outcome was first written down.
    pub executed_at: Option<Timestamp>,
}

/// All withdrawals, before `until` if it is given, in the order in which they happened. There are few: an owner orders
/// each.
///
/// # Errors
/// [`StoreError`].
pub async fn payouts(
    executor: impl PgExecutor<'_>,
    until: Option<Timestamp>,
) -> Result<Vec<Payout>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT w.id, coalesce(w.executed_at, w.created_at) AS "at!", w.realm, w.chain, w.wallet::text AS "wallet!", w.asset,
                  w.symbol, w.decimals, w.amount::text AS "amount!", w.receiver::text AS "receiver!", w.status, w.failure_kind,
                  w.note, a.purpose AS "purpose?", w.tx_hash, w.gas_native::text AS "gas_native!",
                  w.gas_usd::numeric AS "gas_usd!: Decimal", w.value_usd::numeric AS "value_usd?: Decimal", w.created_at,
                  w.executed_at
           FROM withdrawals w LEFT JOIN attempts a ON a.hash = w.tx_hash
           WHERE $1::timestamptz IS NULL OR coalesce(w.executed_at, w.created_at) < $1
           ORDER BY 2, w.id"#,
        until
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|row| {
            let tx_hash = row.tx_hash.map(|bytes| hash("withdrawals.tx_hash", &bytes));
            let value = row.value_usd.map(|value| usd("withdrawals.value_usd", value));
            Ok(Payout {
                withdrawal: WithdrawalId(row.id),
                at: row.at,
                account: Account {
                    realm: word("withdrawals.realm", &row.realm)?,
                    chain: row.chain,
                    wallet: address("withdrawals.wallet", &row.wallet)?,
                },
                asset: word("withdrawals.asset", &row.asset)?,
                symbol: row.symbol,
                decimals: unsigned("withdrawals.decimals", row.decimals.into())?,
                amount: amount("withdrawals.amount", &row.amount)?,
                receiver: address("withdrawals.receiver", &row.receiver)?,
                status: word("withdrawals.status", &row.status)?,
                failure: row.failure_kind,
                note: row.note,
                purpose: row.purpose,
                hash: tx_hash.transpose()?,
                gas_native: amount("withdrawals.gas_native", &row.gas_native)?,
                gas_usd: usd("withdrawals.gas_usd", row.gas_usd)?,
                value_usd: value.transpose()?,
                created_at: row.created_at,
                executed_at: row.executed_at,
            })
        })
        .collect()
}
