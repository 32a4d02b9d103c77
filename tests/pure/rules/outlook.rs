//! The prices and instants that a status names are those at which the rules fire: next to them they do not.

use chrono::TimeDelta;
use lgi_mm::domain::{
    Timestamp,
    accounting::average_cost,
    accumulate,
    config::{AccumulateConfig, LiquidityConfig, ScheduleConfig},
    decision::{Decision, Facts, Plan, Reason, Side},
    liquidity, outlook,
    schedule::CronExpr,
    span::Span,
    units::{Price, Rounding, Usd},
};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::support::{
    accumulating, any_facts, any_percent, any_price, apply, at, dec, facts, hours, mean, price, quote,
    scaled, tokens, usd,
};

fn schedule() -> ScheduleConfig {
    ScheduleConfig::default()
}

/// A price a billionth below, and one a billionth above.
fn around(at: Price) -> (Price, Price) {
    (scaled_by(at, "0.999999999"), scaled_by(at, "1.000000001"))
}

fn scaled_by(at: Price, factor: &str) -> Price {
    Price::new(at.decimal() * dec(factor)).expect("above zero")
}

fn fired(decision: Decision) -> Option<(Reason, Side)> {
    match decision {
        Decision::Trade(plan) => Some((plan.reason, plan.side)),
        Decision::Hold(_) => None,
    }
}

fn accumulate_fires(config: &AccumulateConfig, facts: &Facts) -> Option<Reason> {
    fired(accumulate::decide(config, &schedule(), facts)).map(|(reason, _)| reason)
}

fn liquidity_fires(config: &LiquidityConfig, facts: &Facts, at: Price) -> Option<(Reason, Side)> {
    let facts = Facts {
        price: at,
        ..facts.clone()
    };
    fired(liquidity::decide(config, &schedule(), &facts))
}

/// Half token, half quote, each worth 1000 USD at this price.
fn balanced(price: Price) -> Facts {
    let mut facts = facts();
    facts.now = at(hours(10));
    facts.price = price;
    facts.moving_average = Some(lgi_mm::domain::decision::MovingAverage {
        price,
        coverage_pct: Decimal::ONE_HUNDRED,
    });
    facts.position.owns_quote = true;
    facts.position.token_decimals = 24;
    facts.position.token_balance = usd("1000")
        .to_amount(24, price, Rounding::Down)
        .expect("in range");
    facts.position.cost_basis = usd("1000");
    facts.position.quote_balance = quote("1000");
    facts
}

/// Prices by hand: 8 tokens that cost 6 in all, the last sale at 1.1 when they cost 0.7 on average.
#[test]
fn the_prices_of_a_small_holding() {
    let config = AccumulateConfig {
        take_profit_pct: dec("25"),
        dip_buy_threshold_pct: dec("10"),
        ..AccumulateConfig::default()
    };
    let mut facts = facts();
    facts.now = at(hours(100));
    facts.position.token_balance = tokens("8");
    facts.position.cost_basis = usd("6");
    let profit = |facts: &Facts| {
        outlook::take_profit(
            &config,
            &schedule(),
            (&facts.position, &facts.last),
            None,
            facts.now,
        )
        .expect("in range")
        .expect("a price")
    };
    assert_eq!(profit(&facts).at_or_above_usd, price("0.9375"));
    assert_eq!(
        (profit(&facts).last_sale_usd, profit(&facts).not_before),
        (None, None)
    );
    let taken = |average: &str| lgi_mm::domain::decision::ProfitTaken {
        at: at(hours(90)),
        price: price("1.1"),
        average_cost: Some(price(average)),
    };
    facts.last.take_profit = Some(taken("0.7"));
    assert_eq!(profit(&facts).at_or_above_usd, price("1.375"));
    assert_eq!(profit(&facts).last_sale_usd, Some(price("1.1")));
    assert_eq!(profit(&facts).not_before, Some(at(hours(114))));
    // The average cost has fallen from 0.76 to 0.75.
    facts.last.take_profit = Some(taken("0.76"));
    assert_eq!(profit(&facts).at_or_above_usd, price("0.9375"));
    let dip = |previous: &str| {
        let seen = (price("0.859"), Some(price(previous)));
        outlook::dip_buy(&config, &schedule(), &facts.last, seen, facts.now)
            .expect("in range")
            .expect("a price")
    };
    assert_eq!(dip("0.8").at_or_below_usd, price("0.7731"));
    assert_eq!((dip("0.7732").seen_once, dip("0.7731").seen_once), (false, true));
    facts.position.token_balance = lgi_mm::domain::units::Amount::ZERO;
    let nothing = outlook::take_profit(
        &config,
        &schedule(),
        (&facts.position, &facts.last),
        None,
        facts.now,
    );
    assert_eq!(nothing, Ok(None));
}

