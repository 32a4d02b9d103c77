//! Trades of one job or of all.

use serde::Serialize;

use crate::{
    app::{App, AppError, Target, target, whole::Whole},
    config::Settings,
    domain::{
        Timestamp,
        decision::{Reason, Side},
        ids::{JobId, TradeId},
        job::Realm,
        trade::TradeStatus,
        units::{Price, Usd},
    },
    store::views::{self, TradeFilter, TradeRow},
};

/// A trade in one line. Amounts are in whole tokens, exact.
#[derive(Debug, Clone, Serialize)]
pub struct TradeLine {
    pub trade: TradeId,
    pub job: JobId,
    pub symbol: String,
    pub chain: String,
    pub cycle: i32,
    pub slot: Timestamp,
    pub side: Side,
    pub reason: Reason,
    pub status: TradeStatus,
    pub base_amount: Whole,
    pub quote_amount: Whole,
    pub price_usd: Price,
    pub quote_usd: Option<Usd>,
    pub gas_usd: Usd,
    pub cost_basis_sold_usd: Option<Usd>,
    pub realized_usd: Option<Usd>,
    pub tx_hash: Option<String>,
    /// The transaction's page in the chain's explorer; live trades only.
    pub link: Option<String>,
    pub failure_kind: Option<String>,
    pub error: Option<String>,
    /// What an open trade waits for.
    pub note: Option<String>,
    pub created_at: Timestamp,
    pub executed_at: Option<Timestamp>,
}

impl TradeLine {
    pub(super) fn new(row: &TradeRow, settings: &Settings) -> Self {
        let explorer = settings.chain(&row.chain).ok().map(|chain| chain.explorer_tx);
        let explorer = explorer.filter(|page| row.realm == Realm::Live && !page.is_empty());
        Self {
            link: explorer.zip(row.tx_hash.as_ref()).map(|(page, hash)| page + hash),
            trade: row.id,
            job: row.job,
            symbol: row.symbol.clone(),
            chain: row.chain.clone(),
            cycle: row.cycle,
            slot: row.slot,
            side: row.side,
            reason: row.reason,
            status: row.status,
            base_amount: Whole::new(row.base_amount, row.decimals.0),
            quote_amount: Whole::new(row.quote_amount, row.decimals.1),
            price_usd: row.price,
            quote_usd: row.quote_usd,
            gas_usd: row.gas_usd,
            cost_basis_sold_usd: row.cost_sold,
            realized_usd: row.realized,
            tx_hash: row.tx_hash.clone(),
            failure_kind: row.failure.clone(),
            error: row.error.clone(),
            note: row.note.clone(),
            created_at: row.created_at,
            executed_at: row.executed_at,
        }
    }
}

/// The newest trades, newest first; at most `limit`, or all.
pub async fn newest(
    app: &App,
    target: Option<&Target>,
    limit: Option<i64>,
) -> Result<Vec<TradeLine>, AppError> {
    let job = match target {
        Some(target) => Some(target::find(&app.pool, target).await?.id),
        None => None,
    };
    let filter = TradeFilter {
        job,
        open: false,
        limit,
    };
    let rows = views::trades(&app.pool, &filter).await?;
    Ok(rows
        .iter()
        .map(|row| TradeLine::new(row, &app.settings))
        .collect())
}

/// All trades, oldest first.
pub async fn ledger(app: &App, target: Option<&Target>) -> Result<Vec<TradeLine>, AppError> {
    let mut lines = newest(app, target, None).await?;
    lines.reverse();
    Ok(lines)
}
