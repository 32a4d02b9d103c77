//! Data of the charts, as JSON. Numbers for drawing are rounded floats; numbers shown as text stay exact.

use std::collections::BTreeMap;

use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};
use serde::Serialize;
use strum::VariantArray;

use super::{
    error::ReportError,
    figures::{plan_name, words},
    html,
};
use crate::{
    backtest::{
        Detail,
        result::{ArmedRule, BacktestResult, Comparison, Point, TradeLine},
    },
    domain::{
        config::Rules,
        decision::{HoldReason, Reason, Side},
        units::{Price, Usd},
    },
};

/// Maximum number of drawn points.
pub const POINTS_MAX: usize = Detail::REPORT.points_max;

/// Maximum number of drawn and listed trades.
pub const TRADES_MAX: usize = 20_000;

/// Significant digits of drawn numbers: finer than any screen.
const DRAWN_DIGITS: u32 = 7;

/// Significant digits of a price, in texts and legends.
const PRICE_DIGITS: u32 = 6;

/// Minimum number of points of a chart when zoomed in.
const POINTS_SHOWN_MIN: i64 = 12;

#[derive(Serialize)]
struct Data {
    /// Seconds since 1970, like all times here.
    from: i64,
    to: i64,
    /// The shortest zoom range, seconds.
    span_min: i64,
    points: Points,
    /// The same money without the rules.
    plans: Vec<PlanLine>,
    /// When stops and trailing rules were armed.
    armed: Vec<Armed>,
    /// Target share of the tokens and the width of the band on either side, per cent.
    target: Option<(f64, f64)>,
    reasons: Vec<Reason>,
    /// The reasons in words.
    rules: Vec<&'static str>,
    trades: Trades,
    holds: Holds,
}

#[derive(Default, Serialize)]
struct Points {
    t: Vec<i64>,
    price: Vec<f64>,
    avg: Vec<Option<f64>>,
    /// Where a stop sells.
    stop: Vec<Option<f64>>,
    value: Vec<f64>,
    money: Vec<f64>,
    cash: Vec<f64>,
    dd: Vec<f64>,
    /// Moving average.
    ma: Vec<Option<f64>>,
    /// Tokens' share, per cent.
    share: Vec<Option<f64>>,
}

/// Ranges of one rule.
#[derive(Serialize)]
struct Armed {
    name: &'static str,
    /// First and last slot, and whether the rule sold.
    ranges: Vec<(i64, i64, bool)>,
}

/// What the same money was worth in another plan.
#[derive(Serialize)]
struct PlanLine {
    name: &'static str,
    /// At each point.
    values: Vec<f64>,
}

#[derive(Default, Serialize)]
struct Trades {
    t: Vec<i64>,
    sell: Vec<u8>,
    reason: Vec<usize>,
    price: Vec<f64>,
    fill: Vec<String>,
    usd: Vec<String>,
    tokens: Vec<String>,
    fee: Vec<String>,
    gas: Vec<String>,
    realised: Vec<String>,
}

#[derive(Serialize)]
struct Holds {
    /// The most frequent first.
    reasons: Vec<HoldReason>,
    explain: Vec<&'static str>,
    /// Flattened: reason, first slot, last slot, ticks.
    runs: Vec<i64>,
}

