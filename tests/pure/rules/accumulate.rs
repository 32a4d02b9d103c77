//! Mode accumulate.

mod cycles;

use chrono::TimeDelta;
use lgi_mm::domain::{
    Timestamp, accumulate,
    config::{AccumulateConfig, Rules, ScheduleConfig},
    decision::{Decision, Facts, HoldReason, LastFills, Plan, Reason, Side},
    limits, outlook,
    samples::HistoryQuery,
    schedule::CronExpr,
    span::Span,
};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::support::{
    accumulating, any_facts, any_percent, at, dec, facts, hours, price, quote, tokens, usd,
};

pub(super) fn rules() -> AccumulateConfig {
    AccumulateConfig::default()
}

pub(super) fn decide(config: &AccumulateConfig, facts: &Facts) -> Decision {
    accumulate::decide(config, &ScheduleConfig::default(), facts)
}

pub(super) fn plan(decision: Decision) -> Plan {
    match decision {
        Decision::Trade(plan) => plan,
        Decision::Hold(reason) => panic!("held: {reason}"),
    }
}

/// A DCA fill just now, so that only the other rules can fire.
pub(super) fn between_dcas() -> Facts {
    let mut facts = facts();
    facts.now = at(hours(100));
    facts.last.dca = Some(facts.now);
    facts
}

/// Ten tokens bought at 1, price 2, take-profit at 50 %.
pub(super) fn in_profit() -> (AccumulateConfig, Facts) {
    let mut facts = between_dcas();
    facts.position.token_balance = tokens("10");
    facts.position.cost_basis = usd("10");
    facts.price = price("2");
    facts.recent_high = price("2");
    let config = AccumulateConfig {
        take_profit_pct: dec("50"),
        ..rules()
    };
    (config, facts)
}

/// Ten per cent under the high, twice in a row.
fn in_a_dip() -> Facts {
    let mut facts = between_dcas();
    facts.price = price("0.9");
    facts.previous_price = Some(price("0.9"));
    facts
}

#[test]
fn the_first_dca_is_bought_at_once_and_the_next_when_the_interval_has_passed() {
    let mut facts = facts();
    let first = plan(decide(&rules(), &facts));
    assert_eq!((first.reason, first.side), (Reason::Dca, Side::Buy));
    assert_eq!((first.amount_in, first.value), (quote("10"), usd("10")));
    facts.last.dca = Some(at(0));
    facts.now = at(hours(4) - 1);
    assert_eq!(decide(&rules(), &facts), Decision::Hold(HoldReason::NotDue));
    facts.now = at(hours(4));
    assert_eq!(plan(decide(&rules(), &facts)).reason, Reason::Dca);
}

#[test]
fn a_dca_schedule_buys_at_its_instants_and_makes_up_for_a_missed_one_once() {
    let cron = CronExpr::try_from("0 9 * * *".to_owned()).expect("a cron line");
    let config = AccumulateConfig {
        dca_interval: None,
        dca_schedule: Some(cron),
        ..rules()
    };
    let mut facts = facts();
    facts.started_at = at(hours(8));
    let reason_at = |facts: &mut Facts, secs| {
        facts.now = at(secs);
        match decide(&config, facts) {
            Decision::Trade(plan) => plan.reason.to_string(),
            Decision::Hold(reason) => reason.to_string(),
        }
    };
    assert_eq!(reason_at(&mut facts, hours(9) - 1), "not_due");
    assert_eq!(reason_at(&mut facts, hours(9)), "DCA");
    // Nobody was there at nine; ten past looks back.
    assert_eq!(reason_at(&mut facts, hours(9) + 600), "DCA");
    facts.last.dca = Some(at(hours(9) + 600));
    assert_eq!(reason_at(&mut facts, hours(10)), "not_due");
    assert_eq!(reason_at(&mut facts, hours(24 + 9)), "DCA");
    // Three days missed are one buy.
    assert_eq!(reason_at(&mut facts, hours(4 * 24)), "DCA");
    facts.last.dca = Some(at(hours(4 * 24)));
    assert_eq!(reason_at(&mut facts, hours(4 * 24) + 60), "not_due");
}

