//! What an order waits for, what is left of it and when it ends, in words.

use rust_decimal::Decimal;

use crate::{
    app::jobs::status::Status,
    cli::out::{Clock, dollars, tokens},
    domain::{
        brief,
        config::{OrderConfig, OrderSide},
        decision::Side,
        job::JobStatus,
        order::{Outlook, WaitsFor},
    },
};

/// One line for each thing that an order waits for.
pub(super) fn lines(status: &Status, rules: &OrderConfig, clock: Clock) -> Vec<(&'static str, String)> {
    let line = &status.line;
    let filled = match rules.side {
        OrderSide::Buy => format!(
            "{} of {} USD spent",
            dollars(line.spent_usd),
            dollars(rules.amount_usd)
        ),
        OrderSide::Sell => format!("{} {} left to sell", tokens(line.position), line.symbol),
    };
    if line.status == JobStatus::Idle {
        return vec![("order", format!("ended, {filled}"))];
    }
    let Some(found) = &status.next.order else {
        return vec![("order", filled)];
    };
    let mut lines = vec![("order", format!("{}; {filled}", waits(rules, found)))];
    let next = found.next_part.map(|due| clock.near(due));
    let next = next.map_or_else(|| "a part is due".to_owned(), |due| format!("next {due}"));
    if rules.slices > 1 {
        lines.push(("parts", format!("{} over {}, {next}", rules.slices, rules.over)));
    }
    lines.extend(found.until.map(|until| ("until", clock.near(until))));
    lines
}

fn waits(rules: &OrderConfig, found: &Outlook) -> String {
    let deed = match found.side {
        Side::Buy => "buys",
        Side::Sell => "sells",
    };
    let Some(at) = found.at_usd else {
        return match found.waits_for {
            WaitsFor::Market => format!("{deed} at any price"),
            _ => format!(
                "{deed} {} % from the best price, once there is a price",
                rules.trail_pct
            ),
        };
    };
    let below = (found.waits_for == WaitsFor::Limit) == (found.side == Side::Buy);
    let way = if below { "below" } else { "above" };
    let mut text = format!("{deed} at {} or {way}", brief::price(at));
    if matches!(found.waits_for, WaitsFor::Stop | WaitsFor::Trail) {
        text.push_str(match found.seen_once {
            true => ", in the next slot too",
            false => ", in two slots in a row",
        });
    }
    if let Some(best) = found.best_usd {
        let from = if below {
            "below the high of"
        } else {
            "above the low of"
        };
        text.push_str(&format!(": {} % {from} {}", rules.trail_pct, brief::price(best)));
    }
    match found.distance_pct {
        Some(distance) => format!("{text}, {}", away(distance)),
        None => text,
    }
}

/// A price of several times another is no percentage that anybody reads.
fn away(distance_pct: Decimal) -> String {
    if distance_pct <= Decimal::ONE_HUNDRED {
        return format!("{distance_pct} % away");
    }
    // The distance is in per cent of the price that is waited for.
    let times = distance_pct.checked_div(Decimal::ONE_HUNDRED);
    let times = times.and_then(|times| times.checked_add(Decimal::ONE));
    times.map_or_else(
        || "far away".to_owned(),
        |times| {
            let times = times.round_dp(1).normalize().to_string();
            format!("the price is {} times that", brief::grouped(&times))
        },
    )
}
