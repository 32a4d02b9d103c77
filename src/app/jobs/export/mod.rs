//! All that jobs moved, as rows for books and taxes.

mod choice;
mod line;
mod names;
mod payout;
mod period;
pub mod table;

use std::collections::HashMap;

use futures::StreamExt;

use self::{line::Context, names::Names};
use crate::{
    app::{App, AppError},
    domain::{
        decision::Side,
        ids::JobId,
        job::Realm,
        lots::Lots,
        trade::TradeStatus,
        units::{MoneyError, Usd},
    },
    store::{
        moves::{self, Move, MoveKind, Party},
        payouts,
    },
};

pub(in crate::app) use self::choice::check_chain;
pub(in crate::app::jobs) use self::period::read_zone;
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
    let mut paid = payouts::payouts(&app.pool, request.period.until).await?;
    paid.retain(|paid| request.jobs.has_payouts_of(&paid.account));
    let mut paid = paid.iter().peekable();
    let mut books = Books::default();
    let mut rows = 0_u64;
    let mut give = |line: &ExportLine| {
        if request.period.has(line.at) && (request.all || line.moved()) {
            rows = rows.saturating_add(1);
            take(line)?;
        }
        Ok::<_, AppError>(())
    };
    let mut history = moves::moves(&app.pool, &numbers, request.period.until);
    while let Some(moved) = history.next().await {
        let moved = moved?;
        while let Some(earlier) = paid.next_if(|paid| paid.at < moved.at) {
            give(&ExportLine::of_payout(earlier, &names, &app.settings))?;
        }
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
        give(&line)?;
    }
    for last in paid {
        give(&ExportLine::of_payout(last, &names, &app.settings))?;
    }
    Ok(Exported {
        rows,
        paper_left_out: request.jobs.realm == Some(Realm::Live) && {
            let paper = JobChoice {
                realm: Some(Realm::Paper),
                ..request.jobs.clone()
            };
            paper.of(&parties, &app.settings).is_ok_and(|fit| !fit.is_empty())
        },
    })
}

/// Most rows of an answer that is held in memory.
const HELD_MAX: usize = 50_000;

/// Rows in one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Csv,
    Json,
}

/// All rows at once, for a face that answers with one text.
///
/// # Errors
/// [`AppError::Refused`] for more than 50,000 rows.
pub async fn whole(app: &App, request: &ExportRequest, shape: Shape) -> Result<String, AppError> {
    let mut text = match shape {
        Shape::Csv => table::heading()?,
        Shape::Json => "[".to_owned(),
    };
    let mut rows = 0_usize;
    each(app, request, |line| {
        rows = rows.saturating_add(1);
        if rows > HELD_MAX {
            return Err(AppError::Refused(format!(
                "more than {HELD_MAX} rows: choose a shorter period, or export on the machine, where no answer is too long"
            )));
        }
        match shape {
            Shape::Csv => text.push_str(&table::row(line)?),
            Shape::Json => {
                let line =
                    serde_json::to_string(line).map_err(|error| AppError::Internal(error.to_string()))?;
                text.push_str(if rows == 1 { "\n" } else { ",\n" });
                text.push_str(&line);
            }
        }
        Ok(())
    })
    .await?;
    if shape == Shape::Json {
        text.push_str("\n]\n");
    }
    Ok(text)
}

/// The lots of each cycle of a job: a cycle begins with nothing. Rows of two cycles may alternate, as when a reorg
/// fills a trade of the last one.
#[derive(Default)]
struct Books {
    lots: HashMap<(JobId, i32), Lots>,
}

impl Books {
    /// What the oldest tokens had cost that this takes, if it takes any.
    fn book(&mut self, moved: &Move) -> Result<Option<Usd>, MoneyError> {
        let lots = self.lots.entry((moved.job, moved.cycle)).or_default();
        let amount = moved.base.unwrap_or_default();
        let cost = moved.quote_usd.unwrap_or(Usd::ZERO);
        match (moved.kind, moved.side, moved.status) {
            (MoveKind::Trade, Some(Side::Buy), Some(TradeStatus::Executed)) | (MoveKind::Adopt, ..) => {
                lots.add(amount, cost);
                Ok(None)
            }
            (MoveKind::Trade, Some(Side::Sell), Some(TradeStatus::Executed))
            | (MoveKind::Withdraw | MoveKind::Release | MoveKind::Dust, ..) => lots.take(amount),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        ids::TradeId,
        units::{Amount, Rounding},
    };

    fn row(cycle: i32, side: Side, status: TradeStatus, amount: u64, cost: i64) -> Move {
        Move {
            kind: MoveKind::Trade,
            at: chrono::DateTime::UNIX_EPOCH,
            job: JobId(1),
            trade: Some(TradeId(1)),
            hash: None,
            cycle,
            slot: None,
            side: Some(side),
            reason: None,
            status: Some(status),
            failure: None,
            note: None,
            purpose: None,
            base: Some(Amount::new(alloy_primitives::U256::from(amount))),
            quote: None,
            price: None,
            quote_usd: Some(Usd::rounded(cost.into(), Rounding::Down)),
            cost_sold: None,
            realized: None,
            gas_native: None,
            gas_usd: None,
            created_at: chrono::DateTime::UNIX_EPOCH,
            executed_at: None,
        }
    }

    /// After a reorg, rows of the last cycle come between those of the current one.
    #[test]
    fn each_cycle_has_lots_of_its_own_whatever_comes_in_between() {
        use {Side::*, TradeStatus::*};
        let mut books = Books::default();
        let costs: Vec<Option<Usd>> = [
            row(2, Buy, Executed, 10, 10),
            row(1, Buy, Failed, 7, 70),
            row(2, Buy, Executed, 10, 30),
            row(1, Buy, Executed, 4, 44),
            row(2, Sell, Executed, 15, 0),
            row(1, Sell, Executed, 4, 0),
        ]
        .iter()
        .filter_map(|row| books.book(row).ok())
        .collect();
        let usd = |whole: i64| Some(Usd::rounded(whole.into(), Rounding::Down));
        assert_eq!(costs, [None, None, None, None, usd(25), usd(44)]);
    }
}
