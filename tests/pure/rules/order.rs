//! Mode order: when it trades, and how much.

mod any;

use lgi_mm::domain::{
    config::{OrderConfig, OrderSide, ScheduleConfig},
    decision::{Decision, Facts, HoldReason, Plan, Reason, RuleFill, Side},
    order::{self, Done, OrderEnd},
    span::Span,
    units::{Amount, Usd},
};

use super::support::{at, dec, facts, ordering, price, tokens, usd};

fn span(text: &str) -> Span {
    text.parse().expect("a span")
}

fn buying(amount: &str) -> OrderConfig {
    OrderConfig {
        amount_usd: usd(amount),
        ..OrderConfig::default()
    }
}

fn selling() -> OrderConfig {
    OrderConfig {
        side: OrderSide::Sell,
        ..OrderConfig::default()
    }
}

/// An hour after the order was placed, at this price, and a minute before at another.
fn seen(now: &str, before: Option<&str>) -> Facts {
    let mut facts = facts();
    facts.now = at(3_600);
    facts.price = price(now);
    facts.recent_high = price(now);
    facts.last_price = before.map(|before| (price(before), at(3_540)));
    facts
}

fn holding(facts: Facts, amount: &str) -> Facts {
    let mut facts = facts;
    facts.position.token_balance = tokens(amount);
    facts.position.cost_basis = usd(amount);
    facts
}

fn decide(config: &OrderConfig, facts: &Facts) -> Result<Plan, HoldReason> {
    match order::decide(config, &ScheduleConfig::default(), facts) {
        Decision::Trade(plan) => Ok(plan),
        Decision::Hold(reason) => Err(reason),
    }
}

fn reason(config: &OrderConfig, facts: &Facts) -> Result<Reason, HoldReason> {
    decide(config, facts).map(|plan| plan.reason)
}

#[test]
fn a_limit_trades_at_its_price_or_better_at_the_first_sample() {
    let buy = OrderConfig {
        limit_usd: dec("1.5"),
        ..buying("30")
    };
    assert_eq!(
        reason(&buy, &seen("1.5000001", None)),
        Err(HoldReason::OrderPrice)
    );
    let plan = decide(&buy, &seen("1.5", None)).expect("a buy");
    assert_eq!(
        (plan.side, plan.reason, plan.value),
        (Side::Buy, Reason::LimitOrder, usd("30"))
    );
    let sell = OrderConfig {
        limit_usd: dec("1.5"),
        ..selling()
    };
    let held = |now| holding(seen(now, None), "12.5");
    assert_eq!(reason(&sell, &held("1.4999999")), Err(HoldReason::OrderPrice));
    let plan = decide(&sell, &held("1.5")).expect("a sale");
    assert_eq!(
        (plan.side, plan.reason, plan.amount_in),
        (Side::Sell, Reason::LimitOrder, tokens("12.5"))
    );
    assert_eq!(reason(&sell, &seen("1.5", None)), Err(HoldReason::OrderEmpty));
}

#[test]
fn an_order_without_a_price_trades_at_once() {
    assert_eq!(reason(&buying("30"), &seen("7", None)), Ok(Reason::MarketOrder));
    assert_eq!(
        reason(&selling(), &holding(seen("7", None), "1")),
        Ok(Reason::MarketOrder)
    );
}

