//! What the table of an order refuses.

use super::*;
use lgi_mm::domain::config::{OrderConfig, OrderSide};

fn order(config: &mut JobConfig) -> &mut OrderConfig {
    config.rules.order_mut().expect("mode order")
}

/// A change, and the message it causes.
pub(super) const ORDER: &[(Change, &str)] = &[
    (
        |c| order(c).amount_usd = Usd::ZERO,
        "order.amount_usd = 0 is not allowed: above 0, up to 1000000000",
    ),
    (
        |c| order(c).amount_usd = usd("0.99"),
        "order.amount_usd = 0.99 is not allowed: at least limits.min_trade_usd (1)",
    ),
    (
        |c| order(c).amount_usd = usd("500.01"),
        "order.amount_usd = 500.01 is not allowed: at most limits.max_daily_spend_usd (500); raise that limit to order more",
    ),
    (
        |c| {
            order(c).slices = 20;
            order(c).over = span("1d");
        },
        "order.amount_usd = 10 is not allowed: at least limits.min_trade_usd (1) in each of 20 parts of 0.5 USD",
    ),
    (
        |c| order(c).limit_usd = dec("-1"),
        "order.limit_usd = -1 is not allowed: 0 to 1000000000",
    ),
    (
        |c| order(c).stop_usd = dec("1000000000.1"),
        "order.stop_usd = 1000000000.1 is not allowed: 0 to 1000000000",
    ),
    (
        |c| order(c).trail_pct = dec("99.5"),
        "order.trail_pct = 99.5 is not allowed: 0 to 99",
    ),
    (
        |c| {
            order(c).limit_usd = dec("2");
            order(c).stop_usd = dec("1");
        },
        "order.stop_usd = 1 is not allowed: 0: an order has one of order.limit_usd, order.stop_usd and order.trail_pct, or none",
    ),
    (
        |c| order(c).slices = 0,
        "order.slices = 0 is not allowed: 1 to 10000",
    ),
    (
        |c| order(c).slices = 2,
        "order.slices = 2 is not allowed: 1, unless order.over says how much time there is from the first part to the last",
    ),
    (
        |c| {
            order(c).slices = 2;
            order(c).over = span("1h");
            order(c).trail_pct = dec("5");
        },
        "order.slices = 2 is not allowed: 1 with order.stop_usd or order.trail_pct: such an order trades at once when its price is reached",
    ),
    (
        |c| order(c).over = span("1h"),
        "order.over = 1h is not allowed: 0s with one slice; set order.slices to 2 or more to trade in parts",
    ),
    (
        |c| {
            order(c).slices = 2;
            order(c).over = span("366d");
        },
        "order.over = 366d is not allowed: 0s to 365d",
    ),
];

#[test]
fn an_order_refuses_what_is_out_of_range_or_contradicts_itself() {
    for (change, expected) in ORDER {
        let found = messages(JobMode::Order, *change);
        assert!(
            found.iter().any(|message| message == expected),
            "{expected}: {found:#?}"
        );
    }
}

#[test]
fn the_amount_of_an_order_that_sells_is_no_limit_of_a_buy() {
    let found = messages(JobMode::Order, |c| {
        order(c).side = OrderSide::Sell;
        order(c).amount_usd = usd("501");
    });
    assert_eq!(found, Vec::<String>::new());
}
