//! Tokens of few decimals: no unit is lost to rounding unseen, and no rule sells or writes off what it should not.

use alloy_primitives::{U256, U512};
use lgi_mm::domain::{
    accumulate,
    bounds::{Worth, too_few_units},
    costs::{PARTS, fair_out_parts, less_than_a_unit},
    decision::{Decision, HoldReason, Plan, Position, Reason, Side},
    kept::Kept,
    limits::{self, Quoted},
    liquidate::{self, Liquidation, is_dust},
    liquidity,
    span::Span,
    units::{Amount, Price, Usd},
};

use crate::rules::support::{accumulating, at, dec, facts, mean, price, providing, units, usd};

const DECIMALS: [u8; 7] = [0, 2, 6, 8, 18, 24, 30];
const PRICES: [&str; 8] = [
    "0.000000000000000001",
    "0.000000000001",
    "0.000001",
    "0.1",
    "1",
    "61.37",
    "4000",
    "1000000000",
];

/// `numerator / denominator` of base units for `value` USD at `price`, computed from the digits of the texts.
fn exact(value: &str, decimals: u8, price: &str) -> (U512, U512) {
    let fraction = |text: &str| {
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        let digits: U512 = format!("{whole}{rest}").parse().expect("digits");
        (digits, U512::from(10).pow(U512::from(rest.len())))
    };
    let ((value, value_per), (price, price_per)) = (fraction(value), fraction(price));
    let unit = U512::from(10).pow(U512::from(decimals));
    (value * price_per * unit, value_per * price)
}

fn wide(amount: Amount) -> U512 {
    U512::from(amount.units())
}

fn holding(decimals: u8, balance: u128) -> Position {
    Position {
        token_balance: units(balance),
        token_decimals: decimals,
        ..facts().position
    }
}

#[test]
fn bounds_are_exact_for_all_decimals_and_prices() {
    for decimals in DECIMALS {
        for at in PRICES {
            for value in ["0.01", "9.99", "10", "7999", "250000.123456"] {
                let worth = Worth {
                    value: usd(value),
                    decimals,
                    price: price(at),
                };
                let (up, down) = exact(value, decimals, at);
                let label = format!("{value} USD at {at}, {decimals} decimals");
                assert_eq!(wide(worth.fair().expect("in range")), up / down, "{label}");
                for bps in [1_u32, 100, 500, 5_000] {
                    let kept = U512::from(10_000 - bps);
                    let whole = down * U512::from(10_000);
                    let floor = (up * kept).div_ceil(whole).max(U512::from(1));
                    assert_eq!(
                        wide(worth.floor(Kept::NOTHING, bps).expect("in range")),
                        floor,
                        "{label}"
                    );
                    let most = (up * U512::from(10_000 + bps)).div_ceil(whole);
                    let ceiling = wide(worth.ceiling(bps).expect("in range"));
                    let digit = U512::from(1) + most / U512::from(1_000_000_000_u64);
                    assert!(ceiling >= most && ceiling <= most + digit, "{label}");
                }
                let (whole, rest) = fair_out_parts(Side::Buy, usd(value), price(at), &holding(decimals, 0))
                    .expect("in range");
                let parts = up * U512::from(PARTS) / down;
                assert_eq!(
                    wide(whole) * U512::from(PARTS) + U512::from(rest),
                    parts,
                    "{label}"
                );
            }
        }
    }
}

#[test]
fn an_amount_of_a_unit_or_more_is_never_dust_unless_it_is_worth_less_than_its_gas() {
    for decimals in DECIMALS {
        for at in PRICES {
            // A dollar's worth, rounded up to a unit.
            let (up, down) = exact("1", decimals, at);
            let held = Position {
                token_balance: Amount::new(U256::from_limbs_slice(&up.div_ceil(down).as_limbs()[..4])),
                ..holding(decimals, 0)
            };
            let dust = |gas: &str| is_dust(&held, price(at), usd(gas)).expect("in range");
            assert!(!dust("1") && !dust("0"), "{at}, {decimals} decimals");
            let unit = is_dust(&holding(decimals, 1), price(at), Usd::ZERO).expect("in range");
            // Less than the last digit that money keeps.
            let (one, per) = exact("0.000000000001", decimals, at);
            assert_eq!(unit, one > per, "{at}, {decimals} decimals");
        }
    }
    assert!(
        !is_dust(&holding(0, 0), Price::ONE, usd("5")).expect("in range"),
        "nothing held"
    );
}

fn quoted(out: u128, decimals: u8, at: &str) -> Quoted {
    Quoted {
        amount_out: units(out),
        out_decimals: decimals,
        out_price: price(at),
        price_impact_bps: 0,
        kept: Kept::NOTHING,
        launched: None,
        gas_usd: Usd::ZERO,
        available_in: Amount::new(U256::MAX),
        gas_affordable: true,
    }
}

