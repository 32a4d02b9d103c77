//! Samples per second that a backtest decides, and how a sweep scales with threads:
//! `cargo bench --bench backtest [-- MILLIONS]`.
//!
//! Prices are generated in the process, a sample a minute, and every sample is a slot: nothing is stored, read or
//! written, and generating the prices is not timed. Each mode runs five times in one thread; the median is printed.
//! Memory is the process's peak. A sweep runs one grid with one thread, two, and so on up to the cores, in turns.
//!
//! `-- --prices FILE [--set KEY=VALUE]..` times one run of mode accumulate over a file held in memory, and prints it as
//! JSON, for the comparison in `scripts/bench-backtest`.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::expect_used, reason = "a failure ends the benchmark")]
#![expect(clippy::cast_precision_loss, reason = "rates are for people")]

use std::{
    num::NonZeroUsize, path::Path, sync::atomic::AtomicBool, thread::available_parallelism, time::Instant,
};

use chrono::DateTime;
use lgi_mm::{
    backtest::{
        Detail, PricePoint, RunResult, Runner, Setup, run,
        series::{CsvSeries, ReadOptions},
        sweep::run_all,
    },
    config::{JobLayers, build_job_config},
    domain::{
        config::{AfterStop, JobConfig},
        job::JobMode,
        units::{Price, Rounding, Usd},
    },
    paper::PaperSettings,
};
use nix::sys::resource::{UsageWho, getrusage};
use rust_decimal::Decimal;

const RUNS: usize = 5;

/// Samples generated at once.
const CHUNK: usize = 50_000;

/// A random walk in steps of a twelfth of a per cent that reverts to its start, with eight digits.
struct Walk {
    state: u64,
    price: i64,
    second: i64,
}

impl Walk {
    const BEGIN: i64 = 123_456_789;

    const fn new() -> Self {
        Self {
            state: 0x9E37_79B9_7F4A_7C15,
            price: Self::BEGIN,
            second: 1_000_000_020,
        }
    }
}

impl Iterator for Walk {
    type Item = PricePoint;

    fn next(&mut self) -> Option<PricePoint> {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let step = i64::try_from(((self.state >> 40) & 0xFFFF) % 2_401).ok()? - 1_200;
        let pull = (Self::BEGIN - self.price) / 20_000;
        self.price += self.price / 1_000 * step / 1_000 + pull;
        self.second += 60;
        Some(PricePoint {
            at: DateTime::from_timestamp(self.second, 0)?,
            price: Price::new(Decimal::new(self.price, 8)).ok()?,
        })
    }
}

fn usd(dollars: i64) -> Usd {
    Usd::rounded(Decimal::from(dollars), Rounding::Down)
}

fn accumulate() -> Setup {
    let mut config = JobConfig::for_mode(JobMode::Accumulate);
    config.limits.max_daily_spend_usd = usd(5_000);
    let rules = config.rules.accumulate_mut().expect("accumulate");
    rules.max_accumulation_usd = usd(1_000_000);
    rules.dip_buy_threshold_pct = Decimal::from(6);
    rules.take_profit_pct = Decimal::from(10);
    let costs = PaperSettings {
        wallet_usd: Decimal::from(10_000_000),
        ..PaperSettings::default()
    };
    Setup::new(JobMode::Accumulate, config, costs)
}

/// The same with a stop-loss, a trailing stop and a trailing take-profit, which need the highest price so far.
fn stops() -> Setup {
    let mut setup = accumulate();
    let rules = setup.config.rules.accumulate_mut().expect("accumulate");
    rules.stop_loss_pct = Decimal::from(20);
    rules.trailing_stop_pct = Decimal::from(15);
    rules.trailing_arm_pct = Decimal::from(10);
    rules.trailing_take_profit_pct = Decimal::from(5);
    rules.after_stop = AfterStop::Continue;
    setup
}

fn liquidity() -> Setup {
    Setup::new(
        JobMode::Liquidity,
        JobConfig::for_mode(JobMode::Liquidity),
        PaperSettings {
            native: Decimal::from(10_000),
            ..PaperSettings::default()
        },
    )
}

/// Wall-clock and CPU seconds; on a shared machine they differ.
#[derive(Debug, Clone, Copy)]
struct Took {
    wall: f64,
    processor: f64,
}

fn processor() -> f64 {
    let used = getrusage(UsageWho::RUSAGE_THREAD).expect("usage");
    [used.user_time(), used.system_time()]
        .iter()
        .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6)
        .sum()
}

/// Feeds a run from a buffer that is filled while the clock is stopped.
fn timed(setup: &Setup, samples: usize) -> (Took, RunResult) {
    let mut walk = Walk::new();
    let mut runner = Runner::new(setup, Detail::SUMMARY);
    let mut buffer: Vec<PricePoint> = Vec::with_capacity(CHUNK);
    let mut took = Took {
        wall: 0.0,
        processor: 0.0,
    };
    let mut left = samples;
    while left > 0 {
        buffer.clear();
        buffer.extend(walk.by_ref().take(CHUNK.min(left)));
        left -= buffer.len();
        let (begun, used) = (Instant::now(), processor());
        buffer.iter().for_each(|point| runner.feed(*point));
        took.wall += begun.elapsed().as_secs_f64();
        took.processor += processor() - used;
    }
    (took, runner.finish())
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn peak_kib() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.map_or_else(
        || "unknown".to_owned(),
        |line| line.replace("VmHWM:", "").trim().to_owned(),
    )
}