#[test]
fn a_four_hour_interval_on_a_four_hour_cron_buys_at_every_slot() {
    let mut facts = facts();
    for slot in 0..50 {
        facts.now = at(hours(4) * slot);
        assert_eq!(plan(decide(&rules(), &facts)).reason, Reason::Dca, "slot {slot}");
        // The receipt comes later; what counts is the slot.
        facts.last.dca = Some(facts.now);
    }
}

#[test]
fn a_dip_needs_two_samples_and_its_cooldown() {
    type Change = fn(&mut Facts);
    let cases: [(&str, Change, Result<Reason, HoldReason>); 8] = [
        ("confirmed", |_| {}, Ok(Reason::DipBuy)),
        (
            "seen once",
            |f| f.previous_price = Some(price("0.91")),
            Err(HoldReason::DipUnconfirmed),
        ),
        (
            "nothing before",
            |f| f.previous_price = None,
            Err(HoldReason::DipUnconfirmed),
        ),
        (
            "not deep enough",
            |f| f.price = price("0.9001"),
            Err(HoldReason::NotDue),
        ),
        (
            "cooling down",
            |f| f.last.dip = Some(at(hours(96) + 1)),
            Err(HoldReason::NotDue),
        ),
        (
            "cooled down",
            |f| f.last.dip = Some(at(hours(96))),
            Ok(Reason::DipBuy),
        ),
        (
            "after failures",
            |f| f.last.backoff_until = Some(at(hours(100) + 1)),
            Err(HoldReason::Backoff),
        ),
        (
            "after the backoff",
            |f| f.last.backoff_until = Some(at(hours(100))),
            Ok(Reason::DipBuy),
        ),
    ];
    for (name, change, expected) in cases {
        let mut facts = in_a_dip();
        change(&mut facts);
        let found = match decide(&rules(), &facts) {
            Decision::Trade(plan) => Ok(plan.reason),
            Decision::Hold(reason) => Err(reason),
        };
        assert_eq!(found, expected, "{name}");
    }
    assert_eq!(plan(decide(&rules(), &in_a_dip())).value, usd("20"));
}

#[test]
fn buys_wait_until_the_price_is_between_the_two_that_they_are_bound_to() {
    let banded = |above: &str, below: &str| AccumulateConfig {
        buy_above_usd: dec(above),
        buy_below_usd: dec(below),
        ..rules()
    };
    let first = |config: &AccumulateConfig, at: &str| {
        let facts = Facts {
            price: price(at),
            recent_high: price(at),
            ..facts()
        };
        match decide(config, &facts) {
            Decision::Trade(plan) => Ok(plan.reason),
            Decision::Hold(reason) => Err(reason),
        }
    };
    let both = banded("0.75", "1.25");
    for (at, buys) in [
        ("0.749999", false),
        ("0.75", true),
        ("1.25", true),
        ("1.250001", false),
    ] {
        let expected = if buys {
            Ok(Reason::Dca)
        } else {
            Err(HoldReason::PriceBand)
        };
        assert_eq!(first(&both, at), expected, "{at}");
    }
    assert_eq!(first(&banded("0", "1.25"), "0.000000001"), Ok(Reason::Dca));
    assert_eq!(first(&banded("0.75", "0"), "1000000"), Ok(Reason::Dca));
    // A dip is not bought outside either; it sells anywhere.
    assert_eq!(
        decide(&banded("0", "0.89"), &in_a_dip()),
        Decision::Hold(HoldReason::PriceBand)
    );
    assert_eq!(
        plan(decide(&banded("0", "0.9"), &in_a_dip())).reason,
        Reason::DipBuy
    );
    let (config, facts) = in_profit();
    let config = AccumulateConfig {
        buy_below_usd: dec("1.5"),
        ..config
    };
    assert_eq!(plan(decide(&config, &facts)).reason, Reason::TakeProfit);
    // Until it is due, nothing waits for a price.
    assert_eq!(
        decide(
            &both,
            &Facts {
                price: price("9"),
                ..between_dcas()
            }
        ),
        Decision::Hold(HoldReason::NotDue)
    );
}

