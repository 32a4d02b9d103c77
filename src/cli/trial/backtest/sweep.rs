//! `backtest --sweep`: many configurations over one series, and whether the best holds out of sample.

use std::{num::NonZeroUsize, path::PathBuf, thread};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use rust_decimal::Decimal;
use serde::Serialize;

use crate::{
    app::AppError,
    backtest::{
        PricePoint, Setup,
        grid::{Axis, Grid},
        result::{Interval, Summary},
        series::Rows,
        sweep::{self, Candidate, SortBy, Step},
    },
    cli::out::{Out, dollars, table},
    domain::units::Usd,
};

#[derive(Debug, Args)]
pub(super) struct SweepArgs {
    /// Try a range of values, KEY=FROM..TO:STEP such as accumulate.dip_buy_threshold_pct=5..20:2.5; several keys are
    /// crossed with each other
    #[arg(long, value_name = "KEY=A..B:STEP")]
    sweep: Vec<Axis>,
    /// With --sweep: what is best
    #[arg(long, value_enum, default_value_t = SortArg::MoneyWeighted, requires = "sweep")]
    sort_by: SortArg,
    /// With --sweep: show so many of the best
    #[arg(long, default_value_t = 10, requires = "sweep", value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    /// With --sweep: split the past into so many parts, and try the best of each on the next
    #[arg(long, value_name = "PARTS", requires = "sweep", value_parser = clap::value_parser!(u16).range(2..=100))]
    walk_forward: Option<u16>,
    /// With --sweep: write every configuration's figures to this file
    #[arg(long, value_name = "FILE", requires = "sweep")]
    csv: Option<PathBuf>,
}

/// `--sort-by`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SortArg {
    /// Money-weighted return a year
    MoneyWeighted,
    /// Profit in USD
    Profit,
}

impl From<SortArg> for SortBy {
    fn from(argument: SortArg) -> Self {
        match argument {
            SortArg::MoneyWeighted => Self::MoneyWeighted,
            SortArg::Profit => Self::Profit,
        }
    }
}

impl SweepArgs {
    /// Whether there is anything to sweep.
    pub(super) const fn is_asked_for(&self) -> bool {
        !self.sweep.is_empty()
    }

    /// A key that has one value and a range is a mistake.
    pub(super) fn check_against(&self, set: &[String]) -> Result<(), AppError> {
        let both = |axis: &&Axis| {
            let key = |pair: &String| pair.split('=').next().unwrap_or_default().trim() == axis.key;
            set.iter().any(key)
        };
        match self.sweep.iter().find(both) {
            Some(axis) => Err(AppError::Usage(format!(
                "{0}: given by --set and by --sweep; leave one of them away",
                axis.key
            ))),
            None => Ok(()),
        }
    }

    /// Whether a key of this section is swept.
    pub(super) fn has(&self, section: &str) -> bool {
        self.sweep.iter().any(|axis| axis.key.starts_with(section))
    }
}

/// A result in short.
#[derive(Debug, Serialize)]
struct Line {
    values: Vec<String>,
    money_weighted_pct: Option<f64>,
    return_pct: Option<Decimal>,
    profit_usd: Usd,
    drawdown_pct: Decimal,
    money_in_usd: Usd,
    buys: u64,
    sells: u64,
}

impl Line {
    fn new(values: &[String], summary: &Summary) -> Self {
        Self {
            values: values.to_vec(),
            money_weighted_pct: summary.money_weighted_pct,
            return_pct: summary.return_pct,
            profit_usd: summary.profit_usd,
            drawdown_pct: summary.drawdown.pct,
            money_in_usd: summary.money_in_usd,
            buys: summary.buys,
            sells: summary.sells,
        }
    }

    fn of(candidate: &Candidate) -> Self {
        Self::new(&candidate.values, &candidate.summary)
    }
}

#[derive(Debug, Serialize)]
struct StepLine {
    chosen: Line,
    out_of_sample: Line,
    rank: usize,
    of: usize,
    hindsight: Line,
}

impl StepLine {
    fn new(step: &Step) -> Self {
        Self {
            out_of_sample: Line::new(&step.chosen.values, &step.out_of_sample),
            chosen: Line::of(&step.chosen),
            rank: step.rank,
            of: step.of,
            hindsight: Line::of(&step.hindsight),
        }
    }
}

#[derive(Debug, Serialize)]
struct WalkForward {
    /// What each part spans; each part starts with no position and no samples.
    folds: Vec<Interval>,
    steps: Vec<StepLine>,
}

#[derive(Debug, Serialize)]
struct Swept {
    keys: Vec<String>,
    sort_by: SortBy,
    /// Best first.
    configurations: Vec<Line>,
    warnings: Vec<String>,
    walk_forward: Option<WalkForward>,
    #[serde(skip)]
    top: usize,
}

