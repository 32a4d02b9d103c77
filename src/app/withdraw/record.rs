//! Withdrawals on record.

use alloy_primitives::{Address, B256};
use serde::Serialize;

use crate::{
    app::{
        context::App,
        error::AppError,
        whole::{Whole, checksum},
    },
    domain::{Timestamp, ids::WithdrawalId, trade::TradeStatus, units::Usd},
    store::withdrawals,
};

/// How many past withdrawals are listed.
const LISTED: i64 = 50;

/// A withdrawal on record.
#[derive(Debug, Serialize)]
pub struct WithdrawalView {
    pub withdrawal: WithdrawalId,
    pub chain: String,
    #[serde(serialize_with = "checksum")]
    pub wallet: Address,
    #[serde(serialize_with = "checksum")]
    pub receiver: Address,
    pub symbol: String,
    pub amount: Whole,
    pub status: TradeStatus,
    /// Whether its block is final.
    pub is_final: bool,
    /// The newest transaction that was signed for it.
    pub tx_hash: Option<B256>,
    pub gas_usd: Usd,
    /// What was paid was worth in its block; none if it is not paid, or has no price feed.
    pub value_usd: Option<Usd>,
    /// The key of its request.
    pub key: Option<String>,
    /// What it waits for, or why it failed.
    pub note: Option<String>,
    pub created_at: Timestamp,
}

impl WithdrawalView {
    /// What a face says of a withdrawal that paid nothing; `None` if it has paid or is open.
    #[must_use]
    pub fn failure(&self) -> Option<AppError> {
        (self.status == TradeStatus::Failed).then(|| {
            AppError::Refused(format!(
                "withdrawal {} failed and paid nothing: {}",
                self.withdrawal,
                self.note.as_deref().unwrap_or("its transaction was not mined")
            ))
        })
    }
}

pub(super) async fn view(app: &App, id: WithdrawalId) -> Result<WithdrawalView, AppError> {
    let found = withdrawals::load(&app.pool, id).await?;
    Ok(WithdrawalView {
        withdrawal: found.id,
        chain: found.account.chain,
        wallet: found.account.wallet,
        receiver: found.receiver,
        symbol: found.symbol,
        amount: Whole::new(found.amount, found.decimals),
        status: found.status,
        is_final: found.is_final,
        tx_hash: found.signed.last().map(|signed| signed.hash),
        gas_usd: found.gas_usd,
        value_usd: found.value_usd,
        key: found.request_key,
        note: found.note,
        created_at: found.created_at,
    })
}

/// Past withdrawals, newest first.
///
/// # Errors
/// [`AppError`] if the database fails.
pub async fn list(app: &App) -> Result<Vec<WithdrawalView>, AppError> {
    let mut views = Vec::new();
    for id in withdrawals::newest(&app.pool, LISTED).await? {
        views.push(view(app, id).await?);
    }
    Ok(views)
}
