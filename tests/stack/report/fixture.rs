//! A real backtest over generated prices.

use alloy_primitives::Address;
use chrono::{DateTime, TimeDelta, Utc};
use lgi_mm::{
    backtest::{
        Detail, PricePoint, Setup, backtest,
        result::{BacktestResult, HoldRun, Point, SeriesSummary, TradeLine},
        series::Rows,
        thin::Thinned,
    },
    config::{JobLayers, build_job_config},
    domain::{
        config::{GeneratedConfig, JobConfig},
        job::JobMode,
        span::Span,
        units::Price,
    },
    paper::PaperSettings,
    prices,
};
use rust_decimal::Decimal;

/// How long, and how often it is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub rows: u32,
    pub every_secs: u64,
    pub cron: &'static str,
}

impl Size {
    pub const QUARTER: Self = Self {
        rows: 90 * 24,
        every_secs: 3_600,
        cron: "*/20 * * * *",
    };
}

pub fn start() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().expect("an instant")
}

fn rows(size: Size, start_usd: Decimal) -> Rows {
    let series = GeneratedConfig {
        seed: 11,
        start_usd,
        swing_pct: Decimal::from(35),
        period: Span::from_secs(25 * 86_400),
    };
    let every = Span::from_secs(size.every_secs);
    let mut at = start();
    let mut rows = Vec::new();
    for _ in 0..size.rows {
        let price = Price::new(prices::generated(&series, Address::ZERO, at)).expect("a price");
        rows.push(PricePoint { at, price });
        at = every.after(at);
    }
    let summary = SeriesSummary {
        name: "walk.csv".to_owned(),
        rows: size.rows.into(),
        first: start(),
        last: every.before(at),
        spacing: every,
        candles: false,
        invented: false,
        gaps: 0,
        longest_gap: None,
        duplicates: 0,
        skipped: 0,
        warnings: Vec::new(),
    };
    Rows { summary, rows }
}

fn config(mode: JobMode, pairs: &[String]) -> JobConfig {
    let layers = JobLayers::new(&serde_json::Map::new(), mode)
        .assignments(pairs, "--set")
        .expect("pairs");
    build_job_config(&JobConfig::for_mode(mode), mode, &layers).expect("a configuration")
}

fn run(size: Size, start_usd: Decimal, mode: JobMode, pairs: &[&str]) -> BacktestResult {
    let mut pairs: Vec<String> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
    pairs.push(format!("schedule.cron={}", size.cron));
    let setup = Setup::new(mode, config(mode, &pairs), PaperSettings::default());
    backtest(&setup, Detail::REPORT, &rows(size, start_usd)).expect("rows in memory are read")
}

/// A daily buy, dips, and profit taken on the way.
pub fn accumulating(size: Size) -> BacktestResult {
    accumulating_at(Decimal::new(185, 2), size)
}

/// The same around another price.
pub fn accumulating_at(start_usd: Decimal, size: Size) -> BacktestResult {
    let pairs = [
        "accumulate.dca_amount_usd=10",
        "accumulate.dca_interval=1d",
        "accumulate.dip_buy_threshold_pct=9",
        "accumulate.dip_buy_multiplier=3",
        "accumulate.dip_window=2d",
        "accumulate.take_profit_pct=14",
        "accumulate.take_profit_sell_pct=20",
        "accumulate.take_profit_cooldown=12h",
    ];
    run(size, start_usd, JobMode::Accumulate, &pairs)
}

pub fn liquidity(size: Size) -> BacktestResult {
    run(
        size,
        Decimal::new(185, 2),
        JobMode::Liquidity,
        &["liquidity.budget_usd=1000", "liquidity.ma_window=12h"],
    )
}

/// The same, as a year of minutes with many trades and restless holds would be: the page gets as large as it can.
pub fn crowded() -> BacktestResult {
    let mut result = accumulating(Size::QUARTER);
    let (points, trades) = (
        std::mem::take(&mut result.points),
        std::mem::take(&mut result.trades),
    );
    let minute = |count: i32| start() + TimeDelta::minutes(count.into());
    let mut thinned = Thinned::new(Detail::REPORT.points_max);
    for (at, point) in (0..525_600).map(minute).zip(points.iter().cycle()) {
        thinned.push(Point { at, ..*point });
    }
    result.points = thinned.points();
    result.trades = (0..525_600)
        .step_by(20)
        .map(minute)
        .zip(trades.iter().cycle())
        .map(|(at, trade)| TradeLine { at, ..trade.clone() })
        .collect();
    let reasons = result.summary.holds.iter().map(|total| total.reason).cycle();
    result.holds = (0..525_600)
        .step_by(525_600 / Detail::REPORT.hold_runs_max)
        .map(minute)
        .zip(reasons)
        .map(|(at, reason)| HoldRun {
            reason,
            from: at,
            to: at + TimeDelta::minutes(40),
            ticks: 41,
        })
        .collect();
    result
}
