//! Limits between a plan and a trade.

use alloy_primitives::U256;
use lgi_mm::domain::{
    decision::{Facts, HoldReason, Plan, Reason, Side},
    job::JobMode,
    kept::Kept,
    limits::{Quoted, approve, clip},
    units::{Amount, Price, Rounding, Usd},
};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::support::{
    accumulating, any_facts, any_limits, any_price, any_usd, facts, price, providing, quote, scaled, tokens,
    units, usd,
};

fn buy(money: &str, facts: &Facts) -> Plan {
    let plan = Plan::buy(Reason::Dca, usd(money), facts);
    plan.expect("in range").expect("not nothing")
}

/// What a venue answers if it fills a plan exactly at its price.
fn fair(plan: &Plan, out_price: Price, out_decimals: u8) -> Quoted {
    Quoted {
        amount_out: plan
            .value
            .to_amount(out_decimals, out_price, Rounding::Down)
            .expect("in range"),
        out_decimals,
        out_price,
        price_impact_bps: 0,
        kept: Kept::NOTHING,
        gas_usd: usd("0.1"),
        available_in: plan.amount_in,
        gas_affordable: true,
    }
}

type Change = fn(&mut lgi_mm::domain::config::JobConfig, &mut Facts);

/// A name, a change, and what is left of a buy of 10 USD.
const CLIPPED: &[(&str, Change, Result<&str, HoldReason>)] = &[
    ("nothing in the way", |_, _| {}, Ok("10")),
    (
        "below the minimum",
        |c, _| c.limits.min_trade_usd = usd("10.01"),
        Err(HoldReason::BelowMinTrade),
    ),
    (
        "the minimum itself",
        |c, _| c.limits.min_trade_usd = usd("10"),
        Ok("10"),
    ),
    (
        "position clips",
        |c, f| {
            c.limits.max_position_usd = usd("100");
            f.position.token_balance = tokens("95");
        },
        Ok("5"),
    ),
    (
        "position leaves too little",
        |c, f| {
            c.limits.max_position_usd = usd("100");
            f.position.token_balance = tokens("99.5");
        },
        Err(HoldReason::MaxPosition),
    ),
    (
        "position full",
        |c, f| {
            c.limits.max_position_usd = usd("100");
            f.position.token_balance = tokens("200");
        },
        Err(HoldReason::MaxPosition),
    ),
    (
        "an hour's trades reached",
        |_, f| f.spent.trades_last_hour = 60,
        Err(HoldReason::TradesPerHour),
    ),
    ("one trade left", |_, f| f.spent.trades_last_hour = 59, Ok("10")),
    (
        "no limit on trades",
        |c, f| {
            c.limits.max_trades_per_hour = 0;
            f.spent.trades_last_hour = 1_000;
        },
        Ok("10"),
    ),
    (
        "day's spend clips",
        |_, f| f.spent.buys_today = usd("496"),
        Ok("4"),
    ),
    (
        "day's spend leaves too little",
        |_, f| f.spent.buys_today = usd("499.9"),
        Err(HoldReason::DailySpend),
    ),
    (
        "no limit on spend",
        |c, f| {
            c.limits.max_daily_spend_usd = Usd::ZERO;
            f.spent.buys_today = usd("1000000");
        },
        Ok("10"),
    ),
];

#[test]
fn each_limit_clips_or_refuses_by_its_own_name() {
    for (name, change, expected) in CLIPPED {
        let (mut config, mut facts) = (accumulating(), facts());
        change(&mut config, &mut facts);
        let found = clip(buy("10", &facts), &config, &facts).map(|plan| plan.value);
        assert_eq!(found, expected.map(usd), "{name}");
    }
}

#[test]
fn a_plan_that_overstates_its_value_is_not_enlarged_to_it() {
    let facts = facts();
    let honest = buy("10", &facts);
    let boastful = Plan {
        value: usd("100000"),
        ..honest
    };
    assert_eq!(clip(boastful, &accumulating(), &facts), Ok(honest));
}

#[test]
fn a_sell_is_not_a_spend() {
    let mut facts = facts();
    facts.position.token_balance = tokens("100");
    facts.spent.buys_today = usd("1000000");
    let mut config = accumulating();
    config.limits.max_position_usd = usd("1");
    let sell = Plan::sell(Reason::TakeProfit, tokens("10"), &facts)
        .expect("in range")
        .expect("a plan");
    assert_eq!(clip(sell, &config, &facts), Ok(sell));
}

