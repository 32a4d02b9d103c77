//! `backtest --sweep`: many configurations over one series, and whether the best holds out of sample.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use rust_decimal::Decimal;

use crate::{
    app::{
        AppError,
        backtest::{self, BacktestRequest, BasketRequest, SweepLine, SweepRequest, Swept, WalkForward},
    },
    backtest::{Detail, grid::Axis, result::BacktestResult, sweep::SortBy},
    cli::out::{Out, dollars, table, unwritable},
    config::Settings,
};

#[derive(Debug, Args)]
pub(super) struct SweepArgs {
    /// Try a range of values, KEY=FROM..TO:STEP, such as accumulate.dip_buy_threshold_pct=5..20:2.5; repeat to cross
    /// several keys
    #[arg(long, value_name = "KEY=A..B:STEP")]
    sweep: Vec<Axis>,
    /// With --sweep: ranking criterion
    #[arg(long, value_enum, default_value_t = SortArg::MoneyWeighted, requires = "sweep")]
    sort_by: SortArg,
    /// With --sweep: number of results to show
    #[arg(long, default_value_t = 10, requires = "sweep", value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    /// With --sweep: walk-forward: split history into N parts; test each part's best on the next
    #[arg(long, value_name = "N", requires = "sweep", value_parser = clap::value_parser!(u16).range(2..=100))]
    walk_forward: Option<u16>,
    /// With --sweep: write the figures of every configuration to this CSV file
    #[arg(long, value_name = "FILE", requires = "sweep")]
    pub(super) csv: Option<PathBuf>,
}

/// `--sort-by`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SortArg {
    /// Money-weighted return per year
    MoneyWeighted,
    /// Net in USD: realised plus unrealised less gas
    #[value(alias = "profit")]
    Net,
}

impl From<SortArg> for SortBy {
    fn from(argument: SortArg) -> Self {
        match argument {
            SortArg::MoneyWeighted => Self::MoneyWeighted,
            SortArg::Net => Self::Net,
        }
    }
}

impl SweepArgs {
    /// Whether a sweep was requested.
    pub(super) const fn is_asked_for(&self) -> bool {
        !self.sweep.is_empty()
    }

    /// Refuses a key that has both a value and a range.
    pub(super) fn check_against(&self, set: &[String]) -> Result<(), AppError> {
        let both = |axis: &&Axis| {
            let key = |pair: &String| pair.split('=').next().unwrap_or_default().trim() == axis.key;
            set.iter().any(key)
        };
        match self.sweep.iter().find(both) {
            Some(axis) => Err(AppError::Usage(format!(
                "{0}: given by both --set and --sweep; remove one",
                axis.key
            ))),
            None => Ok(()),
        }
    }
}

/// Runs and shows the sweep; returns the run of the best configuration, if `best` requests it.
pub(super) fn run(
    settings: &Settings,
    out: Out,
    request: &BacktestRequest,
    args: &SweepArgs,
    best: Option<Detail>,
) -> Result<Option<BacktestResult>, AppError> {
    let run = |sweep, progress: &(dyn Fn(usize) + Sync)| backtest::sweep(settings, request, sweep, progress);
    Ok(show(out, args, best, run)?.best)
}

/// The same for a basket; returns the assignments of the best configuration.
pub(super) fn run_basket(
    settings: &Settings,
    out: Out,
    request: &BasketRequest,
    args: &SweepArgs,
) -> Result<Vec<String>, AppError> {
    let run = |sweep, progress: &(dyn Fn(usize) + Sync)| {
        let on = AtomicBool::new(false);
        backtest::sweep_basket(settings, request, sweep, (progress, &on))
    };
    Ok(show(out, args, None, run)?.best_assignments())
}

/// Runs a sweep with a bar that shows how far it is, and shows the result. `run` says after each backtest how many
/// there are.
fn show(
    out: Out,
    args: &SweepArgs,
    best: Option<Detail>,
    run: impl FnOnce(SweepRequest, &(dyn Fn(usize) + Sync)) -> Result<Swept, AppError>,
) -> Result<Swept, AppError> {
    let sweep = SweepRequest {
        axes: args.sweep.clone(),
        sort_by: args.sort_by.into(),
        walk_forward: args.walk_forward,
        best,
        threads: None,
    };
    let bar = bar();
    let swept = run(sweep, &|total| {
        bar.set_length(u64::try_from(total).unwrap_or(u64::MAX));
        bar.inc(1);
    });
    bar.finish_and_clear();
    let swept = swept?;
    if let Some(path) = &args.csv {
        write_csv(path, &swept)?;
    }
    out.show(&swept, |swept| text(swept, args.top.into()))?;
    Ok(swept)
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} backtests, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

