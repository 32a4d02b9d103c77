//! Stops of mode accumulate.

mod any;

use chrono::TimeDelta;
use lgi_mm::domain::{
    config::{AccumulateConfig, AfterStop, JobConfig, Rules, ScheduleConfig},
    decision::{Decision, Facts, HoldReason, Plan, Reason, Side},
    limits,
    outlook::{self, Stop, StopLine},
    schedule::CronExpr,
    stops,
    units::Amount,
};

use super::{
    accumulate::{between_dcas, decide, plan, rules},
    support::{accumulating, apply, at, dec, hours, price, scaled, tokens, usd},
};

fn schedule() -> ScheduleConfig {
    ScheduleConfig::default()
}

/// Stops at 20 % below the average cost, or at 0.5.
fn stopping() -> AccumulateConfig {
    AccumulateConfig {
        stop_loss_pct: dec("20"),
        stop_price_usd: dec("0.5"),
        dip_buy_threshold_pct: dec("0"),
        ..rules()
    }
}

/// Ten tokens that cost ten; at 0.8 for the second minute.
fn falling() -> Facts {
    let mut facts = between_dcas();
    facts.last.dca = Some(at(hours(99)));
    facts.position.token_balance = tokens("10");
    facts.position.cost_basis = usd("10");
    facts.price = price("0.8");
    facts.recent_high = price("1");
    facts.last_price = Some((price("0.8"), facts.now - TimeDelta::minutes(1)));
    facts
}

fn found(config: &AccumulateConfig, facts: &Facts) -> Result<Reason, HoldReason> {
    match decide(config, facts) {
        Decision::Trade(plan) => Ok(plan.reason),
        Decision::Hold(reason) => Err(reason),
    }
}

/// A change of the falling job.
type Change = fn(&mut Facts);

const CASES: [(&str, Change, Result<Reason, HoldReason>); 12] = [
    ("confirmed", |_| {}, Ok(Reason::StopLoss)),
    (
        "above its line",
        |f| f.price = price("0.80000001"),
        Err(HoldReason::NotDue),
    ),
    (
        "seen once",
        |f| f.last_price = Some((price("0.80000001"), f.now - TimeDelta::minutes(1))),
        Err(HoldReason::StopUnconfirmed),
    ),
    (
        "nothing before",
        |f| f.last_price = None,
        Err(HoldReason::StopUnconfirmed),
    ),
    (
        "it has sold",
        |f| f.last.stop = Some(f.now - TimeDelta::minutes(1)),
        Err(HoldReason::NotDue),
    ),
    (
        "it has sold before the last buy",
        |f| f.last.stop = Some(at(hours(98))),
        Ok(Reason::StopLoss),
    ),
    (
        "it has sold, and the job was resumed",
        |f| {
            f.last.stop = Some(f.now - TimeDelta::minutes(30));
            f.last.rearmed = Some(f.now - TimeDelta::minutes(20));
        },
        Ok(Reason::StopLoss),
    ),
    (
        "the price of the slot before is from before the job was resumed",
        |f| {
            f.last.stop = Some(f.now - TimeDelta::minutes(30));
            f.last.rearmed = Some(f.now - TimeDelta::minutes(1));
        },
        Err(HoldReason::StopUnconfirmed),
    ),
    (
        "after failures",
        |f| f.last.backoff_until = Some(at(hours(101))),
        Err(HoldReason::Backoff),
    ),
    (
        "nothing is held",
        |f| f.position.token_balance = Amount::ZERO,
        Err(HoldReason::NotDue),
    ),
    (
        "it cost nothing",
        |f| f.position.cost_basis = usd("0"),
        Err(HoldReason::NotDue),
    ),
    (
        "it cost nothing, and is at the other stop",
        |f| {
            f.position.cost_basis = usd("0");
            f.price = price("0.5");
            f.last_price = Some((price("0.5"), f.now - TimeDelta::minutes(1)));
        },
        Ok(Reason::StopLoss),
    ),
];