/// Configurations of the timed sweep: several for each thread.
const SETUPS: usize = 32;

/// The same sweep with an increasing number of threads. The counts alternate, so that a slow moment of the machine
/// affects all of them.
fn scaling(samples: usize) {
    let rows: Vec<PricePoint> = Walk::new().take(samples).collect();
    let setups: Vec<Setup> = (1..=SETUPS)
        .map(|number| {
            let mut setup = accumulate();
            if let Some(rules) = setup.config.rules.accumulate_mut() {
                rules.dip_buy_threshold_pct = Decimal::from(number);
            }
            setup
        })
        .collect();
    let counts: Vec<NonZeroUsize> = (1..=available_parallelism().map_or(1, NonZeroUsize::get))
        .filter_map(NonZeroUsize::new)
        .collect();
    let mut seconds = vec![Vec::new(); counts.len()];
    for _ in 0..RUNS {
        for (count, seconds) in counts.iter().zip(&mut seconds) {
            let begun = Instant::now();
            let summaries = run_all(&setups, &rows, *count, &|| {}, &AtomicBool::new(false));
            seconds.push(begun.elapsed().as_secs_f64());
            assert_eq!(summaries.len(), SETUPS, "every configuration was run");
        }
    }
    let medians: Vec<f64> = seconds.into_iter().map(median).collect();
    for (count, wall) in counts.iter().zip(&medians) {
        println!(
            "sweep of {SETUPS} configurations over {samples} samples, threads: {count}: {wall:.3} s, {:.1} million samples \
             a second, {:.2} times one thread",
            (samples * SETUPS) as f64 / wall / 1e6,
            medians[0] / wall
        );
    }
}

/// One run over a file in memory; returns the duration of the run alone.
fn over_file(path: &str, sets: &[String]) {
    let rows = CsvSeries::open(Path::new(path), ReadOptions::default())
        .and_then(|series| series.load())
        .expect("a file of prices")
        .rows;
    let mode = JobMode::Accumulate;
    let layers = JobLayers::of_job()
        .assignments(sets, "--set")
        .expect("assignments");
    let config = build_job_config(&JobConfig::for_mode(mode), mode, &layers).expect("keys of accumulate");
    let costs = PaperSettings {
        wallet_usd: Decimal::from(100_000_000),
        native: Decimal::from(10_000),
        ..PaperSettings::default()
    };
    let setup = Setup::new(JobMode::Accumulate, config, costs);
    let mut seconds = Vec::new();
    let mut buys = 0;
    for _ in 0..RUNS {
        let begun = Instant::now();
        buys = run(&setup, Detail::SUMMARY, rows.iter().copied()).summary.buys;
        seconds.push(begun.elapsed().as_secs_f64());
    }
    println!("{{\"seconds\":{},\"buys\":{buys}}}", median(seconds));
}

/// The arguments that follow each `name` on the command line.
fn values(name: &str) -> Vec<String> {
    let arguments: Vec<String> = std::env::args().collect();
    arguments
        .windows(2)
        .filter(|pair| pair[0] == name)
        .map(|pair| pair[1].clone())
        .collect()
}

fn main() {
    if let Some(path) = values("--prices").first() {
        return over_file(path, &values("--set"));
    }
    let millions = std::env::args()
        .find_map(|argument| argument.parse::<usize>().ok())
        .unwrap_or(10);
    let samples = millions * 1_000_000;
    for (name, setup) in [
        ("accumulate", accumulate()),
        ("accumulate with stops", stops()),
        ("liquidity", liquidity()),
    ] {
        let runs: Vec<(Took, RunResult)> = (0..RUNS).map(|_| timed(&setup, samples)).collect();
        let (wall, processor) = (
            median(runs.iter().map(|(took, _)| took.wall).collect()),
            median(runs.iter().map(|(took, _)| took.processor).collect()),
        );
        let summary = &runs[0].1.summary;
        let holds: Vec<String> = summary
            .holds
            .iter()
            .map(|total| format!("{} {}", total.reason, total.ticks))
            .collect();
        println!(
            "{name}: {:.2} million samples a processor second ({processor:.3} s), {:.2} a second on the wall ({wall:.3} s)\n  \
             {} slots, {} buys, {} sells, profit {} USD; held: {}; peak memory {}",
            samples as f64 / processor / 1e6,
            samples as f64 / wall / 1e6,
            summary.ticks,
            summary.buys,
            summary.sells,
            summary.profit_usd,
            holds.join(", "),
            peak_kib()
        );
    }
    scaling(samples / 5);
}