#[test]
fn a_stop_needs_two_samples_that_are_of_the_order_s_time() {
    let sell = OrderConfig {
        stop_usd: dec("0.8"),
        ..selling()
    };
    let held = |now, before| holding(seen(now, before), "10");
    for (now, before, expected) in [
        ("0.81", Some("0.8"), Err(HoldReason::OrderPrice)),
        ("0.8", None, Err(HoldReason::OrderUnconfirmed)),
        ("0.8", Some("0.81"), Err(HoldReason::OrderUnconfirmed)),
        ("0.8", Some("0.8"), Ok(Reason::StopOrder)),
        ("0.5", Some("0.79"), Ok(Reason::StopOrder)),
    ] {
        assert_eq!(
            reason(&sell, &held(now, before)),
            expected,
            "{now} after {before:?}"
        );
    }
    let mut earlier = held("0.8", Some("0.8"));
    earlier.started_at = at(3_541);
    assert_eq!(
        reason(&sell, &earlier),
        Err(HoldReason::OrderUnconfirmed),
        "a price from before the order"
    );
    let buy = OrderConfig {
        stop_usd: dec("1.2"),
        ..buying("30")
    };
    for (now, before, expected) in [
        ("1.19", Some("1.3"), Err(HoldReason::OrderPrice)),
        ("1.2", Some("1.19"), Err(HoldReason::OrderUnconfirmed)),
        ("1.3", Some("1.2"), Ok(Reason::StopOrder)),
    ] {
        assert_eq!(
            reason(&buy, &seen(now, before)),
            expected,
            "{now} after {before:?}"
        );
    }
    // What a limit left of it is traded at any price.
    let mut rest = seen("0.9", None);
    rest.last.order = Some(at(3_500));
    rest.last.order_stop = rest.last.order;
    rest.bought = usd("12");
    let plan = decide(&buy, &rest).expect("the rest");
    assert_eq!((plan.reason, plan.value), (Reason::StopOrder, usd("18")));
}

#[test]
fn a_trailing_order_follows_the_best_price_since_it_was_placed() {
    let sell = OrderConfig {
        trail_pct: dec("10"),
        ..selling()
    };
    let mut now = holding(seen("1.8", Some("1.8")), "10");
    now.trailing_high = Some(price("2"));
    assert_eq!(reason(&sell, &now), Ok(Reason::TrailingOrder));
    now.price = price("1.81");
    assert_eq!(reason(&sell, &now), Err(HoldReason::OrderPrice));
    now.price = price("2.1");
    assert_eq!(order::remembered_best(&sell, &now), Some(price("2.1")));
    now.trailing_high = None;
    assert_eq!(order::remembered_best(&sell, &now), Some(price("2.1")));
    now.position.token_balance = Amount::ZERO;
    assert_eq!(order::remembered_best(&sell, &now), None, "nothing to sell yet");
    let buy = OrderConfig {
        trail_pct: dec("10"),
        ..buying("30")
    };
    let mut now = seen("1.1", Some("1.1"));
    now.trailing_high = Some(price("1"));
    assert_eq!(reason(&buy, &now), Ok(Reason::TrailingOrder));
    assert_eq!(order::remembered_best(&buy, &now), Some(price("1")));
    now.price = price("0.9");
    assert_eq!(order::remembered_best(&buy, &now), Some(price("0.9")));
    assert_eq!(reason(&buy, &now), Err(HoldReason::OrderPrice));
    assert_eq!(
        order::remembered_best(&buying("30"), &now),
        None,
        "it does not trail"
    );
}

#[test]
fn an_order_whose_time_is_over_does_nothing() {
    let until = Some(at(3_600));
    let mut buy = OrderConfig {
        until,
        ..buying("30")
    };
    assert_eq!(reason(&buy, &seen("1", None)), Err(HoldReason::OrderOver));
    let nothing = Done {
        bought: Usd::ZERO,
        held: Amount::ZERO,
        any: false,
    };
    let limits = ordering().limits;
    let ended = |config: &OrderConfig, done, secs| order::ended(config, &limits, done, at(secs));
    assert_eq!(ended(&buy, nothing, 3_599), None);
    assert_eq!(ended(&buy, nothing, 3_600), Some(OrderEnd::Expired));
    let all = Done {
        bought: usd("29.01"),
        any: true,
        ..nothing
    };
    assert_eq!(
        ended(&buy, all, 3_600),
        Some(OrderEnd::Filled),
        "less than the least trade is left"
    );
    buy.until = None;
    assert_eq!(
        ended(
            &buy,
            Done {
                bought: usd("29"),
                ..all
            },
            9_999
        ),
        None
    );
    // A sale that was given nothing yet is not done.
    assert_eq!(ended(&selling(), nothing, 9_999), None);
    assert_eq!(
        ended(&selling(), Done { any: true, ..nothing }, 9_999),
        Some(OrderEnd::Filled)
    );
}