#[test]
fn a_stop_needs_two_samples_at_its_line_and_sells_once() {
    for (name, change, expected) in CASES {
        let mut facts = falling();
        change(&mut facts);
        assert_eq!(found(&stopping(), &facts), expected, "{name}");
    }
    let all = plan(decide(&stopping(), &falling()));
    assert_eq!(
        (all.side, all.amount_in, all.value),
        (Side::Sell, tokens("10"), usd("8"))
    );
    let part = AccumulateConfig {
        stop_sells_pct: dec("12.5"),
        ..stopping()
    };
    assert_eq!(plan(decide(&part, &falling())).amount_in, tokens("1.25"));
}

/// A day; two slots, where they are further apart.
#[test]
fn an_old_price_confirms_no_stop() {
    let seen_before = |seconds: i64| {
        let mut facts = falling();
        facts.last_price = Some((price("0.8"), facts.now - TimeDelta::seconds(seconds)));
        facts
    };
    assert_eq!(found(&stopping(), &seen_before(hours(24))), Ok(Reason::StopLoss));
    assert_eq!(
        found(&stopping(), &seen_before(hours(24) + 1)),
        Err(HoldReason::StopUnconfirmed)
    );
    let mut weekly = schedule();
    weekly.cron = CronExpr::try_from("0 9 * * 1".to_owned()).expect("a cron line");
    let weekly_found = |days: i64| {
        let mut facts = seen_before(hours(24) * days);
        facts.now = "2026-06-15T09:00:00Z".parse().expect("a Monday");
        facts.last_price = Some((price("0.8"), facts.now - TimeDelta::days(days)));
        facts.last.dca = Some(facts.now);
        match lgi_mm::domain::accumulate::decide(&stopping(), &weekly, &facts) {
            Decision::Trade(plan) => Ok(plan.reason),
            Decision::Hold(reason) => Err(reason),
        }
    };
    assert_eq!(weekly_found(7), Ok(Reason::StopLoss));
    assert_eq!(weekly_found(14), Ok(Reason::StopLoss));
    assert_eq!(weekly_found(15), Err(HoldReason::StopUnconfirmed));
}

/// Stop-loss, take-profit, dip buy, DCA; each alone would fire.
#[test]
fn a_stop_comes_first_and_passes_nothing_on() {
    let mut facts = falling();
    facts.last.dca = None;
    facts.previous_price = Some(facts.price);
    let mut all = AccumulateConfig {
        dip_buy_threshold_pct: dec("10"),
        // Above what it cost: a stop by price may be.
        stop_price_usd: dec("1.5"),
        take_profit_pct: dec("10"),
        ..stopping()
    };
    facts.position.cost_basis = usd("5");
    assert_eq!(found(&all, &facts), Ok(Reason::StopLoss));
    // What its limits refuse is not given to the next rule.
    let refused = lgi_mm::domain::accumulate::decide_within(&all, &schedule(), &facts, |plan| {
        if plan.reason.is_stop() {
            Err(HoldReason::InsufficientBalance)
        } else {
            Ok(plan)
        }
    });
    assert_eq!(refused, Decision::Hold(HoldReason::InsufficientBalance));
    // Seen once: it sells with a profit, and buys nothing.
    facts.last_price = None;
    assert_eq!(found(&all, &facts), Ok(Reason::TakeProfit));
    all.take_profit_pct = dec("0");
    assert_eq!(found(&all, &facts), Err(HoldReason::StopUnconfirmed));
    // The stop has sold: it buys nothing until the price is above its line.
    facts.last.stop = Some(facts.now);
    assert_eq!(found(&all, &facts), Err(HoldReason::BelowStop));
    all.stop_price_usd = dec("0.5");
    all.stop_loss_pct = dec("0");
    assert_eq!(found(&all, &facts), Ok(Reason::DipBuy));
}

