//! When a job trades next, and at which prices, in words.

use chrono::TimeDelta;

use crate::{
    app::jobs::{
        next::{DailyLimit, Next},
        status::Status,
    },
    cli::out::{dollars, moment, short},
    domain::{
        Timestamp,
        config::{AccumulateConfig, LiquidityConfig, Rules},
        job::JobStatus,
        outlook::{DipBuy, Rebalance, Spread, TakeProfit},
        units::Price,
    },
};

/// Digits after the point of a price.
const PRICE_DIGITS: usize = 9;

/// What a job waits for, one line a rule.
pub(super) fn lines(status: &Status) -> Vec<(&'static str, String)> {
    let next = &status.next;
    let stopped = matches!(status.line.status, JobStatus::Paused | JobStatus::Error);
    let mut lines = Vec::new();
    if let Some(due) = next.slice {
        let due = if due > next.now {
            at(next, due)
        } else {
            "due now".to_owned()
        };
        lines.push(("next slice", once_resumed(due, stopped)));
    }
    match &status.config.rules {
        Rules::Accumulate(rules) => {
            let dca = next.dca.map(|slot| at(next, slot));
            lines.extend(dca.map(|slot| ("next DCA", once_resumed(slot, stopped))));
            lines.extend(next.dip_buy.map(|dip| ("dip buy", dip_buy(next, rules, &dip))));
            let sale = next.take_profit;
            lines.extend(sale.map(|sale| ("take profit", take_profit(next, rules, &sale))));
        }
        Rules::Liquidity(rules) => lines.extend(around_the_average(next, rules)),
    }
    let limits = next.daily_limits.iter();
    lines.extend(limits.map(|limit| ("daily limit", daily_limit(next, limit))));
    lines
}

fn once_resumed(when: String, stopped: bool) -> String {
    if stopped {
        format!("{when}, if it is resumed by then")
    } else {
        when
    }
}

fn dip_buy(next: &Next, rules: &AccumulateConfig, dip: &DipBuy) -> String {
    let needed = if dip.seen_once {
        "in the next slot too"
    } else {
        "in two slots in a row"
    };
    format!(
        "at {} or below, {needed}: {} % below the high of {}{}",
        price(dip.at_or_below_usd),
        rules.dip_buy_threshold_pct,
        price(dip.high_usd),
        not_before(next, dip.not_before)
    )
}

fn take_profit(next: &Next, rules: &AccumulateConfig, sale: &TakeProfit) -> String {
    let gain = rules.take_profit_pct;
    let over = match sale.last_sale_usd {
        Some(last) => format!(
            "{gain} % above the last sale at {}, until the average cost falls",
            price(last)
        ),
        None => format!("{gain} % above the average cost"),
    };
    format!(
        "at {} or above: {over}{}",
        price(sale.at_or_above_usd),
        not_before(next, sale.not_before)
    )
}

fn around_the_average(next: &Next, rules: &LiquidityConfig) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(coverage) = &next.coverage {
        let (covered, needed) = (coverage.covered_pct.round_dp(1), coverage.needed_pct);
        let window = rules.ma_window;
        lines.push((
            "moving average",
            format!("prices cover {covered} % of its {window}; it trades from {needed} % on"),
        ));
    }
    lines.extend(next.spread.map(|found| ("spread trade", spread(next, &found))));
    let band = next.rebalance.as_ref().and_then(rebalance);
    lines.extend(band.map(|prices| ("rebalance", prices)));
    lines
}

fn spread(next: &Next, found: &Spread) -> String {
    format!(
        "buys below {}, sells above {}: moving average {}{}",
        price(found.buys_below_usd),
        price(found.sells_above_usd),
        price(found.moving_average_usd),
        not_before(next, found.not_before)
    )
}

fn rebalance(found: &Rebalance) -> Option<String> {
    let buys = found.buys_below_usd.map(|at| format!("buys below {}", price(at)));
    let sells = found
        .sells_above_usd
        .map(|at| format!("sells above {}", price(at)));
    let both: Vec<String> = buys.into_iter().chain(sells).collect();
    (!both.is_empty()).then(|| both.join(", "))
}

fn daily_limit(next: &Next, limit: &DailyLimit) -> String {
    let what = if limit.key == "liquidity.max_daily_volume_usd" {
        "traded"
    } else {
        "bought"
    };
    let resets = limit.resets_at.map(|reset| {
        let clock = reset.format("%H:%M");
        format!("; resets at {clock} UTC ({})", distance(next.now, reset))
    });
    format!(
        "{} of {} USD {what} today{}",
        dollars(limit.used_usd),
        dollars(limit.most_usd),
        resets.unwrap_or_default()
    )
}

fn not_before(next: &Next, from: Option<Timestamp>) -> String {
    from.map(|from| format!("; not before {}", at(next, from)))
        .unwrap_or_default()
}

fn at(next: &Next, time: Timestamp) -> String {
    format!("{} ({})", moment(time), distance(next.now, time))
}

fn price(price: Price) -> String {
    short(&price.to_string(), PRICE_DIGITS)
}

/// The two largest units of the time from `now`: `in 3 h 52 m`.
fn distance(now: Timestamp, time: Timestamp) -> String {
    let left = (time - now).max(TimeDelta::zero());
    let parts = [
        (left.num_days(), "d"),
        (left.num_hours() % 24, "h"),
        (left.num_minutes() % 60, "m"),
        (left.num_seconds() % 60, "s"),
    ];
    let first = parts.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let shown: Vec<String> = parts
        .iter()
        .skip(first)
        .take(2)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    format!("in {}", shown.join(" "))
}
