//! Bounds of quotes and calldata.

use alloy_primitives::U256;
use lgi_mm::domain::{
    bounds::{calldata_min, ceiling, floor, loss_bps, losses_together, round_trip_allowed},
    kept::Kept,
    units::Amount,
};
use proptest::prelude::*;

fn units(amount: u128) -> Amount {
    Amount::new(U256::from(amount))
}

proptest! {
    #[test]
    fn the_minimum_in_calldata_is_never_below_the_plans_floor_nor_above_what_arrives(
        fair in 1_u128..u128::MAX >> 16, worse in 1_u32..=5_000, slip in 1_u32..=5_000, more in 0_u128..1_000_000
    ) {
        let plan = floor(units(fair), Kept::NOTHING, worse).expect("in range");
        prop_assert!(plan >= units(1) && plan <= units(fair));
        let arrives = plan.checked_add(units(more)).expect("in range");
        let least = calldata_min(plan, arrives, slip).expect("in range");
        prop_assert!(least >= plan && least <= arrives);
        // A wider slip never asks for more.
        prop_assert!(calldata_min(plan, arrives, slip + 1).expect("in range") <= least);
    }

    #[test]
    fn between_floor_and_ceiling_is_what_is_fair(fair in 0_u128..u128::MAX >> 16, bps in 1_u32..=5_000) {
        let fair = units(fair);
        let most = ceiling(fair, bps).expect("in range");
        prop_assert!(most > fair);
        prop_assert!(floor(fair, Kept::NOTHING, bps).expect("in range") <= most);
        prop_assert!(ceiling(fair, bps + 1).expect("in range") >= most);
    }

    #[test]
    fn a_loss_is_rounded_against_the_sale_and_two_in_a_row_are_no_more_than_their_sum(
        paid in 1_u128..u128::MAX >> 16, kept in 0_u32..=10_000, one in 0_u32..=10_000, other in 0_u32..=10_000
    ) {
        let back = units(paid / 10_000 * u128::from(kept));
        let lost = loss_bps(units(paid), back);
        prop_assert!(lost >= 10_000 - kept && lost <= 10_000);
        let both = losses_together(one, other);
        prop_assert!(both >= one.max(other));
        prop_assert!(both <= (one + other).min(10_000));
    }
}

#[test]
fn what_a_round_trip_may_lose_is_what_is_kept_of_both_and_three_per_cent_or_what_the_job_says() {
    for (said, buy, sale, allowed) in [
        (0, 0, 0, 300),
        (0, 3_000, 3_000, 359),
        (0, 10_000, 10_000, 499),
        (0, 3_000, 50_000, 828),
        (250, 10_000, 10_000, 250),
        (0, 100_000, 100_000, 2_200),
        (0, 900_000, 900_000, 10_000),
    ] {
        let (buy, sale) = (Kept::by_pool(buy), Kept::by_pool(sale));
        assert_eq!(
            round_trip_allowed(said, buy, sale),
            allowed,
            "{said} {buy} {sale}"
        );
    }
    assert_eq!(loss_bps(units(0), units(1)), 10_000, "nothing was paid for");
    assert_eq!(loss_bps(units(100), units(200)), 0);
    assert_eq!(losses_together(500, 2_000), 2_400);
}
