//! All that jobs moved, as rows for books and taxes.

mod choice;
mod line;
mod names;
mod period;

use std::collections::HashMap;

use futures::StreamExt;

use self::{line::Context, names::Names};
use crate::{
    app::{App, AppError},
    domain::{
        Timestamp,
        decision::Side,
        ids::JobId,
        job::Realm,
        lots::Lots,
        trade::TradeStatus,
        units::{MoneyError, Usd},
    },
    store::moves::{self, Move, MoveKind, Party},
};

pub use self::{
    choice::JobChoice,
    line::{ExportLine, RowKind},
    period::Period,
};

/// What to export.
#[derive(Debug, Clone, Default)]
pub struct ExportRequest {
    /// Of these jobs.
    pub jobs: JobChoice,
    /// What happened in this period.
    pub period: Period,
    /// Also what moved nothing: open and failed trades, dust that was written down, budgets.
    pub all: bool,
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Rows.
    pub rows: u64,
    /// Whether a paper job would have fitted, had paper been asked for.
    pub paper_left_out: bool,
}

/// Hands each row to `take`, oldest first. The cost of each sale depends on all that came before it, so the history is
/// read from its beginning whatever the period; the rows are not collected.
pub async fn each(
    app: &App,
    request: &ExportRequest,
    mut take: impl FnMut(&ExportLine) -> Result<(), AppError>,
) -> Result<Exported, AppError> {
    let parties = moves::parties(&app.pool).await?;
    let chosen = request.jobs.of(&parties, &app.settings)?;
    let by_number: HashMap<JobId, &Party> = chosen.iter().map(|party| (party.job, *party)).collect();
    let names = Names::of(&parties, &app.settings);
    let numbers: Vec<i64> = chosen.iter().map(|party| party.job.0).collect();
    let mut books = Books::default();
    let mut rows = 0_u64;
    let until = request
        .period
        .until
        .unwrap_or(Timestamp::MAX_UTC)
        .min(last_instant());
    let mut history = moves::moves(&app.pool, &numbers, until);
    while let Some(moved) = history.next().await {
        let moved = moved?;
        let Some(party) = by_number.get(&moved.job) else {
            continue;
        };
        let broken = |error: MoneyError| {
            AppError::Internal(format!(
                "the history of job {} does not add up: {error}",
                party.job
            ))
        };
        let fifo = books.book(&moved).map_err(broken)?;
        let context = Context {
            party,
            names: &names,
            settings: &app.settings,
        };
        let line = ExportLine::new(&moved, &context, fifo).map_err(broken)?;
        if request.period.has(moved.at) && (request.all || line.moved()) {
            take(&line)?;
            rows = rows.saturating_add(1);
        }
    }
    Ok(Exported {
        rows,
        paper_left_out: request.jobs.realm == Some(Realm::Live)
            && parties.iter().any(|party| party.realm() == Realm::Paper),
    })
}

/// The last instant that the database can compare with.
fn last_instant() -> Timestamp {
    Timestamp::from_timestamp(i64::from(u32::MAX), 0).unwrap_or(Timestamp::MAX_UTC)
}

/// The lots of each job's newest cycle: a cycle begins with nothing.
#[derive(Default)]
struct Books {
    lots: HashMap<JobId, (i32, Lots)>,
}

impl Books {
    /// What the oldest tokens had cost that this takes, if it takes any.
    fn book(&mut self, moved: &Move) -> Result<Option<Usd>, MoneyError> {
        let (cycle, lots) = self.lots.entry(moved.job).or_default();
        if *cycle != moved.cycle {
            (*cycle, *lots) = (moved.cycle, Lots::default());
        }
        let amount = moved.base.unwrap_or_default();
        let cost = moved.quote_usd.unwrap_or(Usd::ZERO);
        match (moved.kind, moved.side, moved.status) {
            (MoveKind::Trade, Some(Side::Buy), Some(TradeStatus::Executed)) | (MoveKind::Adopt, ..) => {
                lots.add(amount, cost);
                Ok(None)
            }
            (MoveKind::Trade, Some(Side::Sell), Some(TradeStatus::Executed))
            | (MoveKind::Withdraw | MoveKind::Dust, ..) => lots.take(amount),
            _ => Ok(None),
        }
    }
}
