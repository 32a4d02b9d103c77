//! What a report shows of stops: their line, and since when and until when they were armed.

use chrono::TimeDelta;
use lgi_mm::{
    backtest::{
        Detail, PricePoint, Setup,
        result::{ArmedRange, ArmedRule, BacktestResult, RunResult},
        run,
        series::{CandleTime, CsvSeries, ReadOptions},
    },
    domain::{
        config::{AccumulateConfig, JobConfig, Rules},
        job::JobMode,
        units::{Price, Rounding, Usd},
    },
    paper::PaperSettings,
    report,
};
use rust_decimal::Decimal;

use crate::backtest::walk;

/// One buy; a stop 10 % below its cost, one 5 % below the highest price once 10 % are gained, and a take-profit that
/// follows the price from 20 % on.
fn setup() -> Setup {
    let mut config = JobConfig::for_mode(JobMode::Accumulate);
    config.price.max_price_move_pct = Decimal::ZERO;
    config.rules = Rules::Accumulate(AccumulateConfig {
        dca_amount_usd: Usd::rounded(Decimal::TEN, Rounding::Down),
        dca_interval: Some("300d".parse().expect("a span")),
        dip_buy_threshold_pct: Decimal::ZERO,
        stop_loss_pct: Decimal::TEN,
        trailing_stop_pct: Decimal::from(5),
        trailing_arm_pct: Decimal::TEN,
        take_profit_pct: Decimal::from(20),
        trailing_take_profit_pct: Decimal::from(3),
        ..AccumulateConfig::default()
    });
    Setup::new(JobMode::Accumulate, config, PaperSettings::default())
}

fn rows(prices: &[i64]) -> Vec<PricePoint> {
    let prices = prices.iter().zip(0..);
    prices
        .map(|(price, minute)| PricePoint {
            at: walk::start() + TimeDelta::minutes(minute),
            price: Price::new(Decimal::from(*price)).expect("above zero"),
        })
        .collect()
}

fn outcome(prices: &[i64]) -> RunResult {
    run(&setup(), Detail::REPORT, rows(prices))
}

/// Rule, the minutes of both ends, and whether it sold.
fn ranges(armed: &[ArmedRange]) -> Vec<(ArmedRule, i64, i64, bool)> {
    let minute = |at: chrono::DateTime<chrono::Utc>| (at - walk::start()).num_minutes();
    let told = |range: &ArmedRange| (range.rule, minute(range.from), minute(range.to), range.fired);
    armed.iter().map(told).collect()
}

#[test]
fn a_rule_is_armed_from_its_arming_to_its_sale_or_to_what_else_ends_it() {
    // Bought at 100; 10 % are gained at 115, 20 % at 125. 126 is 3 % below 130, and 123 is 5 % below it.
    let done = outcome(&[100, 105, 115, 125, 130, 126, 125, 123, 122, 121, 120]);
    assert_eq!(
        ranges(&done.armed),
        [
            (ArmedRule::StopLoss, 0, 8, false),
            (ArmedRule::TrailingStop, 2, 8, true),
            (ArmedRule::TrailingTakeProfit, 3, 5, true),
        ],
        "{:?}",
        done.trades
    );
    let lines: Vec<Option<Decimal>> = done
        .points
        .iter()
        .map(|point| point.stop_usd.map(Price::decimal))
        .collect();
    assert!(
        lines[1] > Some(Decimal::from(90)) && lines[1] < Some(Decimal::from(92)),
        "{lines:?}"
    );
    assert_eq!(lines[4], Some(Decimal::new(1235, 1)), "5 % below 130");
    assert!(
        lines[..8].windows(2).all(|pair| pair[0] <= pair[1]),
        "it never falls: {lines:?}"
    );
    assert_eq!(&lines[9..], [None, None], "nothing is armed any more");
    // What never fires is armed to the end.
    let held = outcome(&[100, 105, 104]);
    assert_eq!(ranges(&held.armed), [(ArmedRule::StopLoss, 0, 2, false)]);
    let lost = outcome(&[100, 95, 89, 88, 87]);
    assert_eq!(ranges(&lost.armed), [(ArmedRule::StopLoss, 0, 3, true)]);
    // A sweep keeps none of it.
    let summary = run(&setup(), Detail::SUMMARY, rows(&[100, 95, 89, 88]));
    assert_eq!(summary.armed, []);
}

fn reported(prices: &[i64]) -> BacktestResult {
    let text: String = rows(prices)
        .iter()
        .map(|row| format!("{},{}\n", row.at.timestamp(), row.price))
        .collect();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), format!("time,price\n{text}")).expect("prices");
    let options = ReadOptions {
        from: None,
        to: None,
        candle_time: CandleTime::Open,
        skip_bad: false,
    };
    let series = CsvSeries::open(file.path(), options).expect("a series");
    lgi_mm::backtest::backtest(&setup(), Detail::REPORT, &series).expect("a result")
}

#[test]
fn a_report_draws_the_line_of_the_stops_and_shades_what_was_armed() {
    let result = reported(&[100, 105, 115, 125, 130, 126, 125, 123, 122, 121, 120]);
    let page = report::page(&result, walk::start()).expect("a page");
    let at = |minute: i64| (walk::start() + TimeDelta::minutes(minute)).timestamp();
    for (name, from, to, fired) in [
        ("Stop armed", 0, 8, false),
        ("Trailing stop armed", 2, 8, true),
        ("Take profit follows", 3, 5, true),
    ] {
        let drawn = format!(
            r#"{{"name":"{name}","ranges":[[{},{},{fired}]]}}"#,
            at(from),
            at(to)
        );
        assert!(page.contains(&drawn), "{drawn}");
    }
    assert!(page.contains("123.5,"), "the line");
    let none = reported(&[100, 100]);
    let mut plain = none.clone();
    plain.armed.clear();
    let page = report::page(&plain, walk::start()).expect("a page");
    assert!(page.contains(r#""armed":[]"#));
}
