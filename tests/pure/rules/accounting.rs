//! Effects of fills on a position.

use lgi_mm::domain::{
    accounting::{Fill, average_cost, book, unrealized, write_down},
    decision::{Position, Side},
    units::{Amount, MoneyError, Rounding, Usd},
};
use proptest::prelude::*;

use super::support::{any_usd, dec, facts, price, quote, tokens, units, usd};

fn buy(base: Amount, cost: Usd) -> Fill {
    Fill {
        side: Side::Buy,
        base_amount: base,
        quote_amount: quote("1"),
        quote_usd: cost,
    }
}

fn sell(base: Amount, proceeds: Usd) -> Fill {
    Fill {
        side: Side::Sell,
        ..buy(base, proceeds)
    }
}

fn holding(base: Amount, cost: Usd) -> Position {
    Position {
        token_balance: base,
        cost_basis: cost,
        ..facts().position
    }
}

proptest! {
    #[test]
    fn a_full_cycle_adds_up_to_the_last_digit(
        steps in proptest::collection::vec((any::<bool>(), 1_u128..1_u128 << 100, any_usd()), 1..40),
        last in any_usd(),
    ) {
        let mut position = facts().position;
        let (mut spent, mut earned, mut realized) = (Usd::ZERO, Usd::ZERO, Usd::ZERO);
        for (is_buy, count, money) in steps {
            let held = position.token_balance;
            let fill = if is_buy || held.is_zero() {
                spent = spent.checked_add(money).expect("in range");
                buy(units(count), money)
            } else {
                earned = earned.checked_add(money).expect("in range");
                sell(units(count).min(held), money)
            };
            let booked = book(position, &fill).expect("books");
            realized = realized.checked_add(booked.realized).expect("in range");
            position = booked.position;
            prop_assert_eq!(position.realized_pnl, realized);
            prop_assert!(position.cost_basis >= Usd::ZERO);
        }
        if !position.token_balance.is_zero() {
            earned = earned.checked_add(last).expect("in range");
            position = book(position, &sell(position.token_balance, last)).expect("books").position;
        }
        prop_assert_eq!(position.token_balance, Amount::ZERO);
        prop_assert_eq!(position.cost_basis, Usd::ZERO);
        prop_assert_eq!(position.realized_pnl, earned.checked_sub(spent).expect("in range"));
    }

    #[test]
    fn a_sell_takes_the_sold_share_of_the_cost_and_the_average_stays(
        held in 1_u128..1_u128 << 100, part in 1_u128..1_u128 << 100, cost in any_usd(), proceeds in any_usd(),
    ) {
        let sold = part % held + 1;
        let before = holding(units(held), cost);
        let booked = book(before, &sell(units(sold), proceeds)).expect("books");
        // What leaves is rounded down, so what stays is rounded up.
        let stays = cost.share(units(held - sold), units(held), Rounding::Up).expect("in range");
        prop_assert_eq!(booked.position.cost_basis, stays);
        prop_assert_eq!(booked.cost_sold.checked_add(booked.position.cost_basis), Ok(cost));
        prop_assert_eq!(booked.realized.checked_add(booked.cost_sold), Ok(proceeds));
    }
}

#[test]
fn take_profit_of_a_quarter_leaves_three_quarters_of_the_cost() {
    let booked = book(holding(tokens("100"), usd("80")), &sell(tokens("25"), usd("40"))).expect("books");
    assert_eq!(booked.position.token_balance, tokens("75"));
    assert_eq!(booked.position.cost_basis, usd("60"));
    assert_eq!(booked.cost_sold, usd("20"));
    assert_eq!(booked.realized, usd("20"));
    assert_eq!(average_cost(&booked.position), Some(price("0.8")));
}

#[test]
fn only_a_job_that_owns_its_quote_moves_it() {
    let wallet = holding(tokens("10"), usd("10"));
    let own = Position {
        owns_quote: true,
        quote_balance: quote("5"),
        ..wallet
    };
    for (position, after_buy, after_sell) in [
        (wallet, Amount::ZERO, Amount::ZERO),
        (own, quote("4"), quote("6")),
    ] {
        let bought = book(position, &buy(tokens("1"), usd("1"))).expect("books");
        let sold = book(position, &sell(tokens("1"), usd("1"))).expect("books");
        assert_eq!(bought.position.quote_balance, after_buy);
        assert_eq!(sold.position.quote_balance, after_sell);
    }
}

#[test]
fn what_the_ledger_does_not_have_cannot_leave_it() {
    let position = holding(tokens("1"), usd("1"));
    let own = Position {
        owns_quote: true,
        ..position
    };
    let over_sold = book(position, &sell(tokens("1.000000000000000001"), usd("1")));
    assert_eq!(over_sold, Err(MoneyError::Negative));
    assert_eq!(book(own, &buy(tokens("1"), usd("1"))), Err(MoneyError::Negative));
}

#[test]
fn writing_down_loses_the_cost_and_nothing_else() {
    let before = Position {
        owns_quote: true,
        quote_balance: quote("3"),
        ..holding(units(7), usd("0.002"))
    };
    let booked = write_down(before).expect("writes down");
    assert_eq!(booked.position.token_balance, Amount::ZERO);
    assert_eq!(booked.position.cost_basis, Usd::ZERO);
    assert_eq!(booked.position.realized_pnl, usd("-0.002"));
    assert_eq!(booked.position.quote_balance, quote("3"));
    assert_eq!(
        write_down(booked.position).map(|again| again.realized),
        Ok(Usd::ZERO)
    );
}

#[test]
fn views_of_a_position_say_what_it_cost_and_would_gain() {
    let position = holding(tokens("3"), usd("1"));
    assert_eq!(unrealized(&position, price("0.5")), Ok(usd("0.5")));
    assert_eq!(unrealized(&position, price("0.1")), Ok(usd("-0.7")));
    let average = average_cost(&position).expect("has cost").decimal();
    assert_eq!(average, dec("0.3333333333333333333333333333"));
    assert_eq!(average_cost(&holding(Amount::ZERO, Usd::ZERO)), None);
    assert_eq!(average_cost(&holding(tokens("1"), Usd::ZERO)), None);
}
