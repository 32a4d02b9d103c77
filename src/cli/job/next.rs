//! When a job trades next, and at which prices, in words.

mod basket;
mod order;

use crate::{
    app::jobs::{
        next::{DailyLimit, Next},
        status::Status,
    },
    cli::out::{Clock, dollars},
    domain::{
        Timestamp, brief,
        config::{AccumulateConfig, AfterStop, LiquidityConfig, Rules},
        job::JobStatus,
        outlook::{DipBuy, PriceBand, Rebalance, Spread, Stop, StopLine, TakeProfit},
    },
};
use rust_decimal::Decimal;

/// What a job waits for, one line a rule.
pub(super) fn lines(status: &Status, clock: Clock) -> Vec<(&'static str, String)> {
    let next = &status.next;
    let stopped = matches!(status.line.status, JobStatus::Paused | JobStatus::Error);
    let mut lines = Vec::new();
    if let Some(due) = next.slice {
        let due = if due > next.now {
            clock.near(due)
        } else {
            "due now".to_owned()
        };
        lines.push(("next slice", once_resumed(due, stopped)));
    }
    match &status.config.rules {
        Rules::Accumulate(rules) => {
            let dca = next.dca.map(|slot| clock.near(slot));
            lines.extend(dca.map(|slot| ("next DCA", once_resumed(slot, stopped))));
            lines.extend(next.buys_between.map(|band| ("buys", price_band(&band))));
            lines.extend(next.dip_buy.map(|dip| ("dip buy", dip_buy(clock, rules, &dip))));
            lines.extend(next.stops.iter().map(|found| stop(rules, found)));
            let arms = next.trailing_arms_at_usd.map(brief::price);
            let gain = rules.trailing_arm_pct;
            lines.extend(arms.map(|at| {
                let words = format!("armed at {at} or above: {gain} % above the average cost");
                ("trailing stop", words)
            }));
            let again = next.buys_again.map(|at| clock.near(at));
            lines.extend(again.map(|at| ("after its stop", format!("buys nothing before {at}"))));
            let sale = next.take_profit;
            lines.extend(sale.map(|sale| ("take profit", take_profit(clock, rules, &sale))));
        }
        Rules::Liquidity(rules) => lines.extend(around_the_average(next, rules, clock)),
        Rules::Order(rules) => lines.extend(order::lines(status, rules, clock)),
        Rules::Basket(_) => lines.extend(next.basket.iter().flat_map(basket::lines)),
    }
    let limits = next.daily_limits.iter();
    lines.extend(limits.map(|limit| ("daily limit", daily_limit(clock, limit))));
    lines
}

fn once_resumed(when: String, stopped: bool) -> String {
    if stopped {
        format!("{when}, if it is resumed by then")
    } else {
        when
    }
}

fn price_band(band: &PriceBand) -> String {
    match (band.at_or_above_usd, band.at_or_below_usd) {
        (Some(low), Some(high)) => format!("only from {} to {}", brief::price(low), brief::price(high)),
        (Some(low), None) => format!("only at {} or above", brief::price(low)),
        (None, Some(high)) => format!("only at {} or below", brief::price(high)),
        (None, None) => "at any price".to_owned(),
    }
}

fn dip_buy(clock: Clock, rules: &AccumulateConfig, dip: &DipBuy) -> String {
    let needed = if dip.seen_once {
        "in the next slot too"
    } else {
        "in two slots in a row"
    };
    format!(
        "at {} or below, {needed}: {} % below the high of {}{}",
        brief::price(dip.at_or_below_usd),
        rules.dip_buy_threshold_pct,
        brief::price(dip.high_usd),
        not_before(clock, dip.not_before)
    )
}

