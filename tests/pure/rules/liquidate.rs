//! Liquidation.

use alloy_primitives::U256;
use lgi_mm::domain::{
    decision::{Decision, Facts, HoldReason, Plan, Reason, Side},
    limits,
    liquidate::{InvalidLiquidation, Liquidation, decide, is_dust, next_slice, split, within_wallet},
    span::Span,
    units::{Amount, Price, Rounding, Usd},
};
use proptest::prelude::*;

use super::support::{accumulating, any_price, apply, at, facts, hours, price, quote, tokens, units, usd};

fn order(over: &str, slices: u32) -> Liquidation {
    Liquidation::new(at(0), over.parse().expect("a span"), slices).expect("an order")
}

fn holding(amount: Amount) -> Facts {
    let mut facts = facts();
    facts.position.token_balance = amount;
    facts.position.cost_basis = usd("100");
    facts
}

fn trade(decision: Decision) -> Plan {
    match decision {
        Decision::Trade(plan) => plan,
        Decision::Hold(reason) => panic!("held: {reason}"),
    }
}

#[test]
fn at_once_sells_all_in_one_trade() {
    let facts = holding(tokens("123.456"));
    let plan = trade(decide(&order("0s", 1), &facts));
    assert_eq!((plan.reason, plan.side), (Reason::Liquidate, Side::Sell));
    assert_eq!(plan.amount_in, tokens("123.456"));
}

#[test]
fn slices_are_spread_evenly_and_the_last_is_due_at_the_end() {
    for (done, due) in [(0, 0), (1, 2), (2, 4), (3, 6), (4, 6), (9, 6)] {
        let liquidation = (0..done).fold(order("6h", 4), |order, _| order.after_fill());
        assert_eq!(liquidation.after_fill().after_reversal(), liquidation);
        assert_eq!(next_slice(&liquidation, at(-1)), at(hours(due)), "{done} done");
        let mut facts = holding(tokens("100"));
        facts.now = at(hours(due) - 1);
        assert_eq!(
            decide(&liquidation, &facts),
            Decision::Hold(HoldReason::SliceNotDue)
        );
        facts.now = at(hours(due));
        trade(decide(&liquidation, &facts));
    }
    assert_eq!(next_slice(&order("6h", 4), at(hours(9))), at(hours(9)));
}

#[test]
fn nothing_held_and_failures_hold() {
    assert_eq!(
        decide(&order("0s", 1), &holding(Amount::ZERO)),
        Decision::Hold(HoldReason::SliceNotDue)
    );
    let mut failing = holding(tokens("1"));
    failing.last.backoff_until = Some(at(1));
    assert_eq!(
        decide(&order("0s", 1), &failing),
        Decision::Hold(HoldReason::Backoff)
    );
}

#[test]
fn an_order_that_makes_no_sense_is_refused() {
    let new = |over: &str, slices| Liquidation::new(at(0), over.parse().expect("a span"), slices);
    let hour = Span::from_secs(3_600);
    assert_eq!(new("1h", 0), Err(InvalidLiquidation::Slices(0)));
    assert_eq!(new("1h", 10_001), Err(InvalidLiquidation::Slices(10_001)));
    assert_eq!(new("1h", 1), Err(InvalidLiquidation::OverWithoutSlices(hour)));
    assert!(matches!(new("366d", 2), Err(InvalidLiquidation::OverTooLong(_))));
    assert!(new("0s", 5).is_ok() && new("365d", 10_000).is_ok());
}

#[test]
fn limits_that_protect_a_running_job_do_not_stop_a_liquidation() {
    let mut config = accumulating();
    config.limits.max_trades_per_hour = 1;
    config.limits.max_daily_spend_usd = usd("1");
    config.limits.min_trade_usd = usd("1000");
    let mut facts = holding(tokens("0.01"));
    facts.spent.trades_last_hour = 50;
    facts.spent.buys_today = usd("9000");
    facts.spent.volume_today = usd("9000");
    let plan = trade(decide(&order("0s", 1), &facts));
    assert_eq!(limits::clip(plan, &config, &facts), Ok(plan));
}

#[test]
fn only_a_refusal_of_size_is_split_and_only_of_a_liquidation() {
    let facts = holding(tokens("100"));
    let plan = trade(decide(&order("0s", 1), &facts));
    for (reason, splits) in [
        (HoldReason::PriceImpact, true),
        (HoldReason::Slippage, true),
        (HoldReason::NoLiquidity, true),
        (HoldReason::GasTooExpensive, false),
        (HoldReason::InsufficientGas, false),
        (HoldReason::SignerHalted, false),
    ] {
        let half = split(plan, reason, 1, usd("1"), &facts).expect("in range");
        assert_eq!(
            half.map(|half| half.amount_in),
            splits.then(|| tokens("50")),
            "{reason}"
        );
        let other = Plan {
            reason: Reason::TakeProfit,
            ..plan
        };
        assert_eq!(split(other, reason, 1, usd("1"), &facts), Ok(None));
    }
    assert_eq!(
        split(plan, HoldReason::PriceImpact, 0, usd("50.01"), &facts),
        Ok(None)
    );
}

