//! What happens in the demo, told from the ledger: fills and failures, changes of status, and trades that outlive the
//! process which worked on them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    app::{
        context::App,
        error::AppError,
        jobs::list::{ListRequest, Listing, list},
        whole::Whole,
    },
    domain::{
        decision::{Reason, Side},
        ids::{JobId, TradeId},
        job::JobStatus,
        trade::TradeStatus,
        units::{Price, Usd},
    },
    store::{
        evidence,
        views::{self, AttemptRow, TradeFilter, TradeRow},
    },
};

/// Trades that one look reads, newest first: more than jobs with a slot a second plan between two looks.
const NEWEST: i64 = 500;

/// Something that happened since the last look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// A trade was filled.
    Filled {
        symbol: String,
        side: Side,
        reason: Reason,
        tokens: Whole,
        usd: Usd,
        price: Price,
    },
    /// A trade ended without a fill.
    Unfilled {
        symbol: String,
        side: Side,
        /// The kind of failure; none for a plan that was dropped before anything was signed.
        failure: Option<String>,
    },
    /// A job's status changed.
    Status {
        symbol: String,
        before: JobStatus,
        now: JobStatus,
    },
    /// A trade ended that a killed worker had been working on.
    TakenOver(TakenOver),
}

/// How a trade ended whose worker was killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenOver {
    pub symbol: String,
    pub side: Side,
    /// Number of the worker that was killed last over it.
    pub killed: usize,
    /// Number of the worker that worked on it last, if that is known.
    pub by: Option<usize>,
    /// Nonce of its swap when the worker was killed; none if it had none yet.
    pub nonce_then: Option<u64>,
    /// Every nonce that swaps of the trade ever used.
    pub nonces: BTreeSet<u64>,
    /// Fills of the trade that stand in the ledger.
    pub fills: usize,
}

/// A trade that a killed worker had been working on and that is still open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InHand {
    pub trade: TradeId,
    pub symbol: String,
    pub side: Side,
    /// Nonce of its swap; none while none is recorded.
    pub nonce: Option<u64>,
}

/// The jobs now, and what happened since the last look.
#[derive(Debug)]
pub struct Look {
    pub listing: Listing,
    pub happened: Vec<Happened>,
}

/// What the feed has shown already.
#[derive(Debug, Default)]
pub struct Story {
    told: BTreeSet<TradeId>,
    statuses: BTreeMap<JobId, JobStatus>,
    left: BTreeMap<TradeId, Left>,
}

/// A trade whose worker was killed.
#[derive(Debug, Clone, Copy)]
struct Left {
    killed: usize,
    nonce: Option<u64>,
}

impl Story {
    /// What happened since the last look. `last_worker`: number of the worker that worked on a trade last.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub async fn look(&mut self, app: &App, last_worker: &HashMap<TradeId, usize>) -> Result<Look, AppError> {
        let listing = list(app, &ListRequest::default()).await?;
        let filter = TradeFilter {
            limit: Some(NEWEST),
            ..TradeFilter::default()
        };
        let mut rows = views::trades(&app.pool, &filter).await?;
        rows.retain(|row| is_final(row.status) && !self.told.contains(&row.id));
        rows.sort_by_key(|row| (row.executed_at.unwrap_or(row.created_at), row.id));
        let mut happened = Vec::new();
        for row in rows {
            self.told.insert(row.id);
            happened.push(ended(&row));
            if let Some(left) = self.left.remove(&row.id) {
                let by = last_worker.get(&row.id).copied();
                happened.push(Happened::TakenOver(taken_over(app, &row, left, by).await?));
            }
        }
        for line in &listing.lines {
            let before = self.statuses.insert(line.job, line.status);
            if let Some(before) = before.filter(|before| *before != line.status) {
                happened.push(Happened::Status {
                    symbol: line.symbol.clone(),
                    before,
                    now: line.status,
                });
            }
        }
        Ok(Look { listing, happened })
    }

    /// Notes that a worker was killed which had been the last to work on these trades; returns those still open.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub async fn killed(
        &mut self,
        app: &App,
        worker: usize,
        trades: &BTreeSet<TradeId>,
    ) -> Result<Vec<InHand>, AppError> {
        let filter = TradeFilter {
            open: true,
            ..TradeFilter::default()
        };
        let mut found = Vec::new();
        for row in views::trades(&app.pool, &filter).await? {
            if !trades.contains(&row.id) {
                continue;
            }
            let nonce = swap_nonces(&views::attempts(&app.pool, row.id).await?).pop_last();
            self.left.insert(
                row.id,
                Left {
                    killed: worker,
                    nonce,
                },
            );
            found.push(InHand {
                trade: row.id,
                symbol: row.symbol,
                side: row.side,
                nonce,
            });
        }
        Ok(found)
    }
}

const fn is_final(status: TradeStatus) -> bool {
    matches!(
        status,
        TradeStatus::Executed | TradeStatus::Failed | TradeStatus::Dropped
    )
}

fn ended(row: &TradeRow) -> Happened {
    match row.quote_usd {
        Some(usd) if row.status == TradeStatus::Executed => Happened::Filled {
            symbol: row.symbol.clone(),
            side: row.side,
            reason: row.reason,
            tokens: Whole::new(row.base_amount, row.decimals.0),
            usd,
            price: row.price,
        },
        _ => Happened::Unfilled {
            symbol: row.symbol.clone(),
            side: row.side,
            failure: row.failure.clone(),
        },
    }
}

async fn taken_over(app: &App, row: &TradeRow, left: Left, by: Option<usize>) -> Result<TakenOver, AppError> {
    let attempts = views::attempts(&app.pool, row.id).await?;
    let fills = evidence::fills_by_hash(&app.pool).await?;
    let of_it = fills.keys().map(ToString::to_string);
    let filled = of_it.filter(|hash| attempts.iter().any(|attempt| attempt.hash == *hash));
    Ok(TakenOver {
        symbol: row.symbol.clone(),
        side: row.side,
        killed: left.killed,
        by: by.filter(|by| *by != left.killed),
        nonce_then: left.nonce,
        nonces: swap_nonces(&attempts),
        fills: filled.count(),
    })
}

fn swap_nonces(attempts: &[AttemptRow]) -> BTreeSet<u64> {
    let swaps = attempts.iter().filter(|attempt| attempt.purpose == "swap");
    swaps.map(|attempt| attempt.nonce).collect()
}