#[test]
fn a_buy_of_exactly_the_minimum_survives_a_quote_token_off_its_peg() {
    let mut facts = facts();
    facts.position.quote_price = price("0.99973");
    let plan = buy("1", &facts);
    assert!(plan.value < usd("1"), "rounded down to whole units");
    assert_eq!(clip(plan, &accumulating(), &facts), Ok(plan));
}

#[test]
fn a_job_never_pays_with_quote_or_tokens_it_does_not_own() {
    let mut facts = facts();
    facts.position.owns_quote = true;
    let config = providing();
    let plan = buy("10", &facts);
    assert_eq!(clip(plan, &config, &facts), Err(HoldReason::InsufficientBalance));
    facts.position.quote_balance = quote("4");
    assert_eq!(
        clip(plan, &config, &facts).map(|plan| plan.amount_in),
        Ok(quote("4"))
    );
    facts.position.token_balance = tokens("2");
    for reason in [Reason::Rebalance, Reason::Liquidate] {
        let sell = Plan::sell(reason, tokens("5"), &facts)
            .expect("in range")
            .expect("a plan");
        assert_eq!(
            clip(sell, &config, &facts).map(|plan| plan.amount_in),
            Ok(tokens("2"))
        );
    }
}

type Answer = fn(&mut Quoted);

/// What a venue or a wallet says of a buy of 10 USD, and the name of the refusal.
const ANSWERS: &[(&str, Answer, Option<HoldReason>)] = &[
    ("all well", |_| {}, None),
    (
        "nothing comes out",
        |q| q.amount_out = Amount::ZERO,
        Some(HoldReason::NoLiquidity),
    ),
    (
        "the wallet lacks one unit",
        |q| q.available_in = units(9_999_999),
        Some(HoldReason::InsufficientBalance),
    ),
    (
        "no gas",
        |q| q.gas_affordable = false,
        Some(HoldReason::InsufficientGas),
    ),
    ("gas at its limit", |q| q.gas_usd = usd("2"), None),
    (
        "gas above its limit",
        |q| q.gas_usd = usd("2.01"),
        Some(HoldReason::GasTooExpensive),
    ),
    ("impact at its limit", |q| q.price_impact_bps = 100, None),
    (
        "impact above its limit",
        |q| q.price_impact_bps = 101,
        Some(HoldReason::PriceImpact),
    ),
    ("out at the floor", |q| q.amount_out = tokens("4.95"), None),
    (
        "out below the floor",
        |q| q.amount_out = tokens("4.949999999999999999"),
        Some(HoldReason::Slippage),
    ),
    (
        "a fee at its limit, and what it leaves at the floor",
        |q| {
            q.kept = Kept::by_pool(30_000);
            q.amount_out = tokens("4.8015");
        },
        None,
    ),
    (
        "a fee leaves no more room than its own",
        |q| {
            q.kept = Kept::by_pool(30_000);
            q.amount_out = tokens("4.801499999999999999");
        },
        Some(HoldReason::Slippage),
    ),
    (
        "a fee above its limit",
        |q| q.kept = Kept::by_pool(30_001),
        Some(HoldReason::PoolFee),
    ),
    ("better than fair by 2 %", |q| q.amount_out = tokens("5.1"), None),
    (
        "better than can be",
        |q| q.amount_out = tokens("5.101"),
        Some(HoldReason::QuoteDisagrees),
    ),
    (
        "twenty times what is fair",
        |q| q.amount_out = tokens("100"),
        Some(HoldReason::QuoteDisagrees),
    ),
    (
        "too large and too little",
        |q| {
            q.price_impact_bps = 500;
            q.amount_out = tokens("4");
        },
        Some(HoldReason::PriceImpact),
    ),
];

#[test]
fn each_answer_of_venue_and_wallet_refuses_by_its_own_name() {
    let facts = facts();
    let plan = buy("10", &facts);
    for (name, change, expected) in ANSWERS {
        let mut quoted = fair(&plan, price("2"), 18);
        change(&mut quoted);
        let found = approve(plan, &accumulating(), &quoted);
        assert_eq!(found.err(), *expected, "{name}");
        if let Ok(approved) = found {
            let floor = if quoted.kept == Kept::NOTHING {
                "4.95"
            } else {
                "4.8015"
            };
            assert_eq!(approved.amount_out_min(), tokens(floor), "{name}");
            assert_eq!(approved.amount_out_expected(), quoted.amount_out);
        }
    }
}

