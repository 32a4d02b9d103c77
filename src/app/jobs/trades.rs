//! Trades of one job or of all.

use std::cmp::Reverse;

use alloy_primitives::Address;
use serde::Serialize;

use super::export::{JobChoice, Period};
use crate::{
    app::{
        App, AppError,
        whole::{Whole, checksum},
    },
    config::Settings,
    domain::{
        Timestamp,
        decision::{Reason, Side},
        ids::{JobId, TradeId},
        job::Realm,
        trade::TradeStatus,
        units::{Price, Usd},
        zone::Zone,
    },
    store::{
        moves,
        views::{self, TradeFilter, TradeRow},
    },
};

/// A trade in one line. Amounts are in whole tokens, exact.
#[derive(Debug, Clone, Serialize)]
pub struct TradeLine {
    pub trade: TradeId,
    pub job: JobId,
    pub symbol: String,
    pub realm: Realm,
    pub chain: String,
    #[serde(serialize_with = "checksum")]
    pub wallet: Address,
    #[serde(serialize_with = "checksum")]
    pub token_address: Address,
    pub quote_currency: String,
    #[serde(serialize_with = "checksum")]
    pub quote_address: Address,
    pub cycle: i32,
    pub slot: Timestamp,
    /// Zone of the job's schedule.
    pub timezone: Zone,
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
            realm: row.realm,
            chain: row.chain.clone(),
            wallet: row.wallet,
            token_address: row.token_address,
            quote_currency: row.quote.0.clone(),
            quote_address: row.quote.1,
            cycle: row.cycle,
            slot: row.slot,
            timezone: row.timezone,
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

/// The order of trades. Equal ones are ordered by number, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TradeOrder {
    /// Newest first.
    #[default]
    Trade,
    /// By ticker.
    Token,
    /// By what the trade was for.
    Reason,
    /// By status.
    Status,
    /// Highest price first.
    Price,
    /// What was paid or received, highest first.
    Value,
    /// Most gas first.
    Gas,
    /// Highest gain first; buys last.
    Realised,
}

impl TradeOrder {
    fn sort(self, lines: &mut [TradeLine]) {
        match self {
            Self::Trade => {}
            Self::Token => lines.sort_by_key(|line| line.symbol.to_lowercase()),
            Self::Reason => lines.sort_by_key(|line| line.reason.to_string()),
            Self::Status => lines.sort_by_key(|line| line.status.to_string()),
            Self::Price => lines.sort_by_key(|line| Reverse(line.price_usd)),
            Self::Value => lines.sort_by_key(|line| Reverse(line.quote_usd)),
            Self::Gas => lines.sort_by_key(|line| Reverse(line.gas_usd)),
            Self::Realised => {
                lines.sort_by_key(|line| Reverse(line.realized_usd.filter(|_| line.side == Side::Sell)))
            }
        }
    }
}

/// Trades, and how many fit.
#[derive(Debug)]
pub struct Trades {
    pub lines: Vec<TradeLine>,
    pub all: i64,
}

/// The newest trades of these jobs in this period, at most `limit`, in this order.
pub async fn newest(
    app: &App,
    choice: &JobChoice,
    period: Period,
    (limit, order): (i64, TradeOrder),
) -> Result<Trades, AppError> {
    let filter = filter(app, choice, period, limit).await?;
    let rows = views::trades(&app.pool, &filter).await?;
    let shown = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let all = if shown < limit {
        shown
    } else {
        views::count_trades(&app.pool, &filter).await?
    };
    let mut lines: Vec<TradeLine> = rows
        .iter()
        .map(|row| TradeLine::new(row, &app.settings))
        .collect();
    order.sort(&mut lines);
    Ok(Trades { lines, all })
}

/// Trades of these jobs in this period, newest first: at most `limit` of those before `before`.
pub async fn page(
    app: &App,
    choice: &JobChoice,
    period: Period,
    (before, limit): (Option<TradeId>, i64),
) -> Result<Vec<TradeLine>, AppError> {
    let filter = TradeFilter {
        before,
        ..filter(app, choice, period, limit).await?
    };
    let rows = views::trades(&app.pool, &filter).await?;
    Ok(rows
        .iter()
        .map(|row| TradeLine::new(row, &app.settings))
        .collect())
}

async fn filter(app: &App, choice: &JobChoice, period: Period, limit: i64) -> Result<TradeFilter, AppError> {
    let jobs = if choice.is_all() {
        None
    } else {
        let parties = moves::parties(&app.pool).await?;
        let chosen = choice.of(&parties, &app.settings)?;
        Some(chosen.iter().map(|party| party.job).collect())
    };
    Ok(TradeFilter {
        jobs,
        from: period.from,
        until: period.until,
        limit: Some(limit),
        ..TradeFilter::default()
    })
}
