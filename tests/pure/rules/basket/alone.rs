//! What a member may spend and sell is bounded twice: by the rule, and by the limits behind it. Each is tested without
//! the other, so that neither hides that the other is gone.

use lgi_mm::domain::{
    basket,
    decision::{Decision, Facts, HoldReason, Plan, Reason, Side},
    limits::{self, clip},
    units::{Rounding, Usd},
};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{
    super::support::{dec, price, quote, tokens, usd},
    Basket, Member, two,
};

/// What the rule plans with no limit behind it.
fn planned(basket: &Basket, of: usize, facts: &Facts) -> Result<Plan, HoldReason> {
    let limits = basket.config(of).limits;
    match basket::decide_within(&basket.members[of].rules, &limits, facts, Ok) {
        Decision::Trade(plan) => Ok(plan),
        Decision::Hold(reason) => Err(reason),
    }
}

/// Weight, tokens in hundredths, quote and price in cents, and whether something keeps the member from trading.
type State = (u32, u32, u32, u32, bool);

/// Members at any point of their lives, and which of them are blocked.
fn any_moment() -> impl Strategy<Value = (Basket, Vec<bool>)> {
    let member = (
        1_u32..20,
        0_u32..200_000,
        0_u32..50_000,
        20_u32..500,
        any::<bool>(),
    );
    prop::collection::vec(member, 2..7).prop_map(|states: Vec<State>| {
        let count = u32::try_from(states.len()).expect("few");
        let cents = |of: u32| Decimal::new(of.into(), 2).to_string();
        let blocked = states.iter().map(|state| state.4).collect();
        let members = states.into_iter().map(|(weight, held, money, at, _)| {
            let mut member = Member::new(weight, count, &cents(money));
            member.tokens = tokens(&cents(held));
            member.price = price(&cents(at));
            member
        });
        let basket = Basket {
            members: members.collect(),
            fee_bps: 0,
        };
        (basket, blocked)
    })
}

fn facts_of(basket: &Basket, of: usize, blocked: &[bool]) -> Facts {
    let mut facts = basket.facts(of);
    for peer in &mut facts.peers.running {
        let place = usize::try_from(peer.job.0).expect("an index");
        peer.blocked = blocked[place];
    }
    facts
}

proptest! {
    #[test]
    fn without_any_limit_a_member_buys_with_its_own_quote_and_sells_no_more_than_it_has_above_its_share(
        (basket, blocked) in any_moment(),
    ) {
        for of in 0..basket.members.len() {
            let facts = facts_of(&basket, of, &blocked);
            let Ok(plan) = planned(&basket, of, &facts) else { continue };
            let above = basket.above(of);
            match plan.side {
                Side::Buy => {
                    prop_assert!(plan.amount_in <= facts.position.quote_balance, "{of} spends what it does not own");
                    prop_assert!(plan.value.decimal() <= -above, "{of} buys more than it lacks");
                }
                Side::Sell => {
                    prop_assert!(plan.amount_in <= facts.position.token_balance, "{of} sells what it does not own");
                    // Its share is rounded down to the last digit of USD.
                    prop_assert!(plan.value.decimal() <= above + dec("0.000000000001"), "{of} sells below its share");
                }
            }
        }
    }

    #[test]
    fn the_limits_let_no_plan_of_a_member_through_that_spends_or_sells_more_than_it_owns(
        (basket, blocked) in any_moment(), money in 1_u32..2_000, buys: bool,
    ) {
        for of in 0..basket.members.len() {
            let facts = facts_of(&basket, of, &blocked);
            let money = usd(&money.to_string());
            let plan = any_size(buys, money, &facts);
            let owned = match plan.side {
                Side::Buy => facts.position.quote_balance,
                Side::Sell => facts.position.token_balance,
            };
            match clip(plan, &basket.config(of), &facts) {
                Ok(clipped) => prop_assert_eq!(clipped.amount_in, plan.amount_in.min(owned)),
                // Less than the smallest trade, one unit of it forgiven, is left of it.
                Err(reason) => {
                    prop_assert_eq!(reason, HoldReason::InsufficientBalance);
                    prop_assert!(owned < plan.amount_in);
                }
            }
        }
    }
}

/// A plan for that much, whatever the member owns.
fn any_size(buys: bool, money: Usd, facts: &Facts) -> Plan {
    let plan = if buys {
        Plan::buy(Reason::Rebalance, money, facts)
    } else {
        let amount = money.to_amount(18, facts.price, Rounding::Up).expect("tokens");
        Plan::sell(Reason::Rebalance, amount, facts)
    };
    plan.expect("in range").expect("a plan")
}

#[test]
fn a_member_that_lacks_more_than_its_quote_plans_a_buy_for_its_quote() {
    // The other one has 150 and cannot sell: the whole is 220, each share 110, and this one has 20.
    let basket = two(("150", "50"), ("0", "20"));
    let facts = facts_of(&basket, 1, &[true, false]);
    let plan = planned(&basket, 1, &facts).expect("a plan");
    assert_eq!((plan.side, plan.amount_in), (Side::Buy, quote("20")));
    // A plan for all that it lacks does not pass the limits either.
    let all = any_size(true, usd("60"), &facts);
    let clipped = clip(all, &basket.config(1), &facts).expect("a plan");
    assert_eq!(clipped.amount_in, quote("20"));
    assert_eq!(
        limits::decide(&basket.config(1), &facts),
        Decision::Trade(plan),
        "what the rule plans passes as it is"
    );
}

#[test]
fn a_member_sells_what_is_above_its_share_once() {
    let mut basket = two(("150", "50"), ("0", "0"));
    let plan = planned(&basket, 0, &basket.facts(0)).expect("a plan");
    assert_eq!((plan.side, plan.amount_in), (Side::Sell, tokens("50")));
    // Sold, and what it brought is its own: nothing is left to sell.
    basket.members[0].tokens = tokens("100");
    basket.members[0].quote = quote("50");
    assert_eq!(
        planned(&basket, 0, &basket.facts(0)),
        Err(HoldReason::BasketInBalance)
    );
    // A plan that sells twice as much as it has does not pass the limits.
    let facts = basket.facts(0);
    let double = any_size(false, usd("200"), &facts);
    let clipped = clip(double, &basket.config(0), &facts).expect("a plan");
    assert_eq!(clipped.amount_in, tokens("100"));
}