#[test]
fn even_dust_has_a_floor() {
    let mut facts = facts();
    facts.position.token_balance = units(1);
    let dust = Plan::sell(Reason::Liquidate, units(1), &facts)
        .expect("in range")
        .expect("a plan");
    let quoted = Quoted {
        amount_out: units(1),
        ..fair(&dust, Price::ONE, 6)
    };
    let approved = approve(dust, &accumulating(), &quoted).expect("approves");
    assert_eq!(approved.amount_out_min(), units(1));
}

fn any_plan(facts: &Facts) -> impl Strategy<Value = Option<Plan>> + use<> {
    let facts = facts.clone();
    (any::<bool>(), any_usd(), 0_i64..=100).prop_map(move |(buys, money, percent)| {
        if buys {
            Plan::buy(Reason::Dca, money, &facts).expect("in range")
        } else {
            let amount = facts
                .position
                .token_balance
                .percent(Decimal::from(percent))
                .expect("in range");
            Plan::sell(Reason::TakeProfit, amount, &facts).expect("in range")
        }
    })
}

fn planned() -> impl Strategy<Value = (Facts, Plan)> {
    any_facts()
        .prop_flat_map(|facts| (Just(facts.clone()), any_plan(&facts)))
        .prop_filter_map("nothing planned", |(facts, plan)| Some((facts, plan?)))
}

