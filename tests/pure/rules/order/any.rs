//! Whatever its configuration and the prices are: an order never does more than was ordered.

use chrono::TimeDelta;
use lgi_mm::domain::{
    Timestamp,
    config::{JobConfig, OrderConfig, OrderSide, Rules},
    costs::fair_out,
    decision::{Decision, Facts, Plan, Reason, Side},
    kept::Kept,
    limits::{self, Quoted},
    order::{self, Done},
    units::{Price, Rounding, Usd},
};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{
    super::support::{any_price, any_usd, apply, at, facts, fill, ordering, tokens, usd},
    span,
};

fn any_order() -> impl Strategy<Value = OrderConfig> {
    (
        any::<bool>(),
        1_i64..500,
        proptest::option::of((0_u32..3, 50_i64..200)),
        1_u32..8,
        proptest::option::of(0_i64..200),
    )
        .prop_map(|(buys, amount, trigger, slices, until)| {
            let mut config = OrderConfig {
                side: if buys { OrderSide::Buy } else { OrderSide::Sell },
                amount_usd: usd(&amount.to_string()),
                until: until.map(|minutes| at(minutes * 60)),
                ..OrderConfig::default()
            };
            match trigger {
                Some((0, percent)) => config.limit_usd = Decimal::new(percent, 2),
                Some((1, percent)) => config.stop_usd = Decimal::new(percent, 2),
                Some((_, percent)) => config.trail_pct = Decimal::from(percent % 90 + 1),
                None => {}
            }
            if config.stop_usd.is_zero() && config.trail_pct.is_zero() && slices > 1 {
                config.slices = slices;
                config.over = span("2h");
            }
            config
        })
}

/// Runs an order over prices, a minute each, as an engine would: every plan fills at its price, and it ends when it is
/// done. What it traded, with the facts of each.
fn run(config: &JobConfig, held: &str, prices: &[i64]) -> (Vec<(Plan, Facts)>, Facts, Option<Timestamp>) {
    let rules = config.rules.order().expect("an order");
    let (mut now, mut done, mut ended) = (facts(), Vec::new(), None);
    now.position.token_balance = tokens(held);
    now.position.cost_basis = usd("1");
    for (minute, cents) in (0..).zip(prices) {
        let before = now.price;
        now.now = at(minute * 60);
        now.price = Price::new(Decimal::new(*cents, 2)).expect("a price");
        now.recent_high = now.price;
        now.last_price = (minute > 0).then(|| (before, now.now - TimeDelta::minutes(1)));
        let so_far = Done {
            bought: now.bought,
            held: now.position.token_balance,
            any: now.last.order.is_some(),
        };
        if order::ended(rules, &config.limits, so_far, now.now).is_some() {
            ended = Some(now.now);
            break;
        }
        let decided = limits::decide(config, &now);
        let best = limits::remembered_high(config, &now, None);
        if let Decision::Trade(plan) = decided {
            done.push((plan, now.clone()));
            let filled = fill(&plan, &now.position, 0);
            apply(&plan, &mut now);
            if plan.side == Side::Buy {
                now.bought = now.bought.checked_add(filled.quote_usd).expect("USD");
            }
        }
        now.trailing_high = best;
    }
    (done, now, ended)
}

