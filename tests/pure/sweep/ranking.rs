//! Ranking, and doubts about the best.

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use chrono::{DateTime, TimeDelta};
use lgi_mm::{
    backtest::{
        Detail, PricePoint, Setup,
        grid::Grid,
        result::Summary,
        run,
        sweep::{self, Candidate, SortBy},
    },
    domain::{
        config::JobConfig,
        job::JobMode,
        span::Span,
        units::{Price, Usd},
    },
    paper::PaperSettings,
};
use rust_decimal::Decimal;

fn grid(texts: &[&str]) -> Grid {
    Grid::new(texts.iter().map(|text| text.parse().expect("a range")).collect()).expect("a grid")
}

fn summary(rate: Option<f64>, profit: i64, buys: u64) -> Summary {
    Summary {
        money_weighted_pct: rate,
        net_usd: Usd::new(Decimal::from(profit)).expect("USD"),
        buys,
        ..Summary::default()
    }
}

fn ranked(grid: &Grid, profits: &[i64], buys: u64) -> Vec<Candidate> {
    let summaries = profits
        .iter()
        .map(|profit| summary(None, *profit, buys))
        .collect();
    sweep::ranked(grid, summaries, SortBy::Net)
}

#[test]
fn the_highest_rate_is_first_and_none_is_last() {
    let grid = grid(&["a.b=1..4:1"]);
    let all = vec![
        summary(Some(-3.0), 9, 50),
        summary(None, 99, 50),
        summary(Some(12.5), 1, 50),
        summary(Some(f64::NEG_INFINITY), 2, 50),
    ];
    let order = |by| -> Vec<String> {
        sweep::ranked(&grid, all.clone(), by)
            .into_iter()
            .flat_map(|candidate| candidate.values)
            .collect()
    };
    assert_eq!(order(SortBy::MoneyWeighted), ["3", "1", "4", "2"]);
    assert_eq!(order(SortBy::Net), ["2", "1", "4", "3"]);
}

#[test]
fn a_best_in_the_middle_of_many_trades_is_not_doubted() {
    let grid = grid(&["a.b=1..3:1", "c.d=1..3:1"]);
    let ranked = ranked(&grid, &[1, 2, 3, 4, 9, 5, 3, 2, 1], 40);
    assert_eq!(sweep::doubts(&grid, &ranked, SortBy::Net), Vec::<String>::new());
}

#[test]
fn a_best_on_the_edge_is_doubted() {
    let grid = grid(&["a.b=1..3:1", "c.d=5m..15m:5m"]);
    let ranked = ranked(&grid, &[1, 2, 3, 4, 5, 6, 3, 8, 9], 40);
    let doubts = sweep::doubts(&grid, &ranked, SortBy::Net);
    assert_eq!(doubts.len(), 2, "{doubts:?}");
    assert!(doubts[0].starts_with("a.b = 3 is the last value"), "{doubts:?}");
    assert!(doubts[1].starts_with("c.d = 15m is the last value"), "{doubts:?}");
}

#[test]
fn a_key_that_changes_nothing_few_trades_and_a_loss_are_told() {
    let grid = grid(&["a.b=1..3:1", "c.d=7..7:1"]);
    let ranked = ranked(&grid, &[-2, -2, -2], 3);
    let doubts = sweep::doubts(&grid, &ranked, SortBy::Net);
    assert_eq!(doubts.len(), 3, "{doubts:?}");
    assert!(doubts[0].starts_with("a.b makes no difference"), "{doubts:?}");
    assert!(doubts[1].contains("is based on 3 trades"), "{doubts:?}");
    assert!(doubts[2].contains("has no gain"), "{doubts:?}");
}

fn rows(seconds: impl IntoIterator<Item = i64>) -> Vec<PricePoint> {
    seconds
        .into_iter()
        .map(|second| PricePoint {
            at: DateTime::UNIX_EPOCH + TimeDelta::seconds(second),
            price: Price::ONE,
        })
        .collect()
}

#[test]
fn folds_are_equal_in_time_and_hold_every_row_once() {
    let rows = rows((0..=100).chain([400, 500]));
    let count = |folds| {
        let folds = sweep::folds(&rows, NonZeroUsize::new(folds).expect("some"));
        assert_eq!(folds.concat(), rows);
        folds.iter().map(|fold| fold.len()).collect::<Vec<_>>()
    };
    assert_eq!(count(1), [103]);
    assert_eq!(count(2), [101, 2]);
    assert_eq!(count(5), [100, 1, 2], "two fifths have no row");
    assert_eq!(sweep::folds(&[], NonZeroUsize::MIN), Vec::<&[PricePoint]>::new());
}