/// The worked example of docs/rules.md.
#[test]
fn the_example_of_the_rules_page_is_what_the_rules_do() {
    let page = include_str!("../../../docs/rules.md");
    let (_, example) = page.split_once("```text take-profit ").expect("an example");
    let (example, _) = example.split_once("```").expect("its end");
    let mut lines = example.lines();
    let keys: Vec<&str> = lines.next().expect("keys").split(' ').collect();
    let config = AccumulateConfig {
        take_profit_pct: dec(keys[0]),
        take_profit_sell_pct: dec(keys[1]),
        take_profit_cooldown: Span::ZERO,
        ..AccumulateConfig::default()
    };
    let mut facts = facts();
    let mut checked = 0;
    for line in lines {
        let (event, expected) = line.split_once("=>").expect(line);
        let words: Vec<&str> = event.split_whitespace().collect();
        facts.now += TimeDelta::hours(1);
        facts.last.dca = Some(facts.now);
        facts.price = price(words.last().expect(line));
        let plan = match words[0] {
            "buy" => {
                let cost = tokens(words[1]).value(18, facts.price, Rounding::Down);
                let buy = Plan::buy(Reason::Dca, cost.expect("in range"), &facts);
                buy.expect("in range").expect("a buy")
            }
            _ => match accumulate::decide(&config, &schedule(), &facts) {
                Decision::Trade(plan) if plan.reason == Reason::TakeProfit => plan,
                other => panic!("{line}: {other:?}"),
            },
        };
        apply(&plan, &mut facts);
        let average = average_cost(&facts.position).expect("a holding").decimal();
        let next = outlook::take_profit(
            &config,
            &schedule(),
            (&facts.position, &facts.last),
            None,
            facts.now,
        );
        let next = next.expect("in range").expect("a price").at_or_above_usd;
        let found = format!(
            "average cost {}, take-profit from {next}",
            average.round_dp(7).normalize()
        );
        assert_eq!(found, expected.trim(), "{line}");
        checked += 1;
    }
    assert_eq!(checked, 5);
}

/// 500 tokens and 300 USD, target 50 %, 5 points: 300 x 55/45 / 500 and 300 x 45/55 / 500.
#[test]
fn the_prices_of_a_small_inventory() {
    let config = LiquidityConfig {
        rebalance_threshold_pct: dec("5"),
        ..LiquidityConfig::default()
    };
    let mut facts = facts();
    facts.position.token_balance = tokens("500");
    facts.position.quote_balance = quote("300");
    let found = outlook::rebalance(&config, &facts.position)
        .expect("in range")
        .expect("prices");
    let rounded = |price: Option<Price>| price.map(|price| price.decimal().round_dp(12));
    assert_eq!(rounded(found.sells_above_usd), Some(dec("0.733333333333")));
    assert_eq!(rounded(found.buys_below_usd), Some(dec("0.490909090909")));
    let spread =
        outlook::spread(&config, &schedule(), &facts.last, price("2.5"), facts.now).expect("in range");
    assert_eq!(
        (spread.buys_below_usd, spread.sells_above_usd),
        (price("2.45"), price("2.55"))
    );
    let one_sided = LiquidityConfig {
        target_ratio_pct: dec("97"),
        rebalance_threshold_pct: dec("3"),
        ..config
    };
    let found = outlook::rebalance(&one_sided, &facts.position)
        .expect("in range")
        .expect("prices");
    assert_eq!(found.sells_above_usd, None);
}

#[test]
fn limits_of_a_day_begin_anew_at_midnight() {
    let ends = |text: &str| outlook::day_ends(text.parse().expect("an instant")).expect("a day");
    let next: Timestamp = "2028-02-29T00:00:00Z".parse().expect("an instant");
    assert_eq!(ends("2028-02-28T23:59:59.999Z"), next);
    assert_eq!(ends("2028-02-28T00:00:00Z"), next);
}

