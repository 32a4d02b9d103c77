//! Figures of runs small enough to work out by hand.

mod money;

use chrono::{DateTime, TimeDelta, Utc};
use lgi_mm::{
    backtest::{
        Detail, PricePoint, Setup, backtest,
        result::{BacktestResult, Benchmark, NoRate, SeriesSummary},
        series::Rows,
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

fn dec(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn usd(text: &str) -> Usd {
    Usd::new(dec(text)).expect("USD")
}

fn day(number: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).expect("2026-01-01") + TimeDelta::days(number)
}

/// A price a day.
fn days(prices: &[&str]) -> Rows {
    let rows: Vec<PricePoint> = (0..)
        .zip(prices)
        .map(|(number, price)| PricePoint {
            at: day(number),
            price: Price::new(dec(price)).expect("a price"),
        })
        .collect();
    Rows {
        summary: SeriesSummary {
            name: "days".to_owned(),
            rows: rows.len() as u64,
            first: rows[0].at,
            last: rows[rows.len() - 1].at,
            spacing: Span::from_secs(86_400),
            candles: false,
            invented: false,
            gaps: 0,
            longest_gap: None,
            duplicates: 0,
            skipped: 0,
            warnings: vec![],
        },
        rows,
    }
}

/// Nothing costs anything, and a slot at noon of every day.
fn setup(change: impl FnOnce(&mut JobConfig)) -> Setup {
    let costs = PaperSettings {
        fee_bps: 0,
        slippage_bps: 0,
        base_fee_gwei: Decimal::ZERO,
        tip_gwei: Decimal::ZERO,
        ..PaperSettings::default()
    };
    let mut config = JobConfig::for_mode(JobMode::Accumulate);
    config.schedule.cron = "0 12 * * *".parse().expect("a cron line");
    config.price.max_price_move_pct = Decimal::ZERO;
    let rules = config.rules.accumulate_mut().expect("accumulate");
    rules.dca_interval = Some("1d".parse().expect("a span"));
    rules.dip_buy_threshold_pct = Decimal::ZERO;
    change(&mut config);
    Setup::new(JobMode::Accumulate, config, costs)
}

fn run(setup: &Setup, prices: &[&str]) -> BacktestResult {
    backtest(setup, Detail::REPORT, &days(prices)).expect("rows in memory")
}

/// The schedule's first instant comes before the first slot and after the job's start: that slot owes a part, too.
#[test]
fn equal_dca_spends_the_same_money_whenever_its_schedule_and_the_slots_are() {
    let mut series = days(&["2", "2", "2", "2", "2", "2"]);
    let start = day(0) + TimeDelta::minutes(510);
    series.rows = (0..120)
        .map(|hour| PricePoint {
            at: start + TimeDelta::hours(hour),
            price: Price::new(dec("2")).expect("a price"),
        })
        .collect();
    series.summary.first = start;
    series.summary.last = series.rows[119].at;
    let mut setup = setup(|_| {});
    setup.config.schedule.cron = "0 10 * * *".parse().expect("cron");
    let rules = setup.config.rules.accumulate_mut().expect("accumulate");
    rules.dca_interval = None;
    rules.dca_schedule = Some("0 9 * * *".parse().expect("cron"));
    rules.dca_amount_usd = usd("100");
    rules.max_accumulation_usd = usd("100000");
    setup.config.limits.max_daily_spend_usd = Usd::ZERO;
    let told = backtest(&setup, Detail::SUMMARY, &series).expect("rows in memory");
    let spent: Vec<Usd> = std::iter::once(&told.summary)
        .chain(told.comparisons.iter().map(|other| &other.summary))
        .map(|summary| summary.money_in_usd)
        .collect();
    assert_eq!(spent, [usd("500"); 3]);
}

#[test]
fn three_equal_buys() {
    // Noons of three days; the fourth row only ends the third day.
    let told = run(&setup(|_| {}), &["1", "2", "4", "4"]);
    let summary = &told.summary;
    assert_eq!((summary.ticks, summary.buys, summary.sells), (3, 3, 0));
    assert_eq!((summary.spent_usd, summary.money_in_usd), (usd("30"), usd("30")));
    assert_eq!(summary.token_balance.to_whole(18), "17.5");
    assert_eq!(summary.value_usd, usd("70"));
    assert_eq!(summary.net_usd, usd("40"));
    assert_eq!(summary.return_pct, Some(dec("133.3333")));
    assert_eq!(
        summary
            .average_cost
            .map(Price::decimal)
            .map(|cost| cost.round_dp(9)),
        Some(dec("1.714285714"))
    );
    assert_eq!(summary.drawdown.usd, Usd::ZERO);
    let [lump, equal] = told.comparisons.as_slice() else {
        panic!("two comparisons")
    };
    assert_eq!((lump.plan, equal.plan), (Benchmark::LumpSum, Benchmark::EqualDca));
    assert_eq!(
        (
            lump.summary.buys,
            lump.summary.money_in_usd,
            lump.summary.value_usd
        ),
        (1, usd("30"), usd("120"))
    );
    // Equal parts at the same distances: this very job.
    assert_eq!(&equal.summary, summary);
    // At each of the three noons, for the charts.
    assert_eq!(lump.values, ["30", "60", "120"].map(usd));
    assert_eq!(equal.values, ["10", "30", "70"].map(usd));
}

/// Half of 100 USD is 50 tokens at 1 USD, held while the price goes to 2 and 4.
#[test]
fn holding_at_the_target_buys_once_and_keeps_the_rest() {
    let mut setup = setup(|_| {});
    setup.mode = JobMode::Liquidity;
    let mut config = JobConfig::for_mode(JobMode::Liquidity);
    config.schedule = setup.config.schedule.clone();
    config.price.max_price_move_pct = Decimal::ZERO;
    let rules = config.rules.liquidity_mut().expect("liquidity");
    rules.budget_usd = usd("100");
    setup.config = config;
    let told = run(&setup, &["1", "2", "4", "4"]);
    let held = told.comparisons.last().expect("a comparison");
    assert_eq!(held.plan, Benchmark::HoldAtTarget);
    assert_eq!(held.summary.buys, 1);
    assert_eq!(held.values, ["100", "150", "250"].map(usd));
    assert_eq!(
        (
            held.summary.money_in_usd,
            held.summary.value_usd,
            held.summary.net_usd
        ),
        (usd("100"), usd("250"), usd("150"))
    );
}

/// A price that stands still is its own mean, and one trade brings the inventory to its target.
#[test]
fn a_liquidity_job_s_mean_and_share_are_kept_for_each_tick() {
    let mut setup = setup(|_| {});
    setup.mode = JobMode::Liquidity;
    let mut config = JobConfig::for_mode(JobMode::Liquidity);
    config.schedule = setup.config.schedule.clone();
    config.price.max_price_age = "3d".parse().expect("a span");
    config.limits.max_daily_spend_usd = Usd::ZERO;
    let rules = config.rules.liquidity_mut().expect("liquidity");
    rules.budget_usd = usd("100");
    rules.target_ratio_pct = dec("40");
    rules.ma_window = "5d".parse().expect("a span");
    setup.config = config;
    let told = run(&setup, &["2"; 12]);
    let last = told.points.last().expect("a point");
    assert_eq!(last.moving_average.map(Price::decimal), Some(dec("2")));
    assert_eq!(told.summary.buys, 1, "{:?}", told.summary.holds);
    assert_eq!(last.token_pct, Some(dec("40")));
    assert_eq!(told.points[0].token_pct, Some(Decimal::ZERO));
}

#[test]
fn a_fall_is_measured_from_the_peak_before_it() {
    // 10 tokens for 10 USD, then: 20, 12, 16, 8 USD. Profit peaks at 10, and falls by 12 of the 20 there were.
    let once = setup(|config| {
        config.rules.accumulate_mut().expect("rules").max_accumulation_usd = usd("10");
    });
    let told = run(&once, &["1", "2", "1.2", "1.6", "0.8", "1.1", "1.1"]);
    assert_eq!(told.summary.drawdown.usd, usd("12"));
    assert_eq!(told.summary.drawdown.pct, dec("60"));
    assert_eq!(told.summary.drawdown.at, Some(day(4) + TimeDelta::hours(12)));
    let depths: Vec<Decimal> = told.points.iter().map(|point| point.drawdown_pct).collect();
    assert_eq!(depths, ["0", "0", "40", "20", "60", "45"].map(dec));
    assert_eq!(
        told.summary.longest_wait.map(|wait| (wait.from, wait.to)),
        Some((day(0) + TimeDelta::hours(12), day(5) + TimeDelta::hours(12)))
    );
}

#[test]
fn the_yearly_rate_of_one_payment_is_its_growth() {
    let once = setup(|config| {
        config.rules.accumulate_mut().expect("rules").max_accumulation_usd = usd("10");
    });
    let mut prices = vec!["1"; 366];
    prices.push("1.5");
    prices.push("1.5");
    let told = run(&once, &prices);
    // Half as much again in 366 days: 1.5 ^ (365 / 366), a year being 365 days as in spreadsheets.
    let rate = told.summary.money_weighted_pct.expect("a rate");
    assert!((rate - 49.8339).abs() < 0.0002, "{rate}");
    let level = run(&once, &["1"; 200]);
    assert_eq!(level.summary.money_weighted_pct, Some(0.0));
    assert_eq!(level.summary.money_weighted_none, None);
}

/// 182 days are half a year: the last slot is at noon of the last day but one, the job starts at the first row.
#[test]
fn under_half_a_year_there_is_no_yearly_rate_and_the_reason_is_given() {
    let always = setup(|_| {});
    for (days, none) in [(20, true), (90, true), (183, true), (184, false)] {
        let told = run(&always, &vec!["1"; days]).summary;
        assert_eq!(told.money_weighted_pct, (!none).then_some(0.0), "{days}");
        assert_eq!(
            told.money_weighted_none,
            none.then_some(NoRate::TooShort),
            "{days}"
        );
    }
    let never = setup(|config| {
        config.rules.accumulate_mut().expect("rules").dca_interval = None;
    });
    let told = run(&never, &["1"; 300]).summary;
    assert_eq!(
        (told.money_weighted_pct, told.money_weighted_none, told.return_pct),
        (None, Some(NoRate::NoMoneyIn), None)
    );
}

/// Python, bisection over the seven flows: 12 USD on days 0, 30, .. 150, worth 90 on day 240.
#[test]
fn the_yearly_rate_of_several_payments() {
    let monthly = setup(|config| {
        let rules = config.rules.accumulate_mut().expect("rules");
        rules.dca_interval = Some("30d".parse().expect("a span"));
        rules.dca_amount_usd = usd("12");
        rules.max_accumulation_usd = usd("72");
    });
    let mut prices = vec!["1"; 240];
    prices.extend(["1.25", "1.25"]);
    let told = run(&monthly, &prices).summary;
    assert_eq!(
        (told.buys, told.money_in_usd, told.value_usd),
        (6, usd("72"), usd("90"))
    );
    let rate = told.money_weighted_pct.expect("a rate");
    assert!((rate - 62.9746).abs() < 0.0002, "{rate}");
}