/// Ten parts over nine hours: one an hour.
fn parted(amount: &str) -> OrderConfig {
    OrderConfig {
        slices: 10,
        over: span("9h"),
        ..buying(amount)
    }
}

#[test]
fn a_part_is_traded_once_and_what_was_missed_is_spread_over_the_rest() {
    let config = parted("100");
    let now = |secs: i64, bought: &str, last: Option<i64>| {
        let mut now = facts();
        now.now = at(secs);
        now.bought = usd(bought);
        now.last.order = last.map(at);
        now
    };
    let value = |facts: &Facts| decide(&config, facts).map(|plan| plan.value);
    assert_eq!(value(&now(0, "0", None)), Ok(usd("10")));
    assert_eq!(value(&now(3_599, "10", Some(0))), Err(HoldReason::OrderSlice));
    assert_eq!(value(&now(3_600, "10", Some(0))), Ok(usd("10")));
    // The machine was off for two of them: six are left to spend eighty.
    assert_eq!(value(&now(4 * 3_600, "20", Some(3_600))), Ok(usd("13.333333")));
    // One that failed may have bought after all, until that is final.
    let mut unsettled = now(9 * 3_600, "90", Some(8 * 3_600));
    unsettled.spent.unsettled_buys = usd("10");
    assert_eq!(value(&unsettled), Err(HoldReason::TradeOpen));
    // In the last part all that is left is due, at each slot.
    assert_eq!(value(&now(9 * 3_600, "90", Some(8 * 3_600))), Ok(usd("10")));
    assert_eq!(value(&now(12 * 3_600, "90", Some(11 * 3_600))), Ok(usd("10")));
    let last = now(3_599, "10", Some(0)).last;
    let next = |secs| order::next_part(&config, at(0), &last, at(secs));
    assert_eq!(next(1_000), Some(at(3_600)));
    assert_eq!(next(3_600), None, "it is due");
    // Tokens: the last part takes what rounding left.
    let sale = OrderConfig {
        side: OrderSide::Sell,
        ..config.clone()
    };
    let mut held = now(0, "0", None);
    held.position.token_balance = "109".parse().expect("units");
    assert_eq!(
        decide(&sale, &held).map(|plan| plan.amount_in),
        Ok("10".parse().expect("units"))
    );
}

/// Parts that were traded at the market, or at a limit, are no stop that has fired.
#[test]
fn a_stop_that_is_given_to_an_order_with_filled_parts_waits_for_its_price() {
    let stop = OrderConfig {
        stop_usd: dec("0.5"),
        ..selling()
    };
    let filled = |reason| RuleFill {
        reason,
        slot: at(1_800),
        price: price("1"),
        average_cost: None,
    };
    let after = |reason| {
        let mut facts = holding(seen("1", Some("1")), "30");
        facts.last = facts.last.filled(filled(reason));
        facts
    };
    for part in [Reason::MarketOrder, Reason::LimitOrder] {
        assert_eq!(reason(&stop, &after(part)), Err(HoldReason::OrderPrice), "{part}");
    }
    let fired = after(Reason::StopOrder);
    assert_eq!(reason(&stop, &fired), Ok(Reason::StopOrder), "the rest follows");
    let mut adopted = fired;
    adopted.last = adopted.last.armed_again(at(2_000));
    assert_eq!(
        reason(&stop, &adopted),
        Err(HoldReason::OrderPrice),
        "armed again"
    );
}
