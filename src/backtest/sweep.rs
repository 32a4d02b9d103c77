//! Runs many configurations over one series, on all cores, ranks them and judges how robust the best is.

use std::{
    cmp::Ordering,
    num::NonZeroUsize,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering as Memory},
    },
    thread,
};

use serde::Serialize;

use super::{
    grid::{Grid, Place},
    result::{Interval, Summary},
    runner::run,
    setup::{Detail, PricePoint, Setup},
};
use crate::domain::{Timestamp, units::Usd};

/// A best configuration that traded less often is flagged as based on few trades.
pub const FEW_TRADES: u64 = 10;

/// Ranking criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SortBy {
    /// The highest money-weighted return; where there is no yearly rate, as for less than half a year, the highest
    /// return of the money in.
    #[default]
    MoneyWeighted,
    /// The highest net in USD.
    Net,
}

impl SortBy {
    /// Best first. A run without a return ranks below all others.
    #[must_use]
    pub fn compare(self, a: &Summary, b: &Summary) -> Ordering {
        match self {
            Self::MoneyWeighted => match (a.money_weighted_pct, b.money_weighted_pct) {
                (Some(a), Some(b)) => b.total_cmp(&a),
                (a, b) => b.is_some().cmp(&a.is_some()),
            }
            .then_with(|| b.return_pct.cmp(&a.return_pct))
            .then_with(|| b.net_usd.cmp(&a.net_usd)),
            Self::Net => b.net_usd.cmp(&a.net_usd),
        }
    }
}

/// One configuration and its result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// Its position in the grid.
    #[serde(skip)]
    pub place: Place,
    /// Its swept values, in the order of the keys.
    pub values: Vec<String>,
    /// Its summary.
    pub summary: Summary,
}

impl Candidate {
    /// Buys and sells.
    #[must_use]
    pub const fn trades(&self) -> u64 {
        self.summary.buys.saturating_add(self.summary.sells)
    }
}

/// Runs every setup over the same rows, `threads` at a time; results keep the order of the setups. `done` is called
/// after each, from any thread. Once `stop` is set, the rest reads no more rows, and all of it is worth nothing.
#[must_use]
pub fn run_all(
    setups: &[Setup],
    rows: &[PricePoint],
    threads: NonZeroUsize,
    done: &(dyn Fn() + Sync),
    stop: &AtomicBool,
) -> Vec<Summary> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::with_capacity(setups.len()));
    let work = || {
        while let Some((index, setup)) =
            Some(next.fetch_add(1, Memory::Relaxed)).and_then(|index| Some((index, setups.get(index)?)))
        {
            let summary = {
                let rows = rows.iter().copied();
                run(
                    setup,
                    Detail::SUMMARY,
                    rows.take_while(|_| !stop.load(Memory::Relaxed)),
                )
                .summary
            };
            found
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((index, summary));
            done();
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads.get().min(setups.len()) {
            scope.spawn(work);
        }
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_unstable_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, summary)| summary).collect()
}

/// The candidates of a grid, best first; equal ones keep the grid's order.
#[must_use]
pub fn ranked(grid: &Grid, summaries: Vec<Summary>, by: SortBy) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = grid
        .places()
        .into_iter()
        .zip(summaries)
        .map(|(place, summary)| Candidate {
            values: grid.values(&place),
            place,
            summary,
        })
        .collect();
    candidates.sort_by(|a, b| by.compare(&a.summary, &b.summary));
    candidates
}

/// Reasons to doubt the best, one sentence each.
#[must_use]
pub fn doubts(grid: &Grid, ranked: &[Candidate], by: SortBy) -> Vec<String> {
    let Some(best) = ranked.first() else {
        return Vec::new();
    };
    let mut doubts = Vec::new();
    for (number, axis) in grid.axes().iter().enumerate() {
        let Some(index) = best.place.get(number) else {
            continue;
        };
        let value = axis.values.get(*index).map_or("", String::as_str);
        let last = axis.values.len().saturating_sub(1);
        if last == 0 {
            continue;
        }
        if indifferent(number, best, ranked, by) {
            doubts.push(format!(
                "{} makes no difference to the best: all of its values give the same result",
                axis.key
            ));
        } else if *index == 0 || *index == last {
            doubts.push(format!(
                "{} = {value} is the {} value that was tried: the best may lie beyond it; widen the range",
                axis.key,
                if *index == 0 { "first" } else { "last" },
            ));
        }
    }
    if best.trades() < FEW_TRADES {
        doubts.push(format!(
            "the best is based on {} trade{}: too few to tell skill from luck; use a longer series",
            best.trades(),
            if best.trades() == 1 { "" } else { "s" },
        ));
    }
    if best.summary.net_usd <= Usd::ZERO {
        doubts.push("even the best has no gain: its net is not above zero".to_owned());
    }
    doubts
}

