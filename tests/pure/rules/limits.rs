//! Limits between a plan and a trade.

mod any;

use lgi_mm::domain::{
    decision::{Facts, HoldReason, Plan, Reason, Side},
    kept::Kept,
    limits::{self, Quoted, approve, clip},
    onchain::Launched,
    span::Span,
    units::{Amount, Price, Rounding, Usd},
};

use alloy_primitives::U256;

use super::support::{accumulating, facts, price, providing, quote, tokens, units, usd};

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
        launched: None,
        gas_usd: usd("0.1"),
        available_in: plan.amount_in,
        gas_affordable: true,
    }
}

const fn launched(seconds: u64, hooked: bool) -> Option<Launched> {
    Some(Launched {
        age: Span::from_secs(seconds),
        hooked,
    })
}

/// A pool that is younger than the job allows is not bought in; what is held is sold there at any age.
#[test]
fn a_young_pool_is_not_bought_in_and_sold_in_at_any_age() {
    let mut facts = facts();
    facts.position.token_balance = tokens("100");
    let sell = Plan::sell(Reason::TakeProfit, tokens("5"), &facts);
    let (buy, sell) = (buy("10", &facts), sell.expect("in range").expect("not nothing"));
    for (least, age, expected) in [
        (600, Some(599), Some(HoldReason::YoungPool)),
        (600, Some(600), None),
        (600, None, None),
        (0, Some(0), None),
    ] {
        let mut config = accumulating();
        config.venue.min_pool_age = Span::from_secs(least);
        for (plan, expected) in [(buy, expected), (sell, None)] {
            let (out_price, digits) = match plan.side {
                Side::Buy => (plan.price, 18),
                Side::Sell => (Price::ONE, 6),
            };
            let quoted = Quoted {
                launched: age.and_then(|age| launched(age, true)),
                ..fair(&plan, out_price, digits)
            };
            let refused = approve(plan, &config, &quoted).err();
            assert_eq!(refused, expected, "{least} {age:?} {:?}", plan.side);
            if let Some(reason) = refused {
                let said = limits::figures(reason, &plan, &config, &quoted).expect("numbers");
                assert_eq!(said, "the pool was made 9m 59s ago, venue.min_pool_age is 10m");
            }
        }
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
    (
        "a fee above its limit that a hook sets, in a new pool",
        |q| {
            q.kept = Kept::by_pool(30_001);
            q.launched = launched(3_599, true);
        },
        Some(HoldReason::LaunchTax),
    ),
    (
        "what the token keeps of a swap in a new pool",
        |q| {
            q.kept = Kept::by_pool(3_000).with_arrival(U256::from(1_000), U256::from(900));
            q.launched = launched(60, false);
        },
        Some(HoldReason::LaunchTax),
    ),
    (
        "a fixed fee in a new pool",
        |q| {
            q.kept = Kept::by_pool(30_001);
            q.launched = launched(60, false);
        },
        Some(HoldReason::PoolFee),
    ),
    (
        "what a hook keeps after an hour",
        |q| {
            q.kept = Kept::by_pool(30_001);
            q.launched = launched(3_600, true);
        },
        Some(HoldReason::PoolFee),
    ),
    (
        "a new pool where any age is allowed",
        |q| q.launched = launched(0, true),
        None,
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
