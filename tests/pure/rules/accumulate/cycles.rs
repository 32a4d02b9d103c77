//! Whole cycles of an accumulating job, as properties.

use chrono::TimeDelta;
use lgi_mm::domain::{
    config::{AccumulateConfig, JobConfig, Rules},
    decision::{Decision, Facts, HoldReason, ProfitTaken, Reason, Side},
    job::JobMode,
    limits,
    span::Span,
    units::{Price, Rounding, Usd},
};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{
    super::support::{
        accumulating, any_facts, any_limits, any_percent, any_usd, apply, at, facts, hours, price, scaled,
        usd,
    },
    decide, rules,
};

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