fn write_csv(path: &Path, swept: &Swept) -> Result<(), AppError> {
    let failed = |error: csv::Error| unwritable("--csv", path, error);
    let mut writer = csv::Writer::from_path(path).map_err(failed)?;
    let figures = [
        "money_weighted_pct",
        "return_pct",
        "net_usd",
        "drawdown_pct",
        "money_in_usd",
        "buys",
        "sells",
    ];
    let keys = swept.keys.iter().map(String::as_str);
    writer.write_record(keys.chain(figures)).map_err(failed)?;
    for line in &swept.configurations {
        let figures = [
            line.money_weighted_pct
                .map_or_else(String::new, |rate| rate.to_string()),
            line.return_pct.map_or_else(String::new, |rate| rate.to_string()),
            line.net_usd.to_string(),
            line.drawdown_pct.to_string(),
            line.money_in_usd.to_string(),
            line.buys.to_string(),
            line.sells.to_string(),
        ];
        writer
            .write_record(line.values.iter().chain(&figures))
            .map_err(failed)?;
    }
    writer.flush().map_err(|error| failed(error.into()))
}

/// The last part of each key, unless two are equal.
fn short_names(keys: &[String]) -> Vec<&str> {
    let last = |key: &'_ str| key.rsplit('.').next().unwrap_or_default().to_owned();
    keys.iter()
        .map(|key| {
            let alone = keys.iter().filter(|other| last(other) == last(key)).count() == 1;
            match key.rsplit_once('.') {
                Some((_, name)) if alone => name,
                _ => key.as_str(),
            }
        })
        .collect()
}

fn rate(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:+.1} %"))
}

fn percent(value: Option<Decimal>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{:+.2} %", value.round_dp(2)))
}

/// The figure that ranks candidates.
fn figure(by: SortBy, line: &SweepLine) -> String {
    match by {
        SortBy::MoneyWeighted if line.money_weighted_pct.is_none() => percent(line.return_pct),
        SortBy::MoneyWeighted => rate(line.money_weighted_pct),
        SortBy::Net => dollars(line.net_usd),
    }
}

fn text(swept: &Swept, top: usize) -> String {
    let names = short_names(&swept.keys);
    let mut header = names.clone();
    header.extend(["a year", "return", "net", "drawdown", "money in", "trades"]);
    let best = swept.configurations.iter().take(top).map(|line| {
        let mut cells = line.values.clone();
        cells.extend([
            rate(line.money_weighted_pct),
            percent(line.return_pct),
            dollars(line.net_usd),
            format!("{:.2} %", line.drawdown_pct.round_dp(2)),
            dollars(line.money_in_usd),
            line.buys.saturating_add(line.sells).to_string(),
        ]);
        cells
    });
    let mut text = table(&header, best);
    let hidden = swept.configurations.len().saturating_sub(top);
    if hidden > 0 {
        text.push_str(&format!(
            "\n{hidden} more: --top N shows more, --csv FILE and --json have all"
        ));
    }
    for warning in &swept.warnings {
        text.push_str(&format!("\nwarning: {warning}"));
    }
    if let Some(walk) = &swept.walk_forward {
        text.push_str(&walked(walk, &names, swept.sort_by));
    }
    text
}

fn walked(walk: &WalkForward, names: &[&str], by: SortBy) -> String {
    let mut header = vec!["chosen on"];
    header.extend(names);
    header.extend(["in sample", "next part", "rank", "best there"]);
    let rows = walk.steps.iter().zip(&walk.folds).map(|(step, fold)| {
        let mut cells = vec![format!("{} ..", fold.from.format("%Y-%m-%d"))];
        cells.extend(step.chosen.values.iter().cloned());
        cells.extend([
            figure(by, &step.chosen),
            figure(by, &step.out_of_sample),
            format!("{} of {}", step.rank, step.of),
            figure(by, &step.hindsight),
        ]);
        cells
    });
    let yearly = walk
        .steps
        .iter()
        .any(|step| step.chosen.money_weighted_pct.is_some());
    let unit = match by {
        SortBy::MoneyWeighted if yearly => "money-weighted, a year",
        SortBy::MoneyWeighted => "return of the money in",
        SortBy::Net => "net in USD",
    };
    format!(
        "\n\nwalk-forward, {unit}: the best of each part, tested on the next; each part starts without a position\n{}",
        table(&header, rows)
    )
}