/// Sweeps, shows, and answers with the best configuration as `--set` takes it. `setup` makes a setup of the
/// assignments given to it.
pub(super) fn run(
    out: Out,
    args: &SweepArgs,
    series: &Rows,
    setup: impl Fn(&[String]) -> Result<Setup, AppError>,
) -> Result<Vec<String>, AppError> {
    let rows = series.rows.as_slice();
    let grid = Grid::new(args.sweep.clone()).map_err(|error| AppError::Usage(format!("--sweep: {error}")))?;
    let places = grid.places();
    let setups = places
        .iter()
        .map(|place| {
            let setup = setup(&grid.assignments(place))?;
            Ok(Setup {
                stands_for: setup.stands_for.max(series.summary.spacing),
                ..setup
            })
        })
        .collect::<Result<Vec<Setup>, AppError>>()?;
    let folds = args.walk_forward.map(|count| folds(rows, count)).transpose()?;
    let parts = folds.as_ref().map_or(0, Vec::len);
    let by = SortBy::from(args.sort_by);
    let tries = Tries {
        setups,
        grid,
        by,
        threads: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        bar: bar(places.len().saturating_mul(parts.saturating_add(1))),
    };
    let ranked = tries.over(rows);
    let walk_forward = folds.map(|folds| {
        let each: Vec<Vec<Candidate>> = folds.iter().map(|fold| tries.over(fold)).collect();
        WalkForward {
            folds: folds.iter().filter_map(|fold| span(fold)).collect(),
            steps: sweep::walk_forward(&each).iter().map(StepLine::new).collect(),
        }
    });
    tries.bar.finish_and_clear();
    let swept = Swept {
        keys: tries.grid.axes().iter().map(|axis| axis.key.clone()).collect(),
        sort_by: by,
        configurations: ranked.iter().map(Line::of).collect(),
        warnings: sweep::doubts(&tries.grid, &ranked, by),
        walk_forward,
        top: args.top.into(),
    };
    if let Some(path) = &args.csv {
        write_csv(path, &swept)?;
    }
    out.show(&swept, text)?;
    Ok(ranked
        .first()
        .map(|best| tries.grid.assignments(&best.place))
        .unwrap_or_default())
}

/// Every configuration, ready to run.
struct Tries {
    setups: Vec<Setup>,
    grid: Grid,
    by: SortBy,
    threads: NonZeroUsize,
    bar: ProgressBar,
}

impl Tries {
    fn over(&self, rows: &[PricePoint]) -> Vec<Candidate> {
        let summaries = sweep::run_all(&self.setups, rows, self.threads, &|| self.bar.inc(1));
        sweep::ranked(&self.grid, summaries, self.by)
    }
}

/// On standard error, and only where that is a terminal.
fn bar(length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} backtests, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(u64::try_from(length).unwrap_or(u64::MAX)).with_style(style)
}

fn folds(rows: &[PricePoint], count: u16) -> Result<Vec<&[PricePoint]>, AppError> {
    let wanted = NonZeroUsize::new(count.into()).unwrap_or(NonZeroUsize::MIN);
    let folds = sweep::folds(rows, wanted);
    if folds.len() < wanted.get() {
        return Err(AppError::Usage(format!(
            "--walk-forward {count}: the prices fill {} of {count} parts of equal time; take fewer parts",
            folds.len()
        )));
    }
    Ok(folds)
}

fn span(rows: &[PricePoint]) -> Option<Interval> {
    Some(Interval {
        from: rows.first()?.at,
        to: rows.last()?.at,
    })
}

fn write_csv(path: &std::path::Path, swept: &Swept) -> Result<(), AppError> {
    let failed = |error: csv::Error| AppError::Io {
        what: path.display().to_string(),
        source: error.into(),
    };
    let mut writer = csv::Writer::from_path(path).map_err(failed)?;
    let figures = [
        "money_weighted_pct",
        "return_pct",
        "profit_usd",
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
            line.profit_usd.to_string(),
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

/// The last part of each key, unless two would be the same.
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

/// The figure that candidates are compared by.
fn figure(by: SortBy, line: &Line) -> String {
    match by {
        SortBy::MoneyWeighted if line.money_weighted_pct.is_none() => percent(line.return_pct),
        SortBy::MoneyWeighted => rate(line.money_weighted_pct),
        SortBy::Profit => dollars(line.profit_usd),
    }
}

fn text(swept: &Swept) -> String {
    let names = short_names(&swept.keys);
    let mut header = names.clone();
    header.extend(["a year", "return", "profit", "drawdown", "money in", "trades"]);
    let best = swept.configurations.iter().take(swept.top).map(|line| {
        let mut cells = line.values.clone();
        cells.extend([
            rate(line.money_weighted_pct),
            percent(line.return_pct),
            dollars(line.profit_usd),
            format!("{:.2} %", line.drawdown_pct.round_dp(2)),
            dollars(line.money_in_usd),
            line.buys.saturating_add(line.sells).to_string(),
        ]);
        cells
    });
    let mut text = table(&header, best);
    let hidden = swept.configurations.len().saturating_sub(swept.top);
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
        SortBy::Profit => "profit in USD",
    };
    format!(
        "\n\nwalk forward, {unit}: the best of each part, and how it did on the next; each part starts without a position\n{}",
        table(&header, rows)
    )
}