proptest! {
    #[test]
    fn take_profit_fires_from_its_price_on_and_not_below(
        mut facts in any_facts(), take_profit_pct in any_percent(300), cooldown in 0_u64..3 * 86_400,
    ) {
        let config = AccumulateConfig {
            take_profit_pct,
            take_profit_cooldown: Span::from_secs(cooldown),
            dip_buy_threshold_pct: Decimal::ZERO,
            ..AccumulateConfig::default()
        };
        facts.last.dca = Some(facts.now);
        let found = outlook::take_profit(&config, &schedule(), (&facts.position, &facts.last), None, facts.now);
        let Ok(Some(found)) = found else {
            prop_assert_eq!(accumulate_fires(&config, &facts), None);
            return Ok(());
        };
        let (below, above) = around(found.at_or_above_usd);
        let fires_at = |now: Timestamp, price: Price| {
            let facts = Facts { now, price, ..facts.clone() };
            let mut quiet = facts.clone();
            quiet.last.dca = Some(now);
            accumulate_fires(&config, &quiet) == Some(Reason::TakeProfit)
        };
        // A quarter of too few units is none.
        let quarter = facts.position.token_balance.percent(config.take_profit_sell_pct).expect("in range");
        let sells = !quarter.is_zero();
        let from = found.not_before.unwrap_or(facts.now);
        prop_assert_eq!(fires_at(from, above), sells, "{:?}", found);
        prop_assert!(!fires_at(from, below), "{:?}", found);
        if found.not_before.is_some() {
            prop_assert!(!fires_at(from - TimeDelta::seconds(1), above));
            prop_assert!(!fires_at(facts.now, above));
        }
    }

    #[test]
    fn a_dip_is_bought_from_its_price_on_and_not_above(
        high in any_price(), threshold in 1_i64..=9_900, cooldown in 0_u64..3 * 86_400, last_dip in 0_i64..2 * 86_400,
    ) {
        let config = AccumulateConfig {
            dip_buy_threshold_pct: Decimal::new(threshold, 2),
            dip_cooldown: Span::from_secs(cooldown),
            ..AccumulateConfig::default()
        };
        let mut facts = facts();
        facts.now = at(2 * 86_400);
        facts.last.dip = Some(at(last_dip));
        facts.recent_high = high;
        let at_price = |now: Timestamp, previous: Price, price: Price| {
            let mut facts = Facts { now, price, previous_price: Some(previous), ..facts.clone() };
            facts.last.dca = Some(now);
            accumulate_fires(&config, &facts) == Some(Reason::DipBuy)
        };
        let look = |previous| {
            let found = outlook::dip_buy(&config, &schedule(), &facts.last, (high, Some(previous)), facts.now);
            found.expect("in range").expect("it is on")
        };
        let found = look(high);
        let (below, above) = around(found.at_or_below_usd);
        let from = found.not_before.unwrap_or(facts.now);
        prop_assert!(at_price(from, below, below), "{:?}", found);
        prop_assert!(!at_price(from, below, above), "{:?}", found);
        prop_assert!(!at_price(from, above, below), "{:?}", found);
        prop_assert!(look(below).seen_once && !look(above).seen_once);
        if found.not_before.is_some() {
            prop_assert!(!at_price(from - TimeDelta::seconds(1), below, below));
        }
    }

    /// Slot by slot, until it buys.
    #[test]
    fn the_next_dca_is_in_the_first_slot_that_buys(
        cron in proptest::sample::select(vec!["*/7 * * * *", "0 */3 * * *", "30 9 * * *"]),
        line in proptest::sample::select(vec!["", "0 12 * * *", "*/20 * * * *"]),
        interval in 60_u64..3 * 86_400, last in proptest::option::of(0_i64..2 * 86_400), now in 0_i64..2 * 86_400,
    ) {
        let config = AccumulateConfig {
            dca_schedule: (!line.is_empty()).then(|| line.parse::<CronExpr>().expect("a line")),
            dca_interval: line.is_empty().then(|| Span::from_secs(interval)),
            ..accumulating().rules.accumulate_mut().expect("accumulate").clone()
        };
        let schedule = ScheduleConfig { cron: cron.parse().expect("a line"), ..ScheduleConfig::default() };
        let mut facts = facts();
        facts.last.dca = last.map(at);
        let found = outlook::dca(&config, &schedule, &facts.last, facts.started_at, at(now));
        let mut slot = at(now);
        let first = loop {
            slot = schedule.cron.next_after(schedule.timezone, slot).expect("a slot");
            let facts = Facts { now: slot, ..facts.clone() };
            if fired(accumulate::decide(&config, &schedule, &facts)).is_some() {
                break slot;
            }
        };
        prop_assert_eq!(found, Some(first));
    }

    #[test]
    fn spread_trades_fire_outside_their_prices_and_not_inside(
        price in any_price(), spread in 1_i64..=5_000, cooldown in 0_u64..86_400, last in 0_i64..36_000,
    ) {
        let config = LiquidityConfig {
            spread_pct: Decimal::new(spread, 2),
            spread_cooldown: Span::from_secs(cooldown),
            support_dip_pct: dec("99"),
            target_ratio_pct: dec("50"),
            rebalance_threshold_pct: dec("49"),
            ..LiquidityConfig::default()
        };
        let mut facts = balanced(price);
        facts.last.spread = Some(at(last));
        let found = outlook::spread(&config, &schedule(), &facts.last, price, facts.now).expect("in range");
        facts.now = found.not_before.unwrap_or(facts.now);
        let (buys, stays) = around(found.buys_below_usd);
        prop_assert_eq!(liquidity_fires(&config, &facts, buys), Some((Reason::SpreadBuy, Side::Buy)));
        prop_assert_eq!(liquidity_fires(&config, &facts, stays), None);
        let (stays, sells) = around(found.sells_above_usd);
        prop_assert_eq!(liquidity_fires(&config, &facts, sells), Some((Reason::SpreadSell, Side::Sell)));
        prop_assert_eq!(liquidity_fires(&config, &facts, stays), None);
        if found.not_before.is_some() {
            facts.now -= TimeDelta::seconds(1);
            prop_assert_eq!(liquidity_fires(&config, &facts, buys), None);
        }
    }

    #[test]
    fn an_inventory_is_rebalanced_outside_its_prices_and_not_inside(
        price in any_price(), target in 2_i64..=98, threshold in 1_i64..=50,
    ) {
        let config = LiquidityConfig {
            spread_pct: dec("50"),
            target_ratio_pct: target.into(),
            rebalance_threshold_pct: threshold.into(),
            ..LiquidityConfig::default()
        };
        let facts = balanced(price);
        let found = outlook::rebalance(&config, &facts.position).expect("in range").expect("prices");
        prop_assert_eq!(found.buys_below_usd.is_some(), target > threshold);
        prop_assert_eq!(found.sells_above_usd.is_some(), target + threshold < 100);
        // At its own mean no spread trade speaks first.
        let fires = |at: Price| {
            let mut facts = facts.clone();
            facts.moving_average = mean(&at.to_string(), "100");
            liquidity_fires(&config, &facts, at)
        };
        if let Some(at) = found.buys_below_usd {
            prop_assert_eq!(fires(scaled_by(at, "0.999999")), Some((Reason::Rebalance, Side::Buy)));
            prop_assert_eq!(fires(scaled_by(at, "1.000001")), None);
        }
        if let Some(at) = found.sells_above_usd {
            prop_assert_eq!(fires(scaled_by(at, "1.000001")), Some((Reason::Rebalance, Side::Sell)));
            prop_assert_eq!(fires(scaled_by(at, "0.999999")), None);
        }
    }

    /// What is rounded up is the least that is enough, and what is rounded down the most.
    #[test]
    fn a_price_for_a_value_is_the_lowest_that_is_worth_it(
        worth in 1_i64..1_000_000_000_000, units in 1_u128..10_u128.pow(24), percent in 1_i64..100_000,
    ) {
        let value = Usd::new(Decimal::new(worth, 6)).expect("USD");
        let amount = super::support::units(units);
        let lowest = Price::for_value(value, amount, 18).expect("in range");
        prop_assert!(amount.value(18, lowest, Rounding::Down).expect("in range") >= value);
        let highest = Price::of(value, amount, 18).expect("in range");
        prop_assert!(highest <= lowest);
        prop_assert!(amount.value(18, highest, Rounding::Up).expect("in range") <= value);
        let percent = Decimal::new(percent, 2);
        let (down, up) = (lowest.percent(percent, Rounding::Down), lowest.percent(percent, Rounding::Up));
        let (down, up) = (down.expect("in range"), up.expect("in range"));
        prop_assert!(down <= up);
        let near = scaled(lowest, percent.max(Decimal::ONE));
        if percent >= Decimal::ONE {
            prop_assert!((near.decimal() - up.decimal()).abs() <= near.decimal() / dec("1000000000000"));
        }
    }
}