proptest! {
    #[test]
    fn no_order_trades_more_than_was_ordered_or_after_its_time(
        rules in any_order(),
        prices in proptest::collection::vec(40_i64..250, 1..160),
    ) {
        let mut config = ordering();
        let (side, until, amount) = (rules.side, rules.until, rules.amount_usd);
        config.rules = Rules::Order(rules.clone());
        let (done, last, ended) = run(&config, "50", &prices);
        let spent: Decimal = done.iter().filter(|(plan, _)| plan.side == Side::Buy).map(|(plan, _)| plan.value.decimal()).sum();
        prop_assert!(spent <= amount.decimal(), "{spent} of {amount}");
        for (plan, at) in &done {
            prop_assert_eq!(plan.side, side.side());
            prop_assert!(until.is_none_or(|until| at.now < until));
            prop_assert!(plan.side == Side::Buy || plan.amount_in <= at.position.token_balance);
        }
        // A stop fires once: everything that it does is one trade.
        let stops = done.iter().filter(|(plan, _)| matches!(plan.reason, Reason::StopOrder | Reason::TrailingOrder)).count();
        let clipped = amount > config.limits.max_daily_spend_usd;
        prop_assert!(stops <= 1 || clipped, "{stops} trades of one stop");
        prop_assert!(done.len() <= rules.slices as usize, "{} trades of {} parts", done.len(), rules.slices);
        if let Some(at) = ended {
            prop_assert!(done.iter().all(|(_, facts)| facts.now < at));
        }
        if side == OrderSide::Sell {
            prop_assert!(last.position.token_balance <= tokens("50"));
        }
    }

    /// The best price of an order that trails, and so its line, never moves against it.
    #[test]
    fn the_line_of_a_trailing_order_never_moves_against_its_direction(
        sells in any::<bool>(),
        percent in 1_i64..90,
        prices in proptest::collection::vec(40_i64..250, 1..160),
    ) {
        let side = if sells { OrderSide::Sell } else { OrderSide::Buy };
        let rules = OrderConfig { side, trail_pct: Decimal::from(percent), ..OrderConfig::default() };
        let mut now = facts();
        now.position.token_balance = tokens("50");
        (now.trailing_high, now.last_price) = (None, None);
        for price in prices {
            now.price = Price::new(Decimal::new(price, 2)).expect("above zero");
            let before = now.trailing_high;
            now.trailing_high = order::remembered_best(&rules, &now);
            let Some(best) = now.trailing_high else {
                return Err(TestCaseError::fail("an order that trails remembers its best price"));
            };
            match side {
                OrderSide::Sell => prop_assert!(before.is_none_or(|before| best >= before) && best >= now.price),
                OrderSide::Buy => prop_assert!(before.is_none_or(|before| best <= before) && best <= now.price),
            }
        }
    }

    /// Whatever the venue quotes: what is approved comes to the limit, less the stated slippage, fees included.
    #[test]
    fn a_limit_never_fills_beyond_its_price_beyond_the_stated_slippage(
        (limit, sells, amount) in (any_price(), any::<bool>(), any_usd()),
        better_pct in 0_i64..200,
        slippage in 1_u32..5_000,
        (quoted_pct, fee_ppm) in (1_i64..200, 0_u32..300_000),
    ) {
        let side = if sells { OrderSide::Sell } else { OrderSide::Buy };
        let mut config = ordering();
        config.rules = Rules::Order(OrderConfig {
            side,
            amount_usd: amount.max(usd("1")),
            limit_usd: limit.decimal(),
            ..OrderConfig::default()
        });
        config.limits.max_slippage_bps = slippage;
        config.limits.max_pool_fee_bps = 5_000;
        config.limits.max_daily_spend_usd = Usd::ZERO;
        config.price.max_price_deviation_bps = 10_000;
        let mut now = facts();
        // At the limit, or better by so much.
        let better = match side {
            OrderSide::Buy => Decimal::ONE_HUNDRED / Decimal::from(100 + better_pct),
            OrderSide::Sell => Decimal::from(100 + better_pct) / Decimal::ONE_HUNDRED,
        };
        let Ok(found) = Price::new((limit.decimal() * better).round_dp(20)) else { return Ok(()) };
        now.price = found;
        now.position.token_balance = tokens("1000");
        now.position.cost_basis = usd("1");
        let Decision::Trade(plan) = limits::decide(&config, &now) else { return Ok(()) };
        let fair = fair_out(plan.side, plan.value, plan.price, &now.position).expect("in range");
        let out = fair.mul_div(
            alloy_primitives::U256::from(quoted_pct), alloy_primitives::U256::from(100), Rounding::Down,
        ).expect("in range");
        let (out_decimals, out_price) = match side {
            OrderSide::Buy => (18, now.price),
            OrderSide::Sell => (6, Price::ONE),
        };
        let quoted = Quoted {
            amount_out: out,
            out_decimals,
            out_price,
            price_impact_bps: 0,
            kept: Kept::by_pool(fee_ppm),
            launched: None,
            gas_usd: Usd::ZERO,
            available_in: plan.amount_in,
            gas_affordable: true,
        };
        let Ok(approved) = limits::approve(plan, &config, &quoted) else { return Ok(()) };
        let share = (10_000 - slippage, 10_000);
        let least = match side {
            OrderSide::Buy => plan.value.share_to_amount(share, 18, limit, Rounding::Up),
            OrderSide::Sell => plan.amount_in.value(18, limit, Rounding::Down)
                .and_then(|worth| worth.share_to_amount(share, 6, Price::ONE, Rounding::Down)),
        };
        let least = least.expect("in range");
        prop_assert!(approved.amount_out_min() >= least, "{} < {least}", approved.amount_out_min());
        prop_assert!(approved.amount_out_expected() >= approved.amount_out_min());
    }
}
