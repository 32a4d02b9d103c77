//! The results, as sentences and tables.

use rust_decimal::Decimal;

use super::html::{
    cell, count, dollars, duration, escape, list, moment, number, percent, price, signed, table, tokens, tone,
};
use crate::{
    backtest::result::{BacktestResult, Benchmark, Comparison, SeriesSummary, Summary},
    domain::{
        decision::{HoldReason, Reason, Side},
        job::JobMode,
        units::Usd,
    },
};

/// A result with fewer trades than this is flagged.
const FEW_TRADES: u64 = 10;

/// `ticks`: what is counted.
pub(super) fn period(summary: &Summary, ticks: &str) -> String {
    match (summary.from, summary.to) {
        (Some(from), Some(to)) => format!(
            "{} to {} UTC ({}), {} {ticks}",
            moment(from),
            moment(to),
            duration(from, to),
            count(summary.ticks),
        ),
        _ => "No tick was due within the prices".to_owned(),
    }
}

/// Where prices come from.
pub(super) fn source(series: &SeriesSummary) -> String {
    format!(
        "{}, {} {} from {} to {} UTC, usually {} apart.",
        series.name,
        series.rows,
        if series.candles { "candles" } else { "rows" },
        moment(series.first),
        moment(series.last),
        series.spacing,
    )
}

pub(super) const fn plan_name(plan: Benchmark) -> &'static str {
    match plan {
        Benchmark::LumpSum => "Lump sum",
        Benchmark::EqualDca => "Equal DCA",
        Benchmark::HoldAtTarget => "Hold at target",
        Benchmark::Keep => "Keep",
    }
}

/// A rule in words; of one that buys and sells, without the side.
pub(super) const fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::Dca => "DCA buy",
        Reason::DipBuy => "Dip buy",
        Reason::TakeProfit => "Take profit",
        Reason::StopLoss => "Stop loss",
        Reason::TrailingStop => "Trailing stop",
        Reason::SpreadBuy => "Spread buy",
        Reason::SpreadSell => "Spread sell",
        Reason::Rebalance => "Rebalance",
        Reason::MarketOrder => "Market order",
        Reason::LimitOrder => "Limit order",
        Reason::StopOrder => "Stop order",
        Reason::TrailingOrder => "Trailing order",
        Reason::Liquidate => "Liquidation",
    }
}

/// The same with the side where that is open.
fn words_of(reason: Reason, side: Side) -> String {
    match (reason, side) {
        (Reason::Rebalance, Side::Buy) => format!("{} buy", words(reason)),
        (Reason::Rebalance, Side::Sell) => format!("{} sell", words(reason)),
        _ => words(reason).to_owned(),
    }
}

/// A summary in one or two sentences.
pub(super) fn verdict(result: &BacktestResult) -> String {
    let own = &result.summary;
    let got = match result.setup.mode {
        JobMode::Accumulate | JobMode::Order if own.cash_usd.is_positive() => format!(
            "brought {} USD back from sells and hold what is worth {} USD",
            dollars(own.cash_usd),
            dollars(own.value_usd)
        ),
        JobMode::Accumulate | JobMode::Order => format!("hold what is worth {} USD", dollars(own.value_usd)),
        JobMode::Liquidity | JobMode::Basket => {
            format!("ended with tokens and money worth {} USD", dollars(own.value_usd))
        }
    };
    let others: Vec<String> = result
        .comparisons
        .iter()
        .filter_map(|other| against(own, other))
        .collect();
    concluded("These rules", own, &got, &others)
}

/// Who put how much in, what that became, and how it compares with others.
pub(super) fn concluded(who: &str, own: &Summary, got: &str, others: &[String]) -> String {
    let Some(return_pct) = own.return_pct else {
        return "Nothing was traded: the hold reasons below say why.".to_owned();
    };
    let others = if others.is_empty() {
        String::new()
    } else {
        format!(" That is {}.", others.join(", and "))
    };
    format!(
        "{who} put {} USD in, {got}: <strong class=\"{}\">{} USD ({})</strong> after fees and gas.{}",
        dollars(own.money_in_usd),
        tone(own.net_usd.decimal()),
        signed(own.net_usd),
        percent(return_pct),
        escape(&others),
    )
}