/// Whatever a token lets go, a few ticks of six sizes each find it within a factor of 16, and fills grow back to it.
#[test]
fn reverts_make_a_sale_smaller_and_smaller_and_fills_make_it_grow_again() {
    let facts = holding(tokens("100000"));
    let mut liquidation = order("0s", 1);
    let whole = trade(decide(&liquidation, &facts)).amount_in;
    let mut sizes = vec![];
    let mut plan = trade(decide(&liquidation, &facts));
    for reverts in 1..=6 {
        sizes.push(whole.units() / plan.amount_in.units());
        let part = split(plan, HoldReason::SimulationFailed, reverts, usd("1"), &facts);
        plan = part.expect("in range").expect("worth its gas");
    }
    let parts = [1_u64, 2, 4, 16, 128, 2_048].map(U256::from);
    assert_eq!(sizes, parts);
    // The next tick begins where this one ended, and a slice is never made larger by that.
    liquidation = liquidation.sized(Some(plan.amount_in));
    assert_eq!(trade(decide(&liquidation, &facts)).amount_in, plan.amount_in);
    let sold = liquidation.after_fill();
    assert_eq!(
        sold.at_most().map(Amount::units),
        Some(plan.amount_in.units() * U256::from(2))
    );
    assert_eq!(sold.slices_done(), 1);
    let large = liquidation.sized(Some(Amount::new(U256::MAX)));
    assert_eq!(trade(decide(&large, &facts)).amount_in, whole);
    assert_eq!(
        large.after_fill().at_most(),
        None,
        "beyond all numbers it is no limit"
    );
    let told = serde_json::to_value(liquidation).expect("JSON");
    assert_eq!(
        serde_json::from_value::<Liquidation>(told).ok(),
        Some(liquidation)
    );
}

#[test]
fn dust_is_what_is_not_worth_its_gas() {
    for (held, gas, dust) in [
        (tokens("1"), "1", false),
        (tokens("0.999999999999999999"), "1", true),
        (units(1), "0", true),
        (tokens("0.000001"), "0", false),
        (Amount::ZERO, "1", false),
    ] {
        let position = holding(held).position;
        assert_eq!(
            is_dust(&position, Price::ONE, usd(gas)),
            Ok(dust),
            "{held} at gas {gas}"
        );
    }
}

#[test]
fn tokens_that_left_the_wallet_are_not_sold() {
    let facts = holding(tokens("100"));
    let plan = trade(decide(&order("0s", 1), &facts));
    let within = |on_chain| {
        within_wallet(plan, on_chain, &facts).map(|plan| plan.map(|plan| (plan.amount_in, plan.value)))
    };
    assert_eq!(within(tokens("500")), Ok(Some((tokens("100"), usd("100")))));
    assert_eq!(within(tokens("30")), Ok(Some((tokens("30"), usd("30")))));
    assert_eq!(within(Amount::ZERO), Ok(None));
}

proptest! {
    #[test]
    fn slices_sell_exactly_all_and_none_before_its_time(
        held in 1_u128..1_u128 << 90, slices in 2_u32..60, over_secs in 0_u64..100_000, late in 0_i64..7_200,
    ) {
        let mut liquidation = Liquidation::new(at(0), Span::from_secs(over_secs), slices).expect("an order");
        let mut facts = holding(units(held));
        let (mut sold, mut trades) = (Amount::ZERO, 0);
        facts.now = at(late);
        for _ in 0..slices {
            if facts.position.token_balance.is_zero() {
                break;
            }
            let due = next_slice(&liquidation, facts.now);
            prop_assert!(due <= at(late.max(i64::try_from(over_secs).expect("small"))));
            facts.now = due;
            let plan = trade(decide(&liquidation, &facts));
            let left = u128::from(slices - liquidation.slices_done());
            let before = facts.position.token_balance;
            prop_assert_eq!(plan.amount_in, before.mul_div(units(1).units(), units(left).units(), Rounding::Up).expect("in range"));
            sold = sold.checked_add(plan.amount_in).expect("in range");
            apply(&plan, &mut facts);
            liquidation = liquidation.after_fill();
            trades += 1;
        }
        prop_assert_eq!(sold, units(held));
        prop_assert_eq!(facts.position.token_balance, Amount::ZERO);
        prop_assert_eq!(facts.position.cost_basis, Usd::ZERO);
        prop_assert_eq!(trades, u32::try_from(held).unwrap_or(u32::MAX).min(slices));
    }

    #[test]
    fn a_market_too_thin_for_all_gets_halves_until_only_dust_is_left(
        held in 1_u128..1_u128 << 90, depth_shift in 0_u32..60, at_price in any_price(),
    ) {
        let liquidation = order("0s", 1);
        let mut facts = holding(units(held));
        facts.price = at_price;
        prop_assume!(facts.position.token_value(at_price, Rounding::Up).is_ok());
        let gas = usd("0.01");
        let depth = units((held >> depth_shift).max(1));
        // Each round sells at least half of what the market takes.
        for _ in 0..1_000 {
            if facts.position.token_balance.is_zero() || is_dust(&facts.position, at_price, gas).expect("in range") {
                return Ok(());
            }
            let mut plan = trade(decide(&liquidation, &facts));
            while plan.amount_in > depth {
                let Some(half) = split(plan, HoldReason::PriceImpact, 0, gas, &facts).expect("in range") else {
                    // What the market takes is not worth its gas: the refusal stands.
                    prop_assert!(depth.value(18, at_price, Rounding::Down).expect("in range") <= usd("0.02"));
                    return Ok(());
                };
                prop_assert!(half.amount_in < plan.amount_in && half.value <= plan.value);
                plan = half;
            }
            prop_assume!(depth_shift < 8);
            apply(&plan, &mut facts);
        }
        prop_assert!(false, "never ends");
    }
}

#[test]
fn a_sliced_sell_of_a_quote_owning_job_books_its_proceeds() {
    let mut facts = holding(tokens("100"));
    facts.position.owns_quote = true;
    facts.price = price("2");
    let plan = trade(decide(&order("1h", 2), &facts));
    apply(&plan, &mut facts);
    assert_eq!(facts.position.quote_balance, quote("100"));
    assert_eq!(facts.position.realized_pnl, usd("50"));
}
