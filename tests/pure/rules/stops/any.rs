//! Stops as properties of any market.

use lgi_mm::domain::{
    config::{AccumulateConfig, AfterStop},
    decision::{Facts, Reason, Side},
    outlook::{self, Stop, StopLine},
    units::{Price, Rounding},
};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{
    super::{
        accumulate::{between_dcas, rules},
        support::{any_facts, any_percent, any_usd, dec, scaled, usd},
    },
    Job, found, schedule,
};

/// At a line or below it: the line that is shown is rounded, the rule compares values.
fn is_at(price: Price, line: Price) -> bool {
    price.decimal() <= line.decimal() * dec("1.000000001")
}

fn any_stops() -> impl Strategy<Value = AccumulateConfig> {
    let trailing = (0_i64..40, prop_oneof![Just(0_i64), 1_i64..40]);
    (
        0_i64..60,
        0_i64..150,
        1_i64..=100,
        0_u64..200,
        0_u64..90,
        trailing,
    )
        .prop_map(
            |(loss, fixed, part, interval, cooldown, (trail, arm))| AccumulateConfig {
                stop_loss_pct: loss.into(),
                stop_price_usd: Decimal::new(fixed, 2),
                trailing_stop_pct: trail.into(),
                trailing_arm_pct: arm.into(),
                stop_sells_pct: part.into(),
                after_stop: AfterStop::Continue,
                stop_cooldown: lgi_mm::domain::span::Span::from_secs(60 * cooldown),
                dca_interval: Some(lgi_mm::domain::span::Span::from_secs(60 * interval)),
                take_profit_pct: 15.into(),
                take_profit_cooldown: lgi_mm::domain::span::Span::ZERO,
                ..rules()
            },
        )
}

proptest! {
    #[test]
    fn a_stop_fires_once_per_arming_and_nothing_is_bought_at_or_below_its_line(
        config in any_stops(),
        walk in proptest::collection::vec(30_u32..180, 1..200),
    ) {
        let cooldown = config.stop_cooldown;
        let mut job = Job { config, facts: between_dcas() };
        let (mut armed, mut last_stop) = (true, None);
        for percent in walk {
            let before = job.facts.clone();
            let Some(plan) = job.tick(percent) else { continue };
            prop_assert!(plan.side == Side::Buy || plan.amount_in <= before.position.token_balance);
            let position = before.position;
            let seen = Facts { price: plan.price, ..before.clone() };
            let high = lgi_mm::domain::stops::trailing_high(&job.config, &seen).expect("in range");
            let lines = outlook::stops(&job.config, &schedule(), (&position, &before.last), (before.last_price, high), job.facts.now);
            if plan.reason.is_stop() {
                prop_assert!(armed, "a second sale");
                let line = lines.first().expect("a line").at_or_below_usd;
                let trails = plan.reason == Reason::TrailingStop;
                let fired = |stop: &Stop| is_at(plan.price, stop.at_or_below_usd) && (stop.line == StopLine::High) == trails;
                prop_assert!(lines.iter().any(fired));
                prop_assert!(before.last_price.is_some_and(|(before, _)| is_at(before, line)), "confirmed");
                (armed, last_stop) = (false, Some(job.facts.now));
            } else if plan.side == Side::Buy {
                prop_assert!(lines.iter().all(|stop| plan.price > stop.at_or_below_usd));
                prop_assert!(last_stop.is_none_or(|at| cooldown.after(at) <= job.facts.now));
                armed = true;
            }
        }
    }

    /// From tick to tick, while the position is held and no stop has sold.
    #[test]
    fn the_line_of_a_trailing_stop_never_falls(
        config in any_stops(),
        walk in proptest::collection::vec(30_u32..180, 1..200),
    ) {
        let mut job = Job { config, facts: between_dcas() };
        let mut before: Option<Price> = None;
        for percent in walk {
            let traded = job.tick(percent);
            let ended = job.facts.position.token_balance.is_zero() || traded.is_some_and(|plan| plan.reason.is_stop());
            let high = job.facts.trailing_high.filter(|_| !ended);
            if !ended {
                prop_assert!(high >= before, "{before:?} then {high:?}");
                prop_assert!(high.is_none_or(|high| high >= job.facts.price));
            }
            before = high;
        }
    }

    /// What a status shows is where the rule sells: a billionth above it does not.
    #[test]
    fn a_stop_sells_at_the_price_that_is_shown(
        mut facts in any_facts(), loss in 1_i64..=99, cost in any_usd(), above in any_percent(300),
    ) {
        let config = AccumulateConfig { stop_loss_pct: loss.into(), ..rules() };
        facts.position.cost_basis = cost;
        facts.last.backoff_until = None;
        let shown = outlook::stops(&config, &schedule(), (&facts.position, &facts.last), (None, None), facts.now);
        let Some(stop) = shown.first().filter(|stop| stop.armed) else { return Ok(()) };
        // A holding worth less than a millionth of a cent rounds by more than that.
        let worth = facts.position.token_value(stop.at_or_below_usd, Rounding::Down);
        prop_assume!(worth.is_ok_and(|worth| worth > usd("0.01")));
        let sells = |at: Price| {
            let facts = Facts { price: at, recent_high: at, last_price: Some((at, facts.now)), last: lgi_mm::domain::decision::LastFills { rearmed: None, ..facts.last }, ..facts.clone() };
            found(&config, &facts) == Ok(Reason::StopLoss)
        };
        prop_assume!(!facts.last.stop_has_sold() && facts.last.rearmed.is_none());
        let near = |factor: &str| Price::new(stop.at_or_below_usd.decimal() * dec(factor)).expect("above zero");
        prop_assert!(sells(near("0.999999999")));
        prop_assert!(!sells(near("1.000000001")));
        let far = scaled(stop.at_or_below_usd, above.max(Decimal::ONE));
        prop_assert_eq!(sells(far), far <= stop.at_or_below_usd);
    }
}