/// The common time of both is 100 to 400: what is before it is in no part, what comes after it in the last one.
#[test]
fn folds_of_several_series_are_of_the_time_that_they_have_in_common() {
    let (long, late) = (rows((0..=500).step_by(10)), rows((100..=400).step_by(50)));
    let folds = |count| sweep::folds_together(&[&long, &late], NonZeroUsize::new(count).expect("some"));
    let seconds = |rows: &[PricePoint]| {
        let at = |row: Option<&PricePoint>| row.map(|row| row.at.timestamp());
        (at(rows.first()), at(rows.last()))
    };
    let spans: Vec<_> = folds(3)
        .iter()
        .map(|fold| [seconds(fold[0]), seconds(fold[1])])
        .collect();
    let span = |from, to| (Some(from), Some(to));
    assert_eq!(
        spans,
        [
            [span(100, 190), span(100, 150)],
            [span(200, 290), span(200, 250)],
            [span(300, 500), span(300, 400)],
        ]
    );
    // A part in which one has no price is none: tenths of 300 seconds at 100, 150, 200 ..
    assert_eq!(folds(10).len(), 7);
    assert_eq!(sweep::folds_together(&[&long, &[]], NonZeroUsize::MIN).len(), 0);
    // In the second third each has a row, but they have no time in common.
    let (early, later) = (rows([0, 1_200, 2_400, 3_600]), rows([0, 2_300, 3_600]));
    let thirds = sweep::folds_together(&[&early, &later], NonZeroUsize::new(3).expect("some"));
    assert_eq!(thirds.len(), 2, "{thirds:?}");
    let after = rows(600..700);
    assert_eq!(
        sweep::folds_together(&[&long, &after], NonZeroUsize::MIN).len(),
        0
    );
}

#[test]
fn a_walk_forward_tries_the_best_of_each_fold_on_the_next() {
    let grid = grid(&["a.b=1..3:1"]);
    let folds = [[5, 1, 0], [2, 9, 4], [7, 8, 6]].map(|profits| ranked(&grid, &profits, 20));
    let steps = sweep::walk_forward(&folds);
    assert_eq!(steps.len(), 2);
    let told: Vec<(&str, i64, usize, &str)> = steps
        .iter()
        .map(|step| {
            let got = i64::try_from(step.out_of_sample.net_usd.decimal().mantissa()).expect("small");
            (
                step.chosen.values[0].as_str(),
                got,
                step.rank,
                step.hindsight.values[0].as_str(),
            )
        })
        .collect();
    assert_eq!(told, [("1", 2, 3, "2"), ("2", 8, 1, "2")]);
    assert!(steps.iter().all(|step| step.of == 3));
}

#[test]
fn a_sweep_comes_to_the_same_on_one_core_and_on_many() {
    let mut rows = rows((0..400).map(|hour| hour * 3_600));
    for (row, cents) in rows.iter_mut().zip((0..).map(|i: i64| 100 + (i * 37) % 60)) {
        row.price = Price::new(Decimal::new(cents, 2)).expect("a price");
    }
    let setups: Vec<Setup> = (1..=12)
        .map(|amount| {
            let mut config = JobConfig::for_mode(JobMode::Accumulate);
            config.schedule.cron = "0 * * * *".parse().expect("a cron line");
            if let Some(rules) = config.rules.accumulate_mut() {
                rules.dca_amount_usd = Usd::new(Decimal::from(amount)).expect("USD");
            }
            Setup {
                stands_for: Span::from_secs(3_600),
                ..Setup::new(JobMode::Accumulate, config, PaperSettings::default())
            }
        })
        .collect();
    let counted = AtomicUsize::new(0);
    let mut all = [1, 2, 7, 64].map(|threads| {
        let threads = NonZeroUsize::new(threads).expect("some");
        let count = || {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        sweep::run_all(&setups, &rows, threads, &count, &AtomicBool::new(false))
    });
    assert_eq!(counted.into_inner(), 4 * 12);
    for (summary, setup) in all[0].iter().zip(&setups) {
        assert_eq!(
            *summary,
            run(setup, Detail::SUMMARY, rows.iter().copied()).summary
        );
        assert!(summary.buys > 10, "{summary:?}");
    }
    let first = std::mem::take(&mut all[0]);
    assert_ne!(first.first(), first.last(), "the setups differ");
    assert!(all[1..].iter().all(|other| *other == first));
}
