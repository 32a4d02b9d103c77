//! Many configurations over one series, and whether the best holds out of sample.

use std::{num::NonZeroUsize, sync::atomic::AtomicBool, thread};

use rust_decimal::Decimal;
use serde::Serialize;

use super::request::{BacktestRequest, unreadable};
use crate::app::message::{Field, message};
use crate::{
    app::AppError,
    backtest::{
        Detail, PricePoint, Setup, backtest,
        grid::{Axis, Grid, Place},
        result::{BacktestResult, Interval, Summary},
        series::{Rows, Until},
        sweep::{self, Candidate, SortBy, WalkForwardStep},
    },
    config::Settings,
    domain::units::Usd,
};

#[derive(Debug)]
pub struct SweepRequest {
    /// Ranges of values, crossed with each other.
    pub axes: Vec<Axis>,
    pub sort_by: SortBy,
    /// Parts to split history into, from 2; none: no walk-forward test.
    pub walk_forward: Option<u16>,
    /// What to keep of the best configuration's run; none: it is not run again.
    pub best: Option<Detail>,
    /// Configurations that run at the same time; none: one on each core.
    pub threads: Option<NonZeroUsize>,
}

/// One configuration and its figures.
#[derive(Debug, Serialize)]
pub struct SweepLine {
    /// In the order of the keys.
    pub values: Vec<String>,
    pub money_weighted_pct: Option<f64>,
    pub return_pct: Option<Decimal>,
    pub net_usd: Usd,
    pub drawdown_pct: Decimal,
    pub money_in_usd: Usd,
    pub buys: u64,
    pub sells: u64,
}

impl SweepLine {
    fn new(values: &[String], summary: &Summary) -> Self {
        Self {
            values: values.to_vec(),
            money_weighted_pct: summary.money_weighted_pct,
            return_pct: summary.return_pct,
            net_usd: summary.net_usd,
            drawdown_pct: summary.drawdown.pct,
            money_in_usd: summary.money_in_usd,
            buys: summary.buys,
            sells: summary.sells,
        }
    }

    pub(super) fn of(candidate: &Candidate) -> Self {
        Self::new(&candidate.values, &candidate.summary)
    }
}

/// The best of one part, tested on the next.
#[derive(Debug, Serialize)]
pub struct SweepStep {
    pub chosen: SweepLine,
    pub out_of_sample: SweepLine,
    /// Where the chosen one stands among all on the next part, from 1.
    pub rank: usize,
    pub of: usize,
    /// The best of the next part.
    pub hindsight: SweepLine,
}

impl SweepStep {
    pub(super) fn new(step: &WalkForwardStep) -> Self {
        Self {
            out_of_sample: SweepLine::new(&step.chosen.values, &step.out_of_sample),
            chosen: SweepLine::of(&step.chosen),
            rank: step.rank,
            of: step.of,
            hindsight: SweepLine::of(&step.hindsight),
        }
    }
}

#[derive(Debug, Serialize)]
pub struct WalkForward {
    /// What each part spans; each part starts with no position and no samples.
    pub folds: Vec<Interval>,
    pub steps: Vec<SweepStep>,
}

#[derive(Debug, Serialize)]
pub struct Swept {
    pub keys: Vec<String>,
    pub sort_by: SortBy,
    /// Best first.
    pub configurations: Vec<SweepLine>,
    pub warnings: Vec<String>,
    pub walk_forward: Option<WalkForward>,
    /// The run of the best configuration, if requested.
    #[serde(skip)]
    pub best: Option<BacktestResult>,
}

impl Swept {
    /// The best configuration, as assignments; empty if there is none.
    #[must_use]
    pub fn best_assignments(&self) -> Vec<String> {
        let values = self.configurations.first().map(|best| best.values.iter());
        let pairs = self.keys.iter().zip(values.into_iter().flatten());
        pairs.map(|(key, value)| format!("{key}={value}")).collect()
    }

    /// The same with the best `most` configurations alone.
    pub fn best_of(&self, most: usize) -> impl Serialize {
        #[derive(Serialize)]
        struct Best<'a> {
            keys: &'a [String],
            sort_by: SortBy,
            configurations: &'a [SweepLine],
            warnings: &'a [String],
            walk_forward: &'a Option<WalkForward>,
        }
        // A new field does not compile before it has its place here.
        let Self {
            keys,
            sort_by,
            configurations,
            warnings,
            walk_forward,
            best: _,
        } = self;
        Best {
            keys,
            sort_by: *sort_by,
            configurations: configurations.get(..most).unwrap_or(configurations),
            warnings,
            walk_forward,
        }
    }
}