/// Safe inside a `<script>`: no text can end it.
pub(super) fn json(result: &BacktestResult) -> Result<String, ReportError> {
    let points = &result.points;
    let from = points.first().map_or(0, seconds);
    let to = points.last().map_or(0, seconds);
    let reasons = reasons(&result.trades);
    let data = Data {
        from,
        to,
        span_min: shortest_span(from, to, points.len()),
        points: columns(points),
        plans: plans(result),
        armed: armed(result),
        target: target(result),
        rules: reasons.iter().map(|reason| words(*reason)).collect(),
        trades: trades(result, &reasons),
        reasons,
        holds: holds(result),
    };
    let text = serde_json::to_string(&data)?;
    Ok(text
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026"))
}

/// For rules with too many trades to draw all, if `most` are drawn: the number of trades, and the interval of drawn
/// ones.
pub(super) fn too_many(trades: &[TradeLine], most: usize) -> BTreeMap<Reason, (usize, usize)> {
    if trades.len() <= most {
        return BTreeMap::new();
    }
    let mut counts = BTreeMap::<Reason, usize>::new();
    for trade in trades {
        let count = counts.entry(trade.reason).or_default();
        *count = count.saturating_add(1);
    }
    // Each rule gets an equal share of the limit, so that a frequent rule does not displace a rare one.
    let room = most.checked_div(counts.len()).unwrap_or(most).max(1);
    counts
        .into_iter()
        .filter(|(_, count)| *count > room)
        .map(|(reason, count)| (reason, (count, count.div_ceil(room))))
        .collect()
}

/// The trades that are drawn and listed, at most about `most`.
pub(super) fn drawn(trades: &[TradeLine], most: usize) -> Vec<&TradeLine> {
    let too_many = too_many(trades, most);
    let mut seen = BTreeMap::<Reason, usize>::new();
    trades
        .iter()
        .filter(|trade| {
            let index = seen.entry(trade.reason).or_default();
            let is_drawn = too_many
                .get(&trade.reason)
                .is_none_or(|(_, every)| index.is_multiple_of(*every));
            *index = index.saturating_add(1);
            is_drawn
        })
        .collect()
}

fn seconds(point: &Point) -> i64 {
    point.at.timestamp()
}

fn shortest_span(from: i64, to: i64, points: usize) -> i64 {
    let apart = to
        .saturating_sub(from)
        .checked_div(i64::try_from(points).unwrap_or(i64::MAX));
    apart.unwrap_or_default().saturating_mul(POINTS_SHOWN_MIN).max(1)
}

/// A number for drawing, never for calculations.
pub(super) fn drawing(value: Decimal) -> f64 {
    value
        .round_sf(DRAWN_DIGITS)
        .unwrap_or(value)
        .to_f64()
        .unwrap_or_default()
}

/// Cut to the cent, as the text shows it, so that a legend says the same; less than a cent keeps its first digits.
fn usd(value: Usd) -> f64 {
    let cents = value
        .decimal()
        .round_dp_with_strategy(2, RoundingStrategy::ToZero);
    if cents.is_zero() {
        drawing(value.decimal())
    } else {
        cents.to_f64().unwrap_or_default()
    }
}

/// Cut to as many digits as the text shows.
fn price(value: Price) -> f64 {
    let cut = value
        .decimal()
        .round_sf_with_strategy(PRICE_DIGITS, RoundingStrategy::ToZero);
    cut.unwrap_or(value.decimal()).to_f64().unwrap_or_default()
}

fn columns(points: &[Point]) -> Points {
    let mut columns = Points::default();
    for point in points {
        columns.t.push(seconds(point));
        columns.price.push(price(point.price));
        columns.avg.push(point.average_cost.map(price));
        columns.stop.push(point.stop_usd.map(price));
        columns.value.push(usd(point.value_usd));
        columns.money.push(usd(point.money_in_usd));
        columns.cash.push(usd(point.cash_usd));
        columns.dd.push(drawing(point.drawdown_pct));
        columns.ma.push(point.moving_average.map(price));
        columns.share.push(point.token_pct.map(drawing));
    }
    columns
}

/// The rules that were armed at some time.
fn armed(result: &BacktestResult) -> Vec<Armed> {
    let of = |rule: &ArmedRule| Armed {
        name: match rule {
            ArmedRule::StopLoss => "Stop armed",
            ArmedRule::TrailingStop => "Trailing stop armed",
            ArmedRule::TrailingTakeProfit => "Take profit follows",
        },
        ranges: result
            .armed
            .iter()
            .filter(|range| range.rule == *rule)
            .map(|range| (range.from.timestamp(), range.to.timestamp(), range.fired))
            .collect(),
    };
    let all = ArmedRule::VARIANTS.iter().map(of);
    all.filter(|armed| !armed.ranges.is_empty()).collect()
}

fn plans(result: &BacktestResult) -> Vec<PlanLine> {
    let drawn = |other: &&Comparison| other.values.len() == result.points.len();
    result
        .comparisons
        .iter()
        .filter(drawn)
        .map(|other| PlanLine {
            name: plan_name(other.plan),
            values: other.values.iter().copied().map(usd).collect(),
        })
        .collect()
}

fn target(result: &BacktestResult) -> Option<(f64, f64)> {
    match &result.setup.config.rules {
        Rules::Liquidity(rules) => Some((
            drawing(rules.target_ratio_pct),
            drawing(rules.rebalance_threshold_pct),
        )),
        Rules::Accumulate(_) | Rules::Order(_) | Rules::Basket(_) => None,
    }
}

/// The rules that traded, in the order of the rules.
fn reasons(trades: &[TradeLine]) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = trades.iter().map(|trade| trade.reason).collect();
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}

fn trades(result: &BacktestResult, reasons: &[Reason]) -> Trades {
    let decimals = result.setup.token_decimals;
    let mut columns = Trades::default();
    for trade in drawn(&result.trades, TRADES_MAX) {
        columns.t.push(trade.at.timestamp());
        columns.sell.push(u8::from(trade.side == Side::Sell));
        let reason = reasons.iter().position(|reason| *reason == trade.reason);
        columns.reason.push(reason.unwrap_or_default());
        columns.price.push(price(trade.price));
        columns.fill.push(html::price(Some(trade.fill_price)));
        columns.usd.push(html::dollars(trade.quote_usd));
        columns
            .tokens
            .push(html::tokens(&trade.base_amount.to_whole(decimals)));
        columns.fee.push(html::dollars(trade.fee_usd));
        columns.gas.push(html::dollars(trade.gas_usd));
        columns.realised.push(html::signed(trade.realized_usd));
    }
    columns
}

fn holds(result: &BacktestResult) -> Holds {
    let reasons: Vec<HoldReason> = result.summary.holds.iter().map(|total| total.reason).collect();
    let rank: BTreeMap<HoldReason, i64> = reasons.iter().copied().zip(0..).collect();
    let runs = result
        .holds
        .iter()
        .flat_map(|run| {
            let reason = rank.get(&run.reason).copied().unwrap_or_default();
            let ticks = i64::try_from(run.ticks).unwrap_or(i64::MAX);
            [reason, run.from.timestamp(), run.to.timestamp(), ticks]
        })
        .collect();
    Holds {
        explain: reasons.iter().map(|reason| reason.explain()).collect(),
        reasons,
        runs,
    }
}