#[test]
fn nothing_is_bought_at_a_stop_price_with_nothing_held_nor_before_the_cooldown_is_over() {
    let mut config = stopping();
    let mut facts = between_dcas();
    facts.last.dca = None;
    for (at, expected) in [
        ("0.49", Err(HoldReason::BelowStop)),
        ("0.5", Err(HoldReason::BelowStop)),
        ("0.500001", Ok(Reason::Dca)),
    ] {
        facts.price = price(at);
        assert_eq!(found(&config, &facts), expected, "{at}");
    }
    facts.last.stop = Some(facts.now - TimeDelta::hours(5));
    config.stop_cooldown = "6h".parse().expect("a span");
    for (after, expected) in [
        (AfterStop::Pause, Ok(Reason::Dca)),
        (AfterStop::Idle, Ok(Reason::Dca)),
        (AfterStop::Continue, Err(HoldReason::StopCooldown)),
    ] {
        config.after_stop = after;
        assert_eq!(found(&config, &facts), expected, "{after}");
    }
    facts.now += TimeDelta::hours(1);
    assert_eq!(found(&config, &facts), Ok(Reason::Dca));
    // A buy that is not due waits for nothing.
    facts.last.dca = Some(facts.now);
    facts.price = price("0.4");
    assert_eq!(found(&config, &facts), Err(HoldReason::NotDue));
}

#[test]
fn a_stop_is_exempt_from_the_limits_that_a_liquidation_is_exempt_from() {
    let mut config: JobConfig = accumulating();
    config.rules = Rules::Accumulate(stopping());
    config.limits.max_trades_per_hour = 1;
    let mut facts = falling();
    facts.spent.trades_last_hour = 60;
    facts.position.token_balance = tokens("0.001");
    facts.position.cost_basis = usd("0.001");
    assert_eq!(plan(limits::decide(&config, &facts)).amount_in, tokens("0.001"));
    assert!(limits::stop_is_due(None, &config, &facts));
    // It is due and does not sell: that is more than a hold.
    facts.last.backoff_until = Some(at(hours(101)));
    assert_eq!(
        limits::decide(&config, &facts),
        Decision::Hold(HoldReason::Backoff)
    );
    assert!(limits::stop_is_due(None, &config, &facts));
    facts.last_price = None;
    assert!(!limits::stop_is_due(None, &config, &facts));
}

/// 10 % below the high, which counts from 30 % above the average cost on.
#[test]
fn a_trailing_stop_is_armed_by_its_gain_and_sells_below_its_high() {
    let config = AccumulateConfig {
        stop_loss_pct: dec("0"),
        stop_price_usd: dec("0"),
        trailing_stop_pct: dec("10"),
        trailing_arm_pct: dec("30"),
        after_stop: AfterStop::Continue,
        ..stopping()
    };
    let mut job = Job {
        config,
        facts: falling(),
    };
    job.facts.last.dca = Some(at(hours(1_000)));
    let mut tick = |percent: u32| {
        let traded = job.tick(percent).map(|plan| plan.reason);
        (traded, job.facts.trailing_high)
    };
    let high = |at: &str| (None, Some(price(at)));
    // Not armed: no fall sells.
    for percent in [100, 129, 60, 60] {
        assert_eq!(tick(percent), (None, None), "{percent}");
    }
    assert_eq!(tick(130), high("1.3"));
    assert_eq!(tick(118), high("1.3"));
    assert_eq!(tick(200), high("2"));
    assert_eq!(tick(181), high("2"));
    // At its line once, and above it again.
    assert_eq!(tick(180), high("2"));
    assert_eq!(tick(181), high("2"));
    assert_eq!(tick(150), high("2"));
    assert_eq!(tick(150), (Some(Reason::TrailingStop), Some(price("2"))));
    assert_eq!(tick(150), (None, None));
}

/// Without a gain to wait for, the price of the first buy is the first high.
#[test]
fn a_trailing_stop_without_a_gain_counts_from_the_first_buy() {
    let config = AccumulateConfig {
        stop_loss_pct: dec("0"),
        stop_price_usd: dec("0"),
        trailing_stop_pct: dec("10"),
        after_stop: AfterStop::Continue,
        stop_cooldown: lgi_mm::domain::span::Span::ZERO,
        ..stopping()
    };
    let mut facts = between_dcas();
    facts.last.dca = None;
    let mut job = Job { config, facts };
    let mut tick = |percent: u32| job.tick(percent).map(|plan| plan.reason);
    assert_eq!(tick(100), Some(Reason::Dca));
    assert_eq!([tick(90), tick(89)], [None, Some(Reason::TrailingStop)]);
    // Nothing is due for four hours; then what is bought counts again.
    job.facts.now += TimeDelta::hours(4);
    let mut tick = |percent: u32| job.tick(percent).map(|plan| plan.reason);
    assert_eq!(tick(50), Some(Reason::Dca));
    assert_eq!(
        [tick(46), tick(45), tick(45)],
        [None, None, Some(Reason::TrailingStop)]
    );
}