/// Runs every configuration of the grid. `progress` is called after each run, from any thread, with the total number.
pub fn sweep(
    settings: &Settings,
    request: &BacktestRequest,
    sweep: SweepRequest,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Swept, AppError> {
    sweep_until(settings, request, sweep, (progress, &AtomicBool::new(false)))
}

/// The same, given up once `stop` is set: what it answers then is worth nothing.
pub fn sweep_until(
    settings: &Settings,
    request: &BacktestRequest,
    sweep: SweepRequest,
    (progress, stop): (&(dyn Fn(usize) + Sync), &AtomicBool),
) -> Result<Swept, AppError> {
    let SweepRequest {
        axes,
        sort_by,
        walk_forward,
        best,
        threads,
    } = sweep;
    let series = request.open()?.load().map_err(unreadable)?;
    let rows = series.rows.as_slice();
    let mode = request.mode(&axes)?;
    let grid = Grid::new(axes).map_err(|error| message![Field::Sweep, format!(": {error}")].bad_input())?;
    let make = |more: &[String]| request.setup(settings, mode, more);
    let setups = setups(&grid, &series, make)?;
    let folds = walk_forward.map(|count| folds(rows, count)).transpose()?;
    let parts = folds.as_ref().map_or(0, Vec::len);
    let total = setups.len().saturating_mul(parts.saturating_add(1));
    let tries = Tries {
        setups,
        grid,
        by: sort_by,
        threads: threads
            .or_else(|| thread::available_parallelism().ok())
            .unwrap_or(NonZeroUsize::MIN),
        done: &|| progress(total),
        stop,
    };
    let ranked = tries.over(rows);
    let walk_forward = folds.map(|folds| {
        let each: Vec<Vec<Candidate>> = folds.iter().map(|fold| tries.over(fold)).collect();
        WalkForward {
            folds: folds.iter().filter_map(|fold| span(fold)).collect(),
            steps: sweep::walk_forward(&each).iter().map(SweepStep::new).collect(),
        }
    });
    let assignments = ranked.first().map(|best| tries.grid.assignments(&best.place));
    let best = match best {
        Some(detail) => {
            let setup = make(&assignments.unwrap_or_default())?;
            let series = Until {
                series: &series,
                stop,
            };
            Some(backtest(&setup, detail, &series).map_err(unreadable)?)
        }
        None => None,
    };
    Ok(Swept {
        keys: tries.grid.axes().iter().map(|axis| axis.key.clone()).collect(),
        sort_by,
        configurations: ranked.iter().map(SweepLine::of).collect(),
        warnings: sweep::doubts(&tries.grid, &ranked, sort_by),
        walk_forward,
        best,
    })
}

fn setups(
    grid: &Grid,
    series: &Rows,
    make: impl Fn(&[String]) -> Result<Setup, AppError>,
) -> Result<Vec<Setup>, AppError> {
    let one = |place: &Place| {
        let setup = make(&grid.assignments(place))?;
        Ok(Setup {
            stands_for: setup.stands_for.max(series.summary.spacing),
            ..setup
        })
    };
    grid.places().iter().map(one).collect()
}

/// Every configuration, ready to run.
struct Tries<'a> {
    setups: Vec<Setup>,
    grid: Grid,
    by: SortBy,
    threads: NonZeroUsize,
    done: &'a (dyn Fn() + Sync),
    stop: &'a AtomicBool,
}

impl Tries<'_> {
    fn over(&self, rows: &[PricePoint]) -> Vec<Candidate> {
        let summaries = sweep::run_all(&self.setups, rows, self.threads, self.done, self.stop);
        sweep::ranked(&self.grid, summaries, self.by)
    }
}

fn folds(rows: &[PricePoint], count: u16) -> Result<Vec<&[PricePoint]>, AppError> {
    let folds = folds_together(&[rows], count)?;
    Ok(folds.into_iter().flatten().collect())
}

/// `count` parts of equal time, each with rows of every series that have some time in common.
pub(super) fn folds_together<'a>(
    series: &[&'a [PricePoint]],
    count: u16,
) -> Result<Vec<Vec<&'a [PricePoint]>>, AppError> {
    let wanted = NonZeroUsize::new(count.into()).unwrap_or(NonZeroUsize::MIN);
    let folds = sweep::folds_together(series, wanted);
    if folds.len() < wanted.get() {
        let problem = format!(
            " {count}: the prices fill {} of {count} parts of equal time; take fewer parts",
            folds.len()
        );
        return Err(message![Field::WalkForward, problem].bad_input());
    }
    Ok(folds)
}

fn span(rows: &[PricePoint]) -> Option<Interval> {
    Some(Interval {
        from: rows.first()?.at,
        to: rows.last()?.at,
    })
}
