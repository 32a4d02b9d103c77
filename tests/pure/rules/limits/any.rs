//! Limits as properties of any plan.

use alloy_primitives::U256;
use lgi_mm::domain::{
    decision::{Facts, HoldReason, Plan, Reason, Side},
    job::JobMode,
    kept::Kept,
    limits::{Quoted, approve, clip},
    units::{Amount, Rounding, Usd},
};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{
    super::support::{accumulating, any_facts, any_limits, any_price, any_usd, scaled, units},
    fair,
};

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