/// A stop, and what follows once it has sold.
fn stop(rules: &AccumulateConfig, found: &Stop) -> (&'static str, String) {
    let at = brief::price(found.at_or_below_usd);
    let (name, line) = match (found.line, found.from_usd) {
        (StopLine::AverageCost, Some(cost)) => {
            let (pct, cost) = (rules.stop_loss_pct, brief::price(cost));
            ("stop loss", format!("{pct} % below the average cost of {cost}"))
        }
        (StopLine::AverageCost, None) => ("stop loss", format!("{} % below its cost", rules.stop_loss_pct)),
        (StopLine::High, high) => {
            let (pct, high) = (
                rules.trailing_stop_pct,
                high.map_or_else(String::new, brief::price),
            );
            ("trailing stop", format!("{pct} % below the high of {high}"))
        }
        (StopLine::Price, _) => ("stop price", "its own price".to_owned()),
    };
    if !found.armed {
        return (
            name,
            format!("nothing to sell; nothing is bought at {at} or below: {line}"),
        );
    }
    let needed = if found.seen_once {
        "in the next slot too"
    } else {
        "in two slots in a row"
    };
    let sells = match rules.stop_sells_pct {
        all if all == Decimal::ONE_HUNDRED => "sells all".to_owned(),
        part => format!("sells {part} %"),
    };
    let then = match rules.after_stop {
        AfterStop::Pause => "then paused",
        AfterStop::Continue => "then continues",
        AfterStop::Idle => "then idle",
    };
    (
        name,
        format!("{sells} at {at} or below, {needed}: {line}; {then}"),
    )
}

fn take_profit(clock: Clock, rules: &AccumulateConfig, sale: &TakeProfit) -> String {
    let (gain, fall) = (rules.take_profit_pct, rules.trailing_take_profit_pct);
    if let Some(trails) = sale.trails {
        return format!(
            "at {} or below: {fall} % below the high of {} since its goal was reached",
            brief::price(trails.at_or_below_usd),
            brief::price(trails.high_usd)
        );
    }
    let over = match sale.last_sale_usd {
        Some(last) => format!(
            "{gain} % above the last sale at {}, until the average cost falls",
            brief::price(last)
        ),
        None => format!("{gain} % above the average cost"),
    };
    let then = match fall.is_zero() {
        true => String::new(),
        false => format!(", then {fall} % below the high"),
    };
    format!(
        "at {} or above: {over}{then}{}",
        brief::price(sale.at_or_above_usd),
        not_before(clock, sale.not_before)
    )
}

fn around_the_average(next: &Next, rules: &LiquidityConfig, clock: Clock) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(coverage) = &next.coverage {
        let (covered, needed) = (coverage.covered_pct.round_dp(1), coverage.needed_pct);
        let window = rules.ma_window;
        lines.push((
            "moving average",
            format!("prices cover {covered} % of its {window}; it trades from {needed} % on"),
        ));
    }
    lines.extend(next.spread.map(|found| ("spread trade", spread(clock, &found))));
    let band = next.rebalance.as_ref().and_then(rebalance);
    lines.extend(band.map(|prices| ("rebalance", prices)));
    lines
}

fn spread(clock: Clock, found: &Spread) -> String {
    format!(
        "buys below {}, sells above {}: moving average {}{}",
        brief::price(found.buys_below_usd),
        brief::price(found.sells_above_usd),
        brief::price(found.moving_average_usd),
        not_before(clock, found.not_before)
    )
}

fn rebalance(found: &Rebalance) -> Option<String> {
    let buys = found
        .buys_below_usd
        .map(|at| format!("buys below {}", brief::price(at)));
    let sells = found
        .sells_above_usd
        .map(|at| format!("sells above {}", brief::price(at)));
    let both: Vec<String> = buys.into_iter().chain(sells).collect();
    (!both.is_empty()).then(|| both.join(", "))
}

fn daily_limit(clock: Clock, limit: &DailyLimit) -> String {
    let what = if limit.key == "liquidity.max_daily_volume_usd" {
        "traded"
    } else {
        "bought"
    };
    let resets = limit
        .resets_at
        .map(|reset| format!("; resets {}", clock.near(reset)));
    format!(
        "{} of {} USD {what} today{}",
        dollars(limit.used_usd),
        dollars(limit.most_usd),
        resets.unwrap_or_default()
    )
}

fn not_before(clock: Clock, from: Option<Timestamp>) -> String {
    from.map(|from| format!("; not before {}", clock.near(from)))
        .unwrap_or_default()
}
