//! Mode liquidity.

use lgi_mm::domain::{
    config::{JobConfig, LiquidityConfig, Rules, ScheduleConfig},
    decision::{Decision, Facts, HoldReason, Plan, Reason, Side},
    job::JobMode,
    limits, liquidity,
    units::{Rounding, Usd},
};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::support::{
    any_facts, any_limits, apply, at, dec, facts, fill, hours, mean, price, providing, quote, tokens, usd,
};

fn rules() -> LiquidityConfig {
    LiquidityConfig::default()
}

/// Half token, half quote, worth 500, price at its mean of 1.
fn balanced() -> Facts {
    let mut facts = facts();
    facts.now = at(hours(10));
    facts.moving_average = mean("1", "100");
    facts.position.owns_quote = true;
    facts.position.token_balance = tokens("250");
    facts.position.cost_basis = usd("250");
    facts.position.quote_balance = quote("250");
    facts
}

fn outcome(decision: Decision) -> Result<(Reason, Side, Usd), HoldReason> {
    match decision {
        Decision::Trade(plan) => Ok((plan.reason, plan.side, plan.value)),
        Decision::Hold(reason) => Err(reason),
    }
}

type Change = fn(&mut Facts);
type Fires = (Reason, Side, &'static str);

/// A name, a change to a balanced inventory, and what fires with which value.
const CASES: &[(&str, Change, Result<Fires, HoldReason>)] = &[
    ("at the mean", |_| {}, Err(HoldReason::InBalance)),
    (
        "exactly at the spread below",
        |f| f.price = price("0.98"),
        Err(HoldReason::InBalance),
    ),
    (
        "below the spread",
        |f| f.price = price("0.979"),
        Ok((Reason::SpreadBuy, Side::Buy, "25")),
    ),
    (
        "exactly at the spread above",
        |f| f.price = price("1.02"),
        Err(HoldReason::InBalance),
    ),
    (
        "above the spread",
        |f| f.price = price("1.25"),
        Ok((Reason::SpreadSell, Side::Sell, "25")),
    ),
    (
        "in a dip it buys more",
        |f| f.price = price("0.9"),
        Ok((Reason::SpreadBuy, Side::Buy, "50")),
    ),
    (
        "just above the dip",
        |f| f.price = price("0.901"),
        Ok((Reason::SpreadBuy, Side::Buy, "25")),
    ),
    (
        "no mean",
        |f| f.moving_average = None,
        Err(HoldReason::MovingAverageCoverage),
    ),
    (
        "a mean of too few samples",
        |f| f.moving_average = mean("1", "79.99"),
        Err(HoldReason::MovingAverageCoverage),
    ),
    (
        "a mean of just enough",
        |f| f.moving_average = mean("2", "80"),
        Ok((Reason::SpreadBuy, Side::Buy, "50")),
    ),
    (
        "cooling down",
        |f| {
            f.price = price("0.97");
            f.last.spread = Some(at(hours(10) - 599));
        },
        Err(HoldReason::SpreadCooldown),
    ),
    (
        "cooled down",
        |f| {
            f.price = price("0.97");
            f.last.spread = Some(at(hours(10) - 600));
        },
        Ok((Reason::SpreadBuy, Side::Buy, "25")),
    ),
    (
        "clipped to the band",
        |f| {
            f.price = price("0.95");
            f.moving_average = mean("1", "100");
            f.position.token_balance = tokens("300");
            f.position.quote_balance = quote("215");
        },
        Ok((Reason::SpreadBuy, Side::Buy, "15")),
    ),
    (
        "at the edge of the band",
        |f| {
            f.price = price("0.95");
            f.position.token_balance = tokens("300");
            f.position.quote_balance = quote("190");
        },
        Err(HoldReason::RebalanceBand),
    ),
    (
        "all quote",
        |f| {
            f.position.token_balance = tokens("0");
            f.position.quote_balance = quote("500");
        },
        Ok((Reason::Rebalance, Side::Buy, "250")),
    ),
    (
        "all token",
        |f| {
            f.position.quote_balance = quote("0");
        },
        Ok((Reason::Rebalance, Side::Sell, "125")),
    ),
    (
        "after failures",
        |f| {
            f.price = price("0.9");
            f.last.backoff_until = Some(at(hours(11)));
        },
        Err(HoldReason::Backoff),
    ),
];

#[test]
fn what_fires_at_which_price_and_inventory() {
    for (name, change, expected) in CASES {
        let mut facts = balanced();
        change(&mut facts);
        assert_eq!(
            outcome(limits::decide(&providing(), &facts)),
            expected.map(|(reason, side, value)| (reason, side, usd(value))),
            "{name}"
        );
    }
}

#[test]
fn an_empty_inventory_is_in_balance() {
    let mut facts = balanced();
    facts.position.token_balance = tokens("0");
    facts.position.quote_balance = quote("0");
    assert_eq!(
        outcome(liquidity::decide(&rules(), &ScheduleConfig::default(), &facts)),
        Err(HoldReason::InBalance)
    );
}

#[test]
fn a_spread_in_cooldown_does_not_keep_a_rebalance_from_trading() {
    let mut facts = balanced();
    facts.price = price("0.9");
    facts.last.spread = Some(facts.now);
    facts.position.token_balance = tokens("10");
    let (reason, side, _) =
        outcome(liquidity::decide(&rules(), &ScheduleConfig::default(), &facts)).expect("trades");
    assert_eq!((reason, side), (Reason::Rebalance, Side::Buy));
}

#[test]
fn the_volume_of_a_day_caps_buys_and_sells_together() {
    for (done, expected) in [
        ("970", Ok(usd("25"))),
        ("990", Ok(usd("10"))),
        ("999.5", Err(HoldReason::DailyVolume)),
        ("1000", Err(HoldReason::DailyVolume)),
        ("2000", Err(HoldReason::DailyVolume)),
    ] {
        for at_price in ["0.95", "1.05"] {
            let mut facts = balanced();
            facts.price = price(at_price);
            facts.spent.volume_today = usd(done);
            let found = outcome(limits::decide(&providing(), &facts)).map(|(_, _, value)| value);
            let close = found.map(|value| Usd::rounded(value.decimal().round_dp(9), Rounding::Down));
            assert_eq!(close, expected, "{done} done, price {at_price}");
        }
    }
}

/// Exact shares would need fractions; a nano-dollar is far above every rounding and far below any trade.
fn epsilon() -> Decimal {
    dec("0.000000001")
}

/// Token value less `percent` of the inventory's value.
fn excess(facts: &Facts, percent: Decimal) -> Decimal {
    let token = facts
        .position
        .token_value(facts.price, Rounding::Down)
        .expect("in range")
        .decimal();
    let quote = facts
        .position
        .quote_value(Rounding::Down)
        .expect("in range")
        .decimal();
    token - (token + quote) * percent / Decimal::ONE_HUNDRED
}

fn any_rules() -> impl Strategy<Value = LiquidityConfig> {
    (2_i64..=98, 1_i64..=50, 1_i64..=10_000, 1_i64..=20).prop_map(|(target, threshold, trade, spread)| {
        LiquidityConfig {
            target_ratio_pct: target.into(),
            rebalance_threshold_pct: threshold.min(target).min(100 - target).into(),
            spread_trade_usd: usd(&trade.to_string()),
            spread_pct: spread.into(),
            support_dip_pct: (2 * spread).into(),
            ..rules()
        }
    })
}

fn traded(config: &LiquidityConfig, facts: &Facts) -> Option<Plan> {
    match liquidity::decide(config, &ScheduleConfig::default(), facts) {
        Decision::Trade(plan) => Some(plan),
        Decision::Hold(_) => None,
    }
}

proptest! {
    #[test]
    fn a_spread_trade_never_leaves_the_band_on_its_own_side(
        mut facts in any_facts(), config in any_rules(), fee_bps in 0_u32..500,
    ) {
        facts.position.owns_quote = true;
        let Some(plan) = traded(&config, &facts) else { return Ok(()) };
        prop_assume!(plan.reason != Reason::Rebalance);
        let before = facts.position;
        let fill = fill(&plan, &before, fee_bps);
        facts.position = lgi_mm::domain::accounting::book(before, &fill).expect("books").position;
        match plan.side {
            Side::Buy => {
                prop_assert!(plan.amount_in <= before.quote_balance);
                prop_assert!(excess(&facts, config.target_ratio_pct + config.rebalance_threshold_pct) <= epsilon());
            }
            Side::Sell => {
                prop_assert!(plan.amount_in <= before.token_balance);
                let lower = config.target_ratio_pct - config.rebalance_threshold_pct;
                // What the fill rounds away, or the fee takes, only raises the token's share.
                prop_assert!(excess(&facts, lower) >= -epsilon());
            }
        }
    }

    #[test]
    fn a_rebalance_comes_back_to_target_and_never_passes_it(
        mut facts in any_facts(), config in any_rules(), fee_bps in 0_u32..500,
    ) {
        facts.position.owns_quote = true;
        facts.moving_average = mean("1", "100").map(|mean| lgi_mm::domain::decision::MovingAverage {
            price: facts.price, ..mean
        });
        let Some(plan) = traded(&config, &facts) else { return Ok(()) };
        prop_assert_eq!(plan.reason, Reason::Rebalance);
        let before = excess(&facts, config.target_ratio_pct);
        let fill = fill(&plan, &facts.position, fee_bps);
        facts.position = lgi_mm::domain::accounting::book(facts.position, &fill).expect("books").position;
        let after = excess(&facts, config.target_ratio_pct);
        match plan.side {
            Side::Buy => prop_assert!(before < after && after <= epsilon()),
            Side::Sell => prop_assert!(before > after && after >= -epsilon()),
        }
        if fee_bps == 0 {
            // What is left off target is worth less than one unit of either token.
            let unit = facts.price.decimal() / Decimal::from(10_i64.pow(u32::from(facts.position.token_decimals.min(18))));
            let unit = unit.max(facts.position.quote_price.decimal() / Decimal::from(1_000_000));
            prop_assert!(after.abs() <= unit * Decimal::from(2) + epsilon());
        }
    }

    #[test]
    fn no_day_of_trading_passes_the_volume_cap_or_spends_quote_the_job_lacks(
        percents in proptest::collection::vec(50_i64..200, 1..80), cap in 30_i64..300,
    ) {
        let mut config = providing();
        config.rules = Rules::Liquidity(LiquidityConfig {
            max_daily_volume_usd: usd(&cap.to_string()), spread_cooldown: "0s".parse().expect("a span"), ..rules()
        });
        let mut facts = balanced();
        for (minute, percent) in (0_i64..).zip(percents) {
            facts.now = at(hours(10) + 60 * minute);
            facts.price = super::support::scaled(price("1"), percent.into());
            if let Decision::Trade(plan) = limits::decide(&config, &facts) {
                // Booking refuses to spend more quote than the job owns.
                apply(&plan, &mut facts);
                facts.spent.volume_today = facts.spent.volume_today.checked_add(plan.value).expect("in range");
                facts.spent.trades_last_hour = 0;
            }
            prop_assert!(facts.spent.volume_today <= usd(&cap.to_string()));
        }
    }

    #[test]
    fn the_same_facts_give_the_same_decision(facts in any_facts(), config in any_limits(JobMode::Liquidity), rules in any_rules()) {
        let config = JobConfig { rules: Rules::Liquidity(rules), ..config };
        let mut elsewhere = facts.clone();
        // What the mode does not look at does not matter.
        elsewhere.recent_high = price("123456");
        elsewhere.previous_price = None;
        elsewhere.last.dca = None;
        elsewhere.last.take_profit = None;
        prop_assert_eq!(limits::decide(&config, &elsewhere), limits::decide(&config, &facts));
    }
}
