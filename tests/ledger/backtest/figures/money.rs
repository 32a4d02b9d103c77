//! Figures of money that comes and goes, of fees, and of long series.

use lgi_mm::{
    backtest::{Detail, backtest, result::BacktestResult},
    domain::{
        decision::HoldReason,
        span::Span,
        units::{Price, Usd},
    },
    paper::PaperSettings,
};

use super::{days, dec, run, setup, usd};

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
    assert_eq!(told.summary.ticks, 73, "both ends are slots");
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