#[test]
fn the_stop_loss_comes_before_the_trailing_stop_and_each_is_confirmed_by_its_own_line() {
    let config = AccumulateConfig {
        trailing_stop_pct: dec("10"),
        ..stopping()
    };
    let mut facts = falling();
    facts.trailing_high = Some(price("1"));
    assert_eq!(found(&config, &facts), Ok(Reason::StopLoss));
    // The price before was below the trailing line only.
    facts.last_price = Some((price("0.9"), facts.now - TimeDelta::minutes(1)));
    assert_eq!(found(&config, &facts), Ok(Reason::TrailingStop));
    facts.last_price = Some((price("0.91"), facts.now - TimeDelta::minutes(1)));
    assert_eq!(found(&config, &facts), Err(HoldReason::StopUnconfirmed));
    // A high from before the stop has sold means nothing, and keeps nothing from being bought.
    facts.last.stop = Some(facts.now - TimeDelta::hours(30));
    facts.last.dca = Some(facts.now - TimeDelta::hours(31));
    facts.price = price("0.85");
    assert_eq!(found(&config, &facts), Ok(Reason::Dca));
}

/// Prices by hand: 8 tokens that cost 6 in all are 0.75 each, and 0.6 with 20 % less.
#[test]
fn the_stops_of_a_small_holding() {
    let mut facts = falling();
    facts.position.token_balance = tokens("8");
    facts.position.cost_basis = usd("6");
    let stops = |facts: &Facts| {
        outlook::stops(
            &stopping(),
            &schedule(),
            (&facts.position, &facts.last),
            (facts.last_price, facts.trailing_high),
            facts.now,
        )
    };
    let loss = Stop {
        line: StopLine::AverageCost,
        at_or_below_usd: price("0.6"),
        from_usd: Some(price("0.75")),
        armed: true,
        seen_once: false,
    };
    let fixed = Stop {
        line: StopLine::Price,
        at_or_below_usd: price("0.5"),
        from_usd: None,
        ..loss
    };
    assert_eq!(stops(&facts), [loss, fixed]);
    facts.last_price = Some((price("0.55"), facts.now - TimeDelta::minutes(1)));
    assert_eq!(
        stops(&facts),
        [
            Stop {
                seen_once: true,
                ..loss
            },
            fixed
        ]
    );
    facts.last.stop = Some(facts.now);
    let sold = |stop| Stop { armed: false, ..stop };
    assert_eq!(stops(&facts), [sold(loss), sold(fixed)]);
    facts.position.token_balance = Amount::ZERO;
    assert_eq!(stops(&facts), [sold(fixed)]);
}

/// A job that ticks each minute, whose trades fill at once.
struct Job {
    config: AccumulateConfig,
    facts: Facts,
}

impl Job {
    fn tick(&mut self, percent: u32) -> Option<Plan> {
        let facts = &mut self.facts;
        facts.now += TimeDelta::minutes(1);
        facts.price = scaled(price("1"), percent.into());
        facts.recent_high = facts.recent_high.max(facts.price);
        let decision = decide(&self.config, facts);
        let plan = match decision {
            Decision::Trade(plan) => Some(plan),
            Decision::Hold(_) => None,
        };
        let high = stops::remembered_high(&self.config, facts, plan.as_ref());
        let traded = match decision {
            Decision::Trade(plan) => {
                apply(&plan, facts);
                Some(plan)
            }
            Decision::Hold(_) => None,
        };
        facts.trailing_high = high;
        facts.previous_price = Some(facts.price);
        facts.last_price = Some((facts.price, facts.now));
        traded
    }
}