fn against(own: &Summary, other: &Comparison) -> Option<String> {
    let way = match other.plan {
        Benchmark::LumpSum => "a lump sum on the first day",
        Benchmark::EqualDca => "equal parts",
        Benchmark::HoldAtTarget => "holding tokens and money at the target without a trade",
        Benchmark::Keep => "keeping the tokens",
    };
    compared_with(own, &other.summary, way)
}

/// How much more or less than another way of the same money.
pub(super) fn compared_with(own: &Summary, other: &Summary, way: &str) -> Option<String> {
    let made = percent(other.return_pct?);
    let more = own.net_usd.checked_sub(other.net_usd).ok()?;
    Some(if more == Usd::ZERO {
        format!("the same as {way} ({made})")
    } else if more.is_positive() {
        format!("{} USD more than {way} ({made})", dollars(more))
    } else {
        let less = Usd::ZERO.checked_sub(more).ok()?;
        format!("{} USD less than {way} ({made})", dollars(less))
    })
}

pub(super) fn card(name: &str, class: &str, big: &str, more: &str) -> String {
    format!(
        "<div class=\"card\"><div class=\"name\">{}</div><div class=\"big {class}\">{}</div><div class=\"more\">{}</div></div>",
        escape(name),
        escape(big),
        escape(more)
    )
}

/// Net in per cent of the money in.
pub(super) fn return_of(summary: &Summary) -> String {
    summary.return_pct.map_or_else(|| "-".to_owned(), percent)
}

fn yearly(summary: &Summary) -> String {
    match (summary.money_weighted_pct, summary.money_weighted_none) {
        (Some(rate), _) => format!("{rate:+.1} %"),
        (None, why) => why.map_or_else(|| "-".to_owned(), |why| why.to_string()),
    }
}

/// The yearly rate; for a run that is too short for one, what the net is made of.
fn yearly_card(own: &Summary) -> String {
    let realized = format!("realised {}", signed(own.realized_usd));
    let rest = format!(
        "unrealised {}, gas {}",
        signed(own.unrealized_usd),
        dollars(own.gas_usd)
    );
    match own.money_weighted_pct {
        Some(rate) => {
            let class = if rate < 0.0 { "loss" } else { "gain" };
            let more = format!("{realized}, {rest}");
            card("Money-weighted, a year", class, &yearly(own), &more)
        }
        None => card(
            "Realised",
            tone(own.realized_usd.decimal()),
            &format!("{} USD", signed(own.realized_usd)),
            &rest,
        ),
    }
}

pub(super) fn cards(result: &BacktestResult) -> String {
    let own = &result.summary;
    let mut cards = vec![net_card(own), yearly_card(own), drawdown_card(own)];
    cards.extend(
        result
            .comparisons
            .iter()
            .map(|other| instead_card(&format!("{} instead", plan_name(other.plan)), &other.summary)),
    );
    cards.concat()
}

pub(super) fn net_card(own: &Summary) -> String {
    card(
        "Net",
        tone(own.net_usd.decimal()),
        &format!("{} USD", signed(own.net_usd)),
        &format!("{} of {} USD in", return_of(own), dollars(own.money_in_usd)),
    )
}

pub(super) fn drawdown_card(own: &Summary) -> String {
    card(
        "Deepest drawdown",
        "",
        &percent(-own.drawdown.pct),
        &own.drawdown.at.map_or_else(
            || "never below a peak".to_owned(),
            |at| format!("{} USD, {}", dollars(own.drawdown.usd), at.format("%Y-%m-%d")),
        ),
    )
}

/// Of the same money in another plan.
pub(super) fn instead_card(name: &str, other: &Summary) -> String {
    card(
        name,
        tone(other.net_usd.decimal()),
        &return_of(other),
        &format!("{} USD", signed(other.net_usd)),
    )
}

/// Reasons to trust the result less.
pub(super) fn warnings(own: &Summary, of_series: impl IntoIterator<Item = String>) -> String {
    let trades = own.buys.saturating_add(own.sells);
    let mut warnings = Vec::new();
    if trades < FEW_TRADES {
        warnings.push(match trades {
            0 => "Nothing was traded.".to_owned(),
            1 => "It is based on one trade: too few to tell skill from luck. Try a longer series.".to_owned(),
            _ => {
                format!(
                    "It is based on {trades} trades: too few to tell skill from luck. Try a longer series."
                )
            }
        });
    }
    warnings.extend(of_series);
    if warnings.is_empty() {
        String::new()
    } else {
        format!("<div class=\"note\">{}</div>", list("", &warnings))
    }
}

