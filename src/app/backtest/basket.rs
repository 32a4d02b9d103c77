//! Runs the members of a basket over a file of prices each.

use std::{path::PathBuf, sync::atomic::AtomicBool};

use super::{
    BacktestRequest, SweepRequest, Swept, WalkForward,
    request::unreadable,
    sweep::{SweepLine, SweepStep, folds_together},
};
use crate::app::message::{Field, message};
use crate::{
    app::AppError,
    backtest::{
        Detail, PricePoint, Setup,
        basket::{self, BasketResult, Charted, Member},
        grid::Grid,
        series::{ReadOptions, Rows},
        sweep,
    },
    config::{MemberGiven, Settings},
    domain::{job::JobMode, units::MoneyError},
    report,
};

/// Decimals of a token that does not say.
const USUAL_DECIMALS: u8 = 18;

/// What a report of a basket is drawn from.
pub const BASKET_DRAWN: Detail = Detail {
    points_max: report::BASKET_POINTS_MAX,
    ..Detail::REPORT
};

#[derive(Debug)]
pub struct BasketRequest {
    /// A file of prices for each member, in the same order.
    pub prices: Vec<PathBuf>,
    pub read: ReadOptions,
    pub members: Vec<MemberGiven>,
}

/// Runs the members side by side; with what charts are drawn from, if `detail` asks for it. `more`: assignments of one
/// configuration of a sweep, for all members. It ends early once `stop` is set: what came of it means nothing then.
pub fn run_basket(
    settings: &Settings,
    request: &BasketRequest,
    (more, detail): (&[String], Detail),
    stop: &AtomicBool,
) -> Result<(BasketResult, Charted), AppError> {
    let series = request.series()?;
    let setups = request.setups(settings, more)?;
    basket::run(&members(&setups, &series), detail, stop).map_err(|error| out_of_range(&error))
}

/// Runs every configuration of the grid, each for all members. It ends early once `stop` is set, as a run does.
pub fn sweep_basket(
    settings: &Settings,
    request: &BasketRequest,
    asked: SweepRequest,
    (progress, stop): (&dyn Fn(usize), &AtomicBool),
) -> Result<Swept, AppError> {
    let series = request.series()?;
    let grid =
        Grid::new(asked.axes).map_err(|error| message![Field::Sweep, format!(": {error}")].bad_input())?;
    let folds = asked
        .walk_forward
        .map(|count| folds(&series, count))
        .transpose()?;
    let places = grid.places();
    let parts = folds.as_ref().map_or(0, Vec::len);
    let total = places.len().saturating_mul(parts.saturating_add(1));
    let over = |series: &[Rows]| {
        let mut summaries = Vec::with_capacity(places.len());
        for place in &places {
            let setups = request.setups(settings, &grid.assignments(place))?;
            let summary = basket::summary(&members(&setups, series), stop);
            summaries.push(summary.map_err(|error| out_of_range(&error))?);
            progress(total);
        }
        Ok::<_, AppError>(sweep::ranked(&grid, summaries, asked.sort_by))
    };
    let ranked = over(&series)?;
    let walk_forward = match folds {
        Some(folds) => {
            let each: Vec<_> = folds.iter().map(|fold| over(fold)).collect::<Result<_, _>>()?;
            Some(WalkForward {
                folds: folds
                    .iter()
                    .filter_map(|fold| sweep::common(&rows(fold)))
                    .collect(),
                steps: sweep::walk_forward(&each).iter().map(SweepStep::new).collect(),
            })
        }
        None => None,
    };
    Ok(Swept {
        keys: grid.axes().iter().map(|axis| axis.key.clone()).collect(),
        sort_by: asked.sort_by,
        configurations: ranked.iter().map(SweepLine::of).collect(),
        warnings: sweep::doubts(&grid, &ranked, asked.sort_by),
        walk_forward,
        best: None,
    })
}

fn rows(series: &[Rows]) -> Vec<&[PricePoint]> {
    series.iter().map(|one| one.rows.as_slice()).collect()
}

/// The series of all members in each of `count` parts of equal time.
fn folds(series: &[Rows], count: u16) -> Result<Vec<Vec<Rows>>, AppError> {
    let each = rows(series);
    let part = |fold: Vec<&[PricePoint]>| {
        let pairs = series.iter().zip(fold);
        pairs
            .map(|(one, rows)| Rows {
                summary: one.summary.clone(),
                rows: rows.to_vec(),
            })
            .collect()
    };
    Ok(folds_together(&each, count)?.into_iter().map(part).collect())
}

fn members<'a>(setups: &'a [Setup], series: &'a [Rows]) -> Vec<Member<'a>> {
    let pairs = setups.iter().zip(series);
    pairs.map(|(setup, series)| Member { setup, series }).collect()
}

fn out_of_range(error: &MoneyError) -> AppError {
    AppError::Usage(format!("the basket's sums: {error}; use smaller budgets"))
}

impl BasketRequest {
    fn each(&self) -> Result<Vec<BacktestRequest>, AppError> {
        let (files, members) = (self.prices.len(), self.members.len());
        if files != members {
            let problem = format!(
                ": {files} files for the {members} members of the basket; give one for each, in the order of [[member]]"
            );
            return Err(message![Field::Prices, problem].bad_input());
        }
        let pairs = self.prices.iter().zip(&self.members);
        Ok(pairs
            .map(|(prices, member)| BacktestRequest {
                prices: prices.clone(),
                read: self.read,
                given: member.given.clone(),
                mode: Some(JobMode::Basket),
                decimals: member.decimals.unwrap_or(USUAL_DECIMALS),
                symbol: member.symbol.clone(),
                sells: None,
            })
            .collect())
    }

    fn series(&self) -> Result<Vec<Rows>, AppError> {
        let each = self.each()?.into_iter();
        each.map(|one| one.open()?.load().map_err(unreadable)).collect()
    }

    /// Whether each member's configuration can be run. `more`: assignments on top.
    pub(super) fn check(&self, settings: &Settings, more: &[String]) -> Result<(), AppError> {
        self.setups(settings, more).map(drop)
    }

    fn setups(&self, settings: &Settings, more: &[String]) -> Result<Vec<Setup>, AppError> {
        let each = self.each()?.into_iter();
        each.map(|one| one.setup_of(settings, JobMode::Basket, more))
            .collect()
    }
}