/// Paid is for what arrives: a value that is cut to whole units first would call 1 unit for 1.99 fair.
#[test]
fn half_a_trade_is_not_rounded_away() {
    for (money, decimals, at, out, slippage, refused) in [
        ("7999", 0, "4000", 1, 100, Some(HoldReason::TooFewUnits)),
        ("7999", 0, "4000", 1, 5_000, None),
        ("8000", 0, "4000", 2, 100, None),
        ("8060", 0, "4000", 2, 100, None),
        ("8100", 0, "4000", 2, 100, Some(HoldReason::TooFewUnits)),
        ("3999", 0, "4000", 0, 100, Some(HoldReason::TooFewUnits)),
        ("10", 0, "0.1", 99, 100, None),
        ("10", 0, "0.1", 98, 100, Some(HoldReason::TooFewUnits)),
        ("10", 0, "0.1", 97, 100, Some(HoldReason::Slippage)),
        ("10", 2, "1", 989, 100, Some(HoldReason::TooFewUnits)),
        ("10", 2, "1", 988, 100, Some(HoldReason::Slippage)),
        ("10", 6, "1", 9_899_999, 100, Some(HoldReason::Slippage)),
        ("10", 0, "4", 4, 100, Some(HoldReason::QuoteDisagrees)),
    ] {
        let mut config = accumulating();
        config.limits.max_slippage_bps = slippage;
        let mut facts = facts();
        facts.price = price(at);
        facts.position.token_decimals = decimals;
        let plan = Plan::buy(Reason::Dca, usd(money), &facts)
            .expect("in range")
            .expect("a plan");
        let quoted = quoted(out, decimals, at);
        let said = limits::approve(plan, &config, &quoted);
        assert_eq!(said.err(), refused, "{money} USD at {at}: {out}");
        if let Some(HoldReason::TooFewUnits) = refused
            && out > 0
        {
            let told = limits::figures(HoldReason::TooFewUnits, &plan, &config, &quoted).expect("figures");
            assert!(
                told.contains(&format!("of which {out} whole ones would arrive")),
                "{told}"
            );
        }
    }
    let mut facts = facts();
    (facts.price, facts.position.token_decimals) = (price("4000"), 0);
    let plan = Plan::buy(Reason::Dca, usd("10"), &facts)
        .expect("in range")
        .expect("a plan");
    let told = less_than_a_unit(&plan, &facts.position).expect("in range");
    assert!(
        told.contains("costs 4000 USD and the trade is worth 10 USD"),
        "{told}"
    );
    assert!(
        !too_few_units(units(99_998), units(99_999)),
        "fine units are no excuse"
    );
}

/// Slices of fewer units than slices: a unit each, and done early.
#[test]
fn a_liquidation_of_few_units_sells_them_all() {
    for (held, slices) in [(1_u128, 12), (3, 12), (7, 3), (12, 12), (100, 7)] {
        let mut order = Liquidation::new(at(0), Span::from_secs(3_600), slices).expect("an order");
        let mut facts = facts();
        facts.price = price("4000");
        facts.position = holding(0, held);
        facts.now = at(3_600);
        let (mut sold, mut sales) = (0, 0);
        while let Decision::Trade(plan) = liquidate::decide(&order, &facts) {
            let amount = plan.amount_in.units().to::<u128>();
            assert!(amount >= 1 && amount <= held - sold, "{held} in {slices}");
            (sold, sales) = (sold + amount, sales + 1);
            facts.position.token_balance = units(held - sold);
            order = order.after_fill();
        }
        assert_eq!((sold, sales <= slices), (held, true), "{held} in {slices}");
    }
}

/// A quarter of 3 units is no unit, and a rule that may sell a quarter does not sell a third.
#[test]
fn a_share_of_less_than_a_unit_is_named() {
    let config = accumulating();
    let mut rules = config.rules.accumulate().expect("mode accumulate").clone();
    rules.take_profit_pct = dec("20");
    rules.take_profit_sell_pct = dec("25");
    rules.dca_interval = None;
    rules.dip_buy_threshold_pct = dec("0");
    for (held, decision) in [(3_u128, None), (4, Some(1)), (11, Some(2))] {
        let mut facts = facts();
        facts.price = price("4000");
        facts.position = holding(0, held);
        facts.position.cost_basis = usd("3000");
        match (accumulate::decide(&rules, &config.schedule, &facts), decision) {
            (Decision::Hold(reason), None) => assert_eq!(reason, HoldReason::TooFewUnits),
            (Decision::Trade(plan), Some(amount)) => assert_eq!(plan.amount_in, units(amount), "{held}"),
            (other, _) => panic!("{held}: {other:?}"),
        }
    }
}

/// Spread trades and rebalancing sell whole units, never past the target or the band.
#[test]
fn coarse_units_never_overshoot_the_target() {
    let config = providing();
    let mut rules = config.rules.liquidity().expect("mode liquidity").clone();
    (rules.target_ratio_pct, rules.rebalance_threshold_pct) = (dec("50"), dec("10"));
    rules.spread_trade_usd = usd("3900");
    for held in 0..12_u128 {
        let mut facts = facts();
        facts.price = price("4000");
        facts.moving_average = mean("4000", "100");
        facts.position = holding(0, held);
        facts.position.owns_quote = true;
        facts.position.quote_balance = Amount::from_whole("20000", 6).expect("quote");
        // 5 units are the target; from 4 to 7 are within 40 to 60 per cent.
        let said = liquidity::decide(&rules, &config.schedule, &facts);
        match said {
            Decision::Trade(plan) if plan.side == Side::Sell => {
                let sold = plan.amount_in.units().to::<u128>();
                // Half of what there is: (held * 4000 + 20000) / 2 stay in units.
                assert!((held - sold) * 8_000 >= held * 4_000 + 20_000, "{held}: {sold}");
            }
            Decision::Trade(plan) => {
                let bought = plan.value.decimal();
                let most = (dec("20000") - dec(&(held * 4_000).to_string())) / dec("2");
                assert!(bought <= most, "{held}: {bought}");
            }
            Decision::Hold(reason) => {
                assert!(
                    matches!(reason, HoldReason::InBalance | HoldReason::TooFewUnits),
                    "{held}: {reason}"
                );
            }
        }
        facts.moving_average = mean("3000", "100");
        let said = liquidity::decide(&rules, &config.schedule, &facts);
        // A spread trade of 3,900 USD is less than a unit; what fires is the rebalancing, if anything.
        assert!(
            !matches!(said, Decision::Trade(plan) if plan.reason == Reason::SpreadSell),
            "{held}: {said:?}"
        );
    }
}
