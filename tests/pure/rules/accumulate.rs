//! Mode accumulate.

use chrono::TimeDelta;
use lgi_mm::domain::{
    Timestamp, accumulate,
    config::{AccumulateConfig, JobConfig, Rules, ScheduleConfig},
    decision::{Decision, Facts, HoldReason, LastFills, Plan, ProfitTaken, Reason, Side},
    job::JobMode,
    limits, outlook,
    samples::HistoryQuery,
    schedule::CronExpr,
    span::Span,
    units::{Price, Rounding, Usd},
};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::support::{
    accumulating, any_facts, any_limits, any_percent, any_usd, apply, at, dec, facts, hours, price, quote,
    scaled, tokens, usd,
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

/// What the engine tells the rules of a series of samples, one a minute.
struct Market {
    samples: Vec<(i64, Price)>,
    facts: Facts,
}

impl Market {
    fn new() -> Self {
        let mut facts = facts();
        facts.last.dca = Some(at(hours(10_000)));
        Self {
            samples: Vec::new(),
            facts,
        }
    }

    fn tick(&mut self, percent: i64, config: &AccumulateConfig) -> Decision {
        let secs = i64::try_from(self.samples.len()).expect("few") * 60;
        let sample = scaled(price("1"), percent.into());
        self.facts.now = at(secs);
        self.samples.push((secs, sample));
        let after_fill = |secs: i64| self.facts.last.dip.is_none_or(|fill| at(secs) > fill);
        let window = |secs: i64| at(secs) >= config.dip_window.before(self.facts.now);
        let seen: Vec<Price> = (self.samples.iter())
            .filter(|(secs, _)| after_fill(*secs) && window(*secs))
            .map(|(_, price)| *price)
            .collect();
        self.facts.price = sample;
        self.facts.previous_price = seen.iter().rev().nth(1).copied();
        self.facts.recent_high = seen.iter().copied().max().unwrap_or(sample);
        decide(config, &self.facts)
    }
}

proptest! {
    #[test]
    fn one_dip_buys_once_and_a_failed_buy_does_not_use_it_up(
        calm in proptest::collection::vec(96_i64..=100, 3..20),
        dip in proptest::collection::vec(82_i64..=86, 4..100),
        after in proptest::collection::vec(88_i64..=91, 0..50),
        failures in 0_usize..3,
        cooldown in 0_u64..3_600,
    ) {
        let config = AccumulateConfig { dip_cooldown: Span::from_secs(cooldown), ..rules() };
        let mut market = Market::new();
        let (mut fills, mut failed) = (0, 0);
        for percent in calm.into_iter().chain(dip).chain(after) {
            let Decision::Trade(plan) = market.tick(percent, &config) else { continue };
            prop_assert_eq!(plan.reason, Reason::DipBuy);
            if failed < failures {
                failed += 1;
            } else {
                apply(&plan, &mut market.facts);
                fills += 1;
            }
        }
        // Two samples confirm it, then as many tries as fail.
        prop_assert_eq!((fills, failed), (1, failures.min(failed)));
    }

    #[test]
    fn a_single_low_sample_is_no_dip(calm in proptest::collection::vec(95_i64..=100, 3..40), low in 1_i64..=50) {
        let mut market = Market::new();
        for percent in calm {
            prop_assert!(matches!(market.tick(percent, &rules()), Decision::Hold(_)));
            prop_assert_eq!(market.tick(low, &rules()), Decision::Hold(HoldReason::DipUnconfirmed));
            prop_assert_eq!(market.tick(100, &rules()), Decision::Hold(HoldReason::NotDue));
        }
    }

    #[test]
    fn no_buy_ever_passes_a_cap_by_cost_or_by_value(
        mut facts in any_facts(), cap in any_usd(), amount in any_usd(), high in any_percent(1_000),
    ) {
        facts.recent_high = scaled(facts.price, high.max(Decimal::ONE_HUNDRED));
        let config = AccumulateConfig { max_accumulation_usd: cap, dca_amount_usd: amount, ..rules() };
        if let Decision::Trade(plan) = decide(&config, &facts) {
            prop_assert_eq!(plan.side, Side::Buy);
            let cost = facts.position.cost_basis.checked_add(plan.value).expect("in range");
            prop_assert!(cost <= cap);
            let before = facts.position.token_value(facts.price, Rounding::Up).expect("in range");
            prop_assert!(before.checked_add(plan.value).expect("in range") <= cap);
            apply(&plan, &mut facts);
            prop_assert!(facts.position.cost_basis <= cap);
            prop_assert!(facts.position.token_value(facts.price, Rounding::Down).expect("in range") <= cap);
        }
    }

    #[test]
    fn a_whole_cycle_of_buys_ends_at_the_cap_and_never_past_it(
        percents in proptest::collection::vec(30_i64..200, 1..120), cap in 10_i64..500, amount in 1_i64..100,
    ) {
        let mut config = accumulating();
        config.rules = Rules::Accumulate(AccumulateConfig {
            max_accumulation_usd: usd(&cap.to_string()),
            dca_amount_usd: usd(&amount.min(cap).to_string()),
            dca_interval: Some(Span::from_secs(60)),
            ..rules()
        });
        config.limits.max_daily_spend_usd = Usd::ZERO;
        let mut facts = facts();
        for (minute, percent) in (0_i64..).zip(percents) {
            facts.now = at(60 * minute);
            facts.price = scaled(price("1"), percent.into());
            facts.recent_high = facts.recent_high.max(facts.price);
            if let Decision::Trade(plan) = limits::decide(&config, &facts) {
                apply(&plan, &mut facts);
            }
            prop_assert!(facts.position.cost_basis <= usd(&cap.to_string()));
        }
    }

    #[test]
    fn the_same_facts_give_the_same_decision_whenever_they_happen(
        facts in any_facts(), config in any_limits(JobMode::Accumulate), take_profit_pct in any_percent(100),
        days in -10_000_i64..10_000,
    ) {
        let config = JobConfig {
            rules: Rules::Accumulate(AccumulateConfig { take_profit_pct, ..rules() }),
            ..config
        };
        let decision = limits::decide(&config, &facts);
        prop_assert_eq!(limits::decide(&config, &facts.clone()), decision);
        let mut later = facts;
        let shift = TimeDelta::days(days);
        later.now += shift;
        later.started_at += shift;
        later.last.dca = later.last.dca.map(|at| at + shift);
        later.last.dip = later.last.dip.map(|at| at + shift);
        later.last.take_profit = later.last.take_profit.map(|last| ProfitTaken { at: last.at + shift, ..last });
        prop_assert_eq!(limits::decide(&config, &later), decision);
    }

    #[test]
    fn a_take_profit_sells_its_share_of_a_gain_and_never_a_loss(
        mut facts in any_facts(), take_profit_pct in any_percent(200), share in 1_i64..=100,
    ) {
        let config = AccumulateConfig { take_profit_pct, take_profit_sell_pct: share.into(), ..rules() };
        facts.last.dca = Some(facts.now);
        let before = facts.position;
        if let Decision::Trade(plan) = decide(&config, &facts) && plan.side == Side::Sell {
            prop_assert!(plan.amount_in <= before.token_balance);
            if share == 100 {
                prop_assert_eq!(plan.amount_in, before.token_balance);
            }
            let booked = apply(&plan, &mut facts);
            // Proceeds are rounded to whole quote units, each worth at most a few millionths of a USD.
            let rounding = usd("0.00001");
            prop_assert!(booked.realized.checked_add(rounding).expect("in range") >= Usd::ZERO);
            prop_assert!(!matches!(
                decide(&config, &facts),
                Decision::Trade(again) if again.reason == Reason::TakeProfit
            ), "armed again at once");
        }
    }
}