proptest! {
    #[test]
    fn no_buy_is_outside_its_band_and_inside_the_band_changes_nothing(
        facts in any_facts(), above in any_percent(100), width in any_percent(100), bound in 0..3_u8,
    ) {
        // Edges around the price itself, so that both sides are met.
        let price = facts.price.decimal();
        let edge = |percent: Decimal| price.checked_mul(percent).map(|edge| edge / Decimal::from(50));
        let (low, high) = (edge(above), edge(above + width));
        prop_assume!(low.is_some() && high.is_some());
        let config = AccumulateConfig {
            buy_above_usd: low.filter(|_| bound != 1).unwrap_or_default(),
            buy_below_usd: high.filter(|_| bound != 2).unwrap_or_default(),
            ..rules()
        };
        let inside = price >= config.buy_above_usd
            && (config.buy_below_usd.is_zero() || price <= config.buy_below_usd);
        prop_assert_eq!(accumulate::buys_at(&config, facts.price), inside);
        // What a status shows.
        let shown = outlook::price_band(&config).is_none_or(|band| {
            band.at_or_above_usd.is_none_or(|lowest| facts.price >= lowest)
                && band.at_or_below_usd.is_none_or(|highest| facts.price <= highest)
        });
        prop_assert_eq!(shown, inside);
        let free = decide(&rules(), &facts);
        match decide(&config, &facts) {
            Decision::Trade(plan) if plan.side == Side::Buy => prop_assert!(inside),
            found if inside => prop_assert_eq!(found, free),
            _ => {}
        }
    }
}

/// Two windows: a job whose slots are a window apart finds its price of the slot before just outside of one.
#[test]
fn a_price_from_before_a_long_pause_confirms_no_dip() {
    let mut config = accumulating();
    config.rules.accumulate_mut().expect("accumulate").dip_window = Span::from_secs(3_600);
    let previous = |seconds_ago: i64, dip: Option<Timestamp>| {
        let (now, last) = (
            at(hours(9)),
            LastFills {
                dip,
                ..LastFills::default()
            },
        );
        let since = HistoryQuery::of(&config, &last, now).previous_since;
        last.previous_price(Some((price("0.9"), now - TimeDelta::seconds(seconds_ago))), since)
    };
    assert_eq!(previous(60, None), Some(price("0.9")));
    assert_eq!(previous(3_700, None), Some(price("0.9")));
    assert_eq!(previous(7_200, None), Some(price("0.9")));
    assert_eq!(previous(7_201, None), None);
    assert_eq!(
        previous(60, Some(at(hours(9) - 60))),
        None,
        "the price that the dip was bought at"
    );
    assert_eq!(previous(59, Some(at(hours(9) - 60))), Some(price("0.9")));
}

#[test]
fn a_rule_that_cannot_trade_does_not_keep_the_next_from_trading() {
    // A dip in cooldown, or seen only once, and a DCA that is due.
    let mut cooling = in_a_dip();
    cooling.last.dip = Some(cooling.now);
    let mut unconfirmed = in_a_dip();
    unconfirmed.previous_price = None;
    for mut facts in [cooling, unconfirmed] {
        facts.last.dca = None;
        assert_eq!(plan(decide(&rules(), &facts)).reason, Reason::Dca);
    }
    // A take-profit too small to trade, and a DCA that is due.
    let (take_profit, mut facts) = in_profit();
    facts.position.token_balance = tokens("1");
    facts.position.cost_basis = usd("1");
    let mut config = accumulating();
    config.rules = Rules::Accumulate(take_profit);
    assert_eq!(
        limits::decide(&config, &facts),
        Decision::Hold(HoldReason::BelowMinTrade)
    );
    facts.last.dca = None;
    assert_eq!(plan(limits::decide(&config, &facts)).reason, Reason::Dca);
}

#[test]
fn the_last_buy_is_clipped_to_the_cap_by_cost_and_by_value() {
    for (held, cost, expected) in [
        ("0", "995", Ok(usd("5"))),
        ("995", "1", Ok(usd("5"))),
        ("0", "1000", Err(HoldReason::MaxAccumulation)),
        ("2000", "1", Err(HoldReason::MaxAccumulation)),
        ("0", "999.5", Err(HoldReason::MaxAccumulation)),
        ("0", "999", Ok(usd("1"))),
        ("0", "990", Ok(usd("10"))),
    ] {
        let mut facts = facts();
        facts.position.token_balance = tokens(held);
        facts.position.cost_basis = usd(cost);
        let found = match limits::decide(&accumulating(), &facts) {
            Decision::Trade(plan) => Ok(plan.value),
            Decision::Hold(reason) => Err(reason),
        };
        assert_eq!(found, expected, "{held} held, cost {cost}");
    }
}