/// Whether this axis changes nothing when the other axes are fixed at the best.
fn indifferent(axis: usize, best: &Candidate, ranked: &[Candidate], by: SortBy) -> bool {
    let only_there = |other: &&Candidate| {
        let mut pairs = best.place.iter().zip(&other.place).enumerate();
        pairs.all(|(number, (a, b))| number == axis || a == b)
    };
    ranked
        .iter()
        .filter(only_there)
        .all(|other| by.compare(&best.summary, &other.summary) == Ordering::Equal)
}

/// Splits rows into `count` parts of equal time, oldest first. Parts without rows are skipped.
#[must_use]
pub fn folds(rows: &[PricePoint], count: NonZeroUsize) -> Vec<&[PricePoint]> {
    let folds = folds_together(&[rows], count);
    folds.into_iter().flatten().collect()
}

/// The same for several series, from the latest of their first rows to the earliest of their last ones: of each part
/// the rows of each series. Parts in which they have no time in common are skipped. The last one has all later rows.
#[must_use]
pub fn folds_together<'a>(series: &[&'a [PricePoint]], count: NonZeroUsize) -> Vec<Vec<&'a [PricePoint]>> {
    let Some(Interval {
        from: first,
        to: last,
    }) = common(series)
    else {
        return Vec::new();
    };
    let parts = i32::try_from(count.get()).unwrap_or(i32::MAX);
    let length = (last - first) / parts;
    let from =
        |start: Timestamp, rows: &'a [PricePoint]| rows.split_at(rows.partition_point(|row| row.at < start));
    let mut rest: Vec<&[PricePoint]> = series.iter().map(|rows| from(first, rows).1).collect();
    let mut folds = Vec::new();
    for part in 1..=parts {
        let end = first + length * part;
        let cut = |rows: &mut &'a [PricePoint]| {
            let (fold, later) = if part == parts {
                (*rows, &[][..])
            } else {
                from(end, rows)
            };
            *rows = later;
            fold
        };
        let fold: Vec<_> = rest.iter_mut().map(cut).collect();
        if common(&fold).is_some() {
            folds.push(fold);
        }
    }
    folds
}

/// The time that all of these series have in common: from the latest of their first rows to the earliest of their last
/// ones; `None`: there is none.
#[must_use]
pub fn common(series: &[&[PricePoint]]) -> Option<Interval> {
    let ends = |rows: &&[PricePoint]| Some((rows.first()?.at, rows.last()?.at));
    let ends: Vec<_> = series.iter().map(ends).collect::<Option<_>>()?;
    let from = ends.iter().map(|(first, _)| *first).max()?;
    let to = ends.iter().map(|(_, last)| *last).min()?;
    (from <= to).then_some(Interval { from, to })
}

/// One step of a walk-forward test: chosen on one fold, tested on the next.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WalkForwardStep {
    /// The best on the training fold.
    pub chosen: Candidate,
    /// The same configuration on the next fold.
    pub out_of_sample: Summary,
    /// Its rank among all configurations there; 1 is the best.
    pub rank: usize,
    /// Number of ranked configurations.
    pub of: usize,
    /// The best on that fold, known only afterwards.
    pub hindsight: Candidate,
}

/// Walk-forward steps from the candidates of each fold, best first.
#[must_use]
pub fn walk_forward(folds: &[Vec<Candidate>]) -> Vec<WalkForwardStep> {
    folds
        .windows(2)
        .filter_map(|pair| {
            let [chosen_on, tried_on] = pair else { return None };
            let chosen = chosen_on.first()?.clone();
            let index = tried_on.iter().position(|other| other.place == chosen.place)?;
            Some(WalkForwardStep {
                out_of_sample: tried_on.get(index)?.summary.clone(),
                chosen,
                rank: index.saturating_add(1),
                of: tried_on.len(),
                hindsight: tried_on.first()?.clone(),
            })
        })
        .collect()
}
