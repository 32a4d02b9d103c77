//! Figures of runs small enough to work out by hand.

use chrono::{DateTime, TimeDelta, Utc};
use lgi_mm::{
    backtest::{
        Detail, PricePoint, Setup, backtest,
        result::{BacktestResult, Benchmark, NoRate, SeriesSummary},
        series::Rows,
    },
    domain::{
        config::JobConfig,
        decision::HoldReason,
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

/// Buy 50, sell all for twice as much, three times with the same money; buy once more and lose half of it.
#[test]
fn money_that_comes_back_and_is_spent_again_counts_once() {
    let turning = setup(|config| {
        config.limits.max_daily_spend_usd = Usd::ZERO;
        let rules = config.rules.accumulate_mut().expect("rules");
        rules.dca_amount_usd = usd("50");
        rules.dca_interval = Some("2d".parse().expect("a span"));
        rules.max_accumulation_usd = usd("50");
        rules.take_profit_pct = dec("100");
        rules.take_profit_sell_pct = dec("100");
        rules.take_profit_cooldown = Span::ZERO;
    });
    let told = run(&turning, &["1", "2", "2", "4", "4", "8", "8", "4", "4"]);
    let summary = &told.summary;
    assert_eq!((summary.buys, summary.sells), (4, 3));
    assert_eq!(
        (summary.spent_usd, summary.proceeds_usd),
        (usd("200"), usd("300"))
    );
    // Never more than 50 out of pocket; 150 of profit are back, and the last 50 are worth 25.
    assert_eq!(
        (summary.money_in_usd, summary.cash_usd, summary.value_usd),
        (usd("50"), usd("150"), usd("25"))
    );
    assert_eq!(
        (summary.realized_usd, summary.unrealized_usd, summary.net_usd),
        (usd("150"), usd("-25"), usd("125"))
    );
    assert_eq!(summary.return_pct, Some(dec("250")));
    // 25 of the 50 + 150 at stake.
    assert_eq!(
        (summary.drawdown.usd, summary.drawdown.pct),
        (usd("25"), dec("12.5"))
    );
    // 50 tokens at 4; and 12.5 USD each at 1, 2, 4 and 8.
    let others: Vec<(Usd, Usd)> = told
        .comparisons
        .iter()
        .map(|other| (other.summary.money_in_usd, other.summary.net_usd))
        .collect();
    assert_eq!(others, [(usd("50"), usd("150")), (usd("50"), usd("43.75"))]);
}

/// Days without a price buy nothing: the parts that are left are larger, not fewer.
#[test]
fn equal_dca_spends_the_same_money_over_a_series_with_gaps() {
    let mut series = days(&["1", "1", "1", "1", "1", "2", "2"]);
    series.rows.drain(2..4);
    let mut gappy = setup(|config| {
        config.price.max_price_age = "2m".parse().expect("a span");
        config.rules.accumulate_mut().expect("rules").dca_amount_usd = usd("14");
    });
    gappy.costs = PaperSettings::default();
    let told = backtest(&gappy, Detail::SUMMARY, &series).expect("rows in memory");
    let lines: Vec<(u64, Usd)> = std::iter::once(&told.summary)
        .chain(told.comparisons.iter().map(|other| &other.summary))
        .map(|summary| (summary.buys, summary.money_in_usd))
        .collect();
    // 56 USD and the gas of four swaps, 0.00495 each; the lump sum pays it once and buys for the rest.
    assert_eq!(
        lines,
        [(4, usd("56.0198")), (1, usd("56.0198")), (4, usd("56.0198"))]
    );
    assert_eq!(told.comparisons[0].summary.gas_usd, usd("0.00495"));
}

#[test]
fn fees_and_gas_are_told_apart_and_make_the_difference() {
    let mut costly = setup(|_| {});
    costly.costs = PaperSettings::default();
    let told = run(&costly, &["1", "1", "1", "1"]);
    let summary = &told.summary;
    // 30 and 10 bps in turn of each 10 USD; 150000 units of gas at 0.011 gwei and 3000 USD.
    assert_eq!(summary.fees_usd, usd("0.11991"));
    assert_eq!(summary.gas_usd, usd("0.01485"));
    assert_eq!(summary.net_usd, usd("-0.13476"));
    // Gas is out of pocket as well: what is lost is lost of it.
    assert_eq!(summary.money_in_usd, usd("30.01485"));
    assert_eq!(summary.return_pct, Some(dec("-0.449")));
    for other in &told.comparisons {
        assert_eq!(other.summary.money_in_usd, usd("30.01485"), "{}", other.plan);
    }
    let net = summary
        .realized_usd
        .checked_add(summary.unrealized_usd)
        .expect("USD");
    assert_eq!(net.checked_sub(summary.gas_usd), Ok(summary.net_usd));
    assert_eq!(told.trades[0].fill_price.decimal().round_dp(6), dec("1.004013"));
}

#[test]
fn a_take_profit_pays_out_and_is_no_money_in() {
    let taking = setup(|config| {
        let rules = config.rules.accumulate_mut().expect("rules");
        rules.max_accumulation_usd = usd("10");
        rules.take_profit_pct = dec("50");
        rules.take_profit_sell_pct = dec("50");
    });
    let told = run(&taking, &["1", "2", "2", "2"]);
    let summary = &told.summary;
    assert_eq!(
        (summary.money_in_usd, summary.proceeds_usd, summary.value_usd),
        (usd("10"), usd("10"), usd("10"))
    );
    assert_eq!(
        (summary.realized_usd, summary.unrealized_usd, summary.net_usd),
        (usd("5"), usd("5"), usd("10"))
    );
    assert_eq!(told.points.last().map(|point| point.cash_usd), Some(usd("10")));
}

#[test]
fn charts_are_thinned_and_totals_are_not() {
    let prices: Vec<String> = (0..1_000).map(|n| (1 + n % 7).to_string()).collect();
    let prices: Vec<&str> = prices.iter().map(String::as_str).collect();
    let busy = setup(|config| {
        config.schedule.cron = "0 * * * *".parse().expect("a cron line");
        let rules = config.rules.accumulate_mut().expect("rules");
        rules.dip_buy_threshold_pct = dec("50");
        rules.max_accumulation_usd = usd("200");
    });
    let few = Detail {
        points_max: 100,
        hold_runs_max: 10,
        ..Detail::REPORT
    };
    let all = Detail {
        points_max: usize::MAX,
        hold_runs_max: usize::MAX,
        ..Detail::REPORT
    };
    let (thin, whole) = (
        backtest(&busy, few, &days(&prices)).expect("rows"),
        backtest(&busy, all, &days(&prices)).expect("rows"),
    );
    assert_eq!(thin.summary, whole.summary);
    assert_eq!(thin.trades, whole.trades);
    assert!(
        thin.points.len() <= 100 && thin.points.len() > 25,
        "{}",
        thin.points.len()
    );
    assert!(
        thin.holds.len() <= 10 && whole.holds.len() > 10,
        "{} {}",
        thin.holds.len(),
        whole.holds.len()
    );
    // Nothing is invented, and the extremes stay.
    assert!(thin.points.iter().all(|point| whole.points.contains(point)));
    let deepest = |result: &BacktestResult| result.points.iter().map(|point| point.drawdown_pct).max();
    let prices = |result: &BacktestResult| -> (Option<Price>, Option<Price>) {
        let prices = || result.points.iter().map(|point| point.price);
        (prices().min(), prices().max())
    };
    assert_eq!((deepest(&thin), prices(&thin)), (deepest(&whole), prices(&whole)));
    assert_eq!(thin.points.last(), whole.points.last());
    let ticks = |result: &BacktestResult| result.holds.iter().map(|run| run.ticks).sum::<u64>();
    assert_eq!(ticks(&thin), ticks(&whole));
    assert_eq!(
        ticks(&whole) + whole.summary.buys + whole.summary.sells,
        whole.summary.ticks
    );
}

#[test]
fn a_row_stands_until_the_next_is_due_and_no_longer() {
    let mut hourly = setup(|config| config.schedule.cron = "0 * * * *".parse().expect("a cron line"));
    hourly.config.price.max_price_age = "2m".parse().expect("a span");
    let mut rows = days(&["1", "1", "1", "1"]);
    // The third row is lost: the second stands for its own day.
    rows.rows.remove(2);
    let told = backtest(&hourly, Detail::SUMMARY, &rows).expect("rows");
    let stale = told
        .summary
        .holds
        .iter()
        .find(|total| total.reason == HoldReason::PriceStale);
    assert_eq!(stale.map(|total| total.ticks), Some(23));
    assert_eq!(told.summary.ticks, 72);
}

#[test]
fn what_a_result_says_reads_back() {
    let told = run(&setup(|_| {}), &["1", "2", "4", "4"]);
    let text = serde_json::to_string(&told).expect("JSON");
    assert_eq!(
        serde_json::from_str::<BacktestResult>(&text).expect("the same"),
        told
    );
}