proptest! {
    #[test]
    fn clipping_never_enlarges_a_plan_and_twice_is_once(
        (facts, plan) in planned(), config in any_limits(JobMode::Accumulate),
    ) {
        if let Ok(clipped) = clip(plan, &config, &facts) {
            prop_assert!(clipped.amount_in <= plan.amount_in && clipped.value <= plan.value);
            prop_assert!(!clipped.amount_in.is_zero());
            prop_assert_eq!((clipped.side, clipped.reason, clipped.price), (plan.side, plan.reason, plan.price));
            prop_assert_eq!(clip(clipped, &config, &facts), Ok(clipped));
        }
    }

    #[test]
    fn whatever_passes_is_within_every_limit(
        (mut facts, plan) in planned(), config in any_limits(JobMode::Liquidity), owns_quote: bool,
    ) {
        facts.position.owns_quote = owns_quote;
        let Ok(clipped) = clip(plan, &config, &facts) else { return Ok(()) };
        let limits = &config.limits;
        let sum = |used: Usd| used.checked_add(clipped.value).expect("in range");
        let within = |max: Usd, used: Usd| max == Usd::ZERO || sum(used) <= max;
        prop_assert!(limits.max_trades_per_hour == 0 || facts.spent.trades_last_hour < limits.max_trades_per_hour);
        prop_assert!(within(config.rules.liquidity().expect("rules").max_daily_volume_usd, facts.spent.volume_today));
        if clipped.side == Side::Buy {
            let value = facts.position.token_value(facts.price, Rounding::Up).expect("in range");
            prop_assert!(within(limits.max_position_usd, value));
            prop_assert!(within(limits.max_daily_spend_usd, facts.spent.buys_today));
            prop_assert!(!owns_quote || clipped.amount_in <= facts.position.quote_balance);
        } else {
            prop_assert!(clipped.amount_in <= facts.position.token_balance);
        }
    }

    #[test]
    fn what_is_refused_leaves_less_than_the_minimum_trade(
        (facts, plan) in planned(), config in any_limits(JobMode::Accumulate),
    ) {
        let limits = &config.limits;
        let value = facts.position.token_value(facts.price, Rounding::Up).expect("in range");
        let left = |max: Usd, used: Usd| max.checked_sub(used).expect("in range");
        let unit = facts.price.decimal().max(facts.position.quote_price.decimal());
        let minimum = Usd::rounded(limits.min_trade_usd.decimal() + unit, Rounding::Up);
        match clip(plan, &config, &facts) {
            Err(HoldReason::MaxPosition) => prop_assert!(left(limits.max_position_usd, value) <= minimum),
            Err(HoldReason::DailySpend) => prop_assert!(left(limits.max_daily_spend_usd, facts.spent.buys_today) <= minimum),
            Err(HoldReason::BelowMinTrade) => prop_assert!(plan.value < limits.min_trade_usd),
            Err(HoldReason::TradesPerHour) => prop_assert!(facts.spent.trades_last_hour >= limits.max_trades_per_hour),
            Err(other) => prop_assert!(false, "{other} has no business here"),
            Ok(_) => {}
        }
    }

    #[test]
    fn no_quote_lowers_the_floor_under_what_the_price_implies(
        (_, plan) in planned(), out_price in any_price(), percent in 50_i64..150, slippage_bps in 1_u32..=5_000,
    ) {
        let mut config = accumulating();
        config.limits.max_slippage_bps = slippage_bps;
        let fair_quote = fair(&plan, out_price, 18);
        let quoted = Quoted {
            amount_out: fair_quote.amount_out.percent(percent.into()).expect("in range"), ..fair_quote
        };
        // Ten thousand times the exact floor is between these: what is fair was rounded down to a unit.
        let kept = U256::from(10_000 - slippage_bps);
        let exact = fair_quote.amount_out.units() * kept;
        let above = exact + kept;
        let scaled = |amount: Amount| amount.units() * U256::from(10_000);
        match approve(plan, &config, &quoted) {
            Ok(approved) => {
                prop_assert_eq!(approved.plan(), &plan);
                prop_assert!(scaled(approved.amount_out_min()) >= exact);
                prop_assert!(scaled(approved.amount_out_min().saturating_sub(units(1))) < above);
                prop_assert!(quoted.amount_out >= approved.amount_out_min());
            }
            Err(HoldReason::Slippage) => prop_assert!(scaled(quoted.amount_out) < above),
            Err(HoldReason::TooFewUnits) => {
                let next = quoted.amount_out.checked_add(units(1)).expect("in range");
                prop_assert!(scaled(quoted.amount_out) < above && scaled(next) >= exact && next <= units(10_000));
            }
            // 200 bps better than fair, and no plan passes that is better by a hair more than rounding.
            Err(HoldReason::QuoteDisagrees) => {
                prop_assert!(scaled(quoted.amount_out) > fair_quote.amount_out.units() * U256::from(10_200));
            }
            Err(HoldReason::NoLiquidity) => prop_assert!(quoted.amount_out.is_zero()),
            Err(other) => prop_assert!(false, "{other} has no business here"),
        }
    }

    /// A sandwich between quote and block gets what slippage allows and not a unit of what a fee explains.
    #[test]
    fn what_is_kept_and_what_may_slip_are_never_added_to_each_others_account(
        (_, plan) in planned(), out_price in any_price(), pool in 0_u32..=30_000, slippage_bps in 1_u32..=1_000,
    ) {
        let mut config = accumulating();
        config.limits.max_slippage_bps = slippage_bps;
        let kept = Kept::by_pool(pool);
        let at_once = Quoted { kept, ..fair(&plan, out_price, 18) };
        let passed = U256::from(1_000_000 - pool);
        let fair_units = at_once.amount_out.units();
        let out = Amount::new(fair_units * passed / U256::from(1_000_000));
        prop_assume!(out.units() > U256::from(1_000_000));
        let approved = approve(plan, &config, &Quoted { amount_out: out, ..at_once });
        let least = approved.expect("its own fee and nothing else is lost").amount_out_min();
        // Of what the fee leaves, slippage_bps; with one unit of what is fair, and a millionth, for the rounding.
        let exact = (fair_units * passed) * U256::from(10_000 - slippage_bps);
        let whole = U256::from(1_000_000) * U256::from(10_000);
        prop_assert!(least.units() * whole >= exact);
        let above = (fair_units + U256::from(1)) * (passed * U256::from(10_000 - slippage_bps) + U256::from(20_000));
        prop_assert!((least.units() - U256::from(1)) * whole < above);
    }

    #[test]
    fn a_fair_quote_is_always_approved((_, plan) in planned(), out in any_price(), drift in 100_i64..200) {
        let quoted = fair(&plan, scaled(out, drift.into()), 18);
        prop_assume!(!quoted.amount_out.is_zero());
        prop_assert!(approve(plan, &accumulating(), &quoted).is_ok());
    }
}