/// A figure's name, and the function that reads it from a result.
type Figure<'a> = (&'a str, &'a dyn Fn(&Summary) -> String);

/// All figures, next to those of the benchmarks.
pub(super) fn compared(result: &BacktestResult) -> String {
    let decimals = result.setup.token_decimals;
    let figures: [Figure<'_>; 18] = [
        ("Money in, USD", &|it| dollars(it.money_in_usd)),
        ("Bought, USD", &|it| dollars(it.spent_usd)),
        ("Sold, USD", &|it| dollars(it.proceeds_usd)),
        ("Cash from sells, USD", &|it| dollars(it.cash_usd)),
        ("Value, USD", &|it| dollars(it.value_usd)),
        ("Net, USD", &|it| signed(it.net_usd)),
        ("Net, % of money in", &return_of),
        ("Money-weighted, a year", &yearly),
        ("Deepest drawdown", &|it| percent(-it.drawdown.pct)),
        ("Deepest drawdown, USD", &|it| dollars(it.drawdown.usd)),
        ("Realised, USD", &|it| signed(it.realized_usd)),
        ("Unrealised, USD", &|it| signed(it.unrealized_usd)),
        ("Fees (in the prices), USD", &|it| dollars(it.fees_usd)),
        ("Gas, USD", &|it| dollars(it.gas_usd)),
        ("Buys / sells", &|it| format!("{} / {}", it.buys, it.sells)),
        ("Tokens held", &|it| tokens(&it.token_balance.to_whole(decimals))),
        ("Average cost, USD", &|it| price(it.average_cost)),
        ("Longest wait", &|it| {
            it.longest_wait
                .map_or_else(|| "-".to_owned(), |wait| duration(wait.from, wait.to))
        }),
    ];
    let mut header = vec!["", "These rules"];
    header.extend(result.comparisons.iter().map(|other| plan_name(other.plan)));
    let rows: Vec<(String, Vec<String>)> = figures
        .iter()
        .map(|(name, read)| {
            (
                String::new(),
                figure_row(name, read, &result.summary, &result.comparisons),
            )
        })
        .collect();
    table("numbers", &header, &rows)
}

fn figure_row(
    name: &str,
    read: &dyn Fn(&Summary) -> String,
    own: &Summary,
    others: &[Comparison],
) -> Vec<String> {
    let mut cells = vec![
        format!("<th scope=\"row\">{}</th>", escape(name)),
        format!("<td class=\"num own\">{}</td>", escape(&read(own))),
    ];
    cells.extend(others.iter().map(|other| number(&read(&other.summary))));
    cells
}

pub(super) fn rules(result: &BacktestResult) -> String {
    let rows: Vec<(String, Vec<String>)> = result
        .summary
        .by_reason
        .iter()
        .map(|total| {
            let cells = vec![
                cell(&words_of(total.reason, total.side)),
                number(&total.trades.to_string()),
                number(&dollars(total.usd)),
            ];
            (String::new(), cells)
        })
        .collect();
    if rows.is_empty() {
        return "<p class=\"about\">No rule traded.</p>".to_owned();
    }
    table("numbers", &["Rule", "Trades", "USD"], &rows)
}

pub(super) fn reasons(result: &BacktestResult) -> String {
    let all = Decimal::from(result.summary.ticks.max(1));
    let rows: Vec<(String, Vec<String>)> = result
        .summary
        .holds
        .iter()
        .map(|total| {
            let share = Decimal::from(total.ticks) / all * Decimal::ONE_HUNDRED;
            let cells = vec![
                reason_cell(total.reason),
                number(&count(total.ticks)),
                number(&format!("{share:.1} %")),
            ];
            (String::new(), cells)
        })
        .collect();
    if rows.is_empty() {
        return "<p class=\"about\">Every tick traded.</p>".to_owned();
    }
    table("numbers", &["Reason", "Ticks", "Of all"], &rows)
}

/// A hold reason, and what it means.
pub(super) fn reason_cell(reason: HoldReason) -> String {
    format!(
        "<td><code>{reason}</code><br><span class=\"dim\">{}</span></td>",
        escape(reason.explain())
    )
}
