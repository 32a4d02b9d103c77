//! The whole protocol, explored completely: what no test of examples can promise.
#![expect(clippy::expect_used, reason = "an error in a test's set-up fails the test")]
#![expect(clippy::print_stdout, reason = "the size of the explored space is printed")]

mod explore;
mod schedule;
mod world;

use std::time::Instant;

use lgi_mm::domain::{
    Timestamp,
    trade::{
        AttemptState, ChainView, FailureKind, IllegalTrade, Patience, Purpose, Seen, Step, TradeState,
        next_step,
    },
};

use explore::{Explored, Found, explore};
use schedule::{Rules, Slots};
use world::{Model, World};

type Answer = Result<Step, IllegalTrade>;

/// A swap alone, both workers.
const SWAP: Model = Model {
    approve: false,
    workers: 2,
    attempts_max: 2,
    reorgs: 1,
    foreign: 1,
    table: next_step,
    required_depth: 2,
    guarded: true,
    investigates: true,
};

/// A swap behind an approve, one worker that may stop anywhere and be followed by another.
const APPROVE: Model = Model {
    approve: true,
    workers: 1,
    attempts_max: 1,
    ..SWAP
};

/// The rules of slots as they are.
const SLOTS: Rules = Rules {
    plans_past_fence: true,
    steps_over: true,
    closes: true,
    renews: true,
    fenced: true,
    by_hand: 2,
    orders: 2,
};

fn run<W: Explored>(name: &str, model: &W::Rules) -> Found<W> {
    let begun = Instant::now();
    let found = explore::<W>(model);
    println!(
        "{name}: {} states, {} transitions, {:.1?}",
        found.states,
        found.edges,
        begun.elapsed()
    );
    found
}

fn holds<W: Explored>(name: &str, model: &W::Rules) {
    let found = run::<W>(name, model);
    if let Some((wrong, way)) = &found.wrong {
        for world in way {
            println!("{world:?}");
        }
        assert!(found.wrong.is_none(), "{wrong}, after {} steps", way.len());
    }
    assert!(found.states > 10_000, "only {} states", found.states);
}

fn breaks<W: Explored>(name: &str, model: &W::Rules, expected: &str) {
    let found = run::<W>(name, model);
    let wrong = found.wrong.map(|(wrong, _)| wrong);
    assert_eq!(wrong, Some(expected), "{name}: the model does not see it");
}

#[test]
fn two_workers_that_crash_anywhere_swap_at_most_once_and_always_come_to_an_end() {
    holds::<World>("a swap", &SWAP);
}

#[test]
fn an_approve_and_its_swap_end_together_whatever_happens_between_them() {
    holds::<World>("an approve and its swap", &APPROVE);
}

#[test]
fn workers_that_ignore_the_version_end_a_trade_with_an_open_nonce() {
    let model = Model {
        guarded: false,
        workers: 2,
        ..SWAP
    };
    breaks::<World>("no version", &model, "a trade ended with an open nonce");
}

#[test]
fn workers_that_ignore_the_version_and_older_nonces_swap_twice() {
    fn forgetful(trade: &TradeState, view: &ChainView, patience: &Patience, now: Timestamp) -> Answer {
        let before = trade.transactions.len().saturating_sub(1);
        let mut trade = trade.clone();
        trade.transactions.drain(..before);
        Ok(match next_step(&trade, view, patience, now)? {
            Step::Broadcast { .. } => Step::Broadcast { transaction: before },
            // Nothing but the one mistake: it neither signs again nor ends.
            Step::Replace { .. }
            | Step::Cancel { .. }
            | Step::Investigate { .. }
            | Step::Fill { .. }
            | Step::Fail { .. } => Step::Wait,
            step => step,
        })
    }
    let model = Model {
        guarded: false,
        table: forgetful,
        ..SWAP
    };
    breaks::<World>("forgetful", &model, "two swaps of one trade are final");
}

#[test]
fn a_depth_that_the_chain_still_takes_back_ends_a_trade_too_early() {
    let model = Model {
        required_depth: 1,
        ..SWAP
    };
    breaks::<World>("too shallow", &model, "a trade ended with an open nonce");
}

#[test]
fn a_table_that_takes_absence_for_proof_is_caught() {
    fn gullible(trade: &TradeState, view: &ChainView, patience: &Patience, now: Timestamp) -> Answer {
        let step = next_step(trade, view, patience, now)?;
        let mut attempts = trade
            .transactions
            .iter()
            .flat_map(|transaction| &transaction.attempts);
        let nothing = attempts.all(|attempt| view.of(attempt) == Seen::Absent);
        Ok(match (step, trade.transactions.first()) {
            (Step::Cancel { .. }, Some(first)) if nothing => Step::Fail {
                kind: FailureKind::Cancelled,
                hash: first.attempts[0].hash,
            },
            (step, _) => step,
        })
    }
    let model = Model {
        table: gullible,
        ..SWAP
    };
    breaks::<World>("absence", &model, "a trade ended with an open nonce");
}

#[test]
fn a_table_that_ends_a_trade_at_its_reverted_approve_is_caught() {
    fn hasty(trade: &TradeState, view: &ChainView, patience: &Patience, now: Timestamp) -> Answer {
        let reverted = |attempt: &AttemptState| matches!(view.of(attempt), Seen::Mined { success: false, depth } if depth >= patience.required_depth);
        match trade.transactions.first() {
            Some(first) if first.purpose == Purpose::Approve && first.attempts.iter().any(reverted) => {
                Ok(Step::Fail {
                    kind: FailureKind::Reverted,
                    hash: first.attempts[0].hash,
                })
            }
            _ => next_step(trade, view, patience, now),
        }
    }
    let model = Model {
        table: hasty,
        ..APPROVE
    };
    breaks::<World>("hasty", &model, "a trade ended with an open nonce");
}

#[test]
fn a_table_that_never_sends_again_leaves_a_nonce_open_for_ever() {
    fn lazy(trade: &TradeState, view: &ChainView, patience: &Patience, now: Timestamp) -> Answer {
        let step = next_step(trade, view, patience, now)?;
        let sent = |index: usize| {
            let newest = trade.transactions[index].attempts.last();
            newest.is_some_and(|newest| newest.sent_at.is_some())
        };
        Ok(match step {
            Step::Broadcast { transaction } if sent(transaction) => Step::Wait,
            Step::Replace { .. } => Step::Wait,
            step => step,
        })
    }
    let model = Model {
        table: lazy,
        workers: 1,
        ..SWAP
    };
    breaks::<World>("lazy", &model, "a nonce may stay open indefinitely");
}

#[test]
fn without_looking_for_who_used_a_nonce_a_trade_stays_open_for_ever() {
    let model = Model {
        investigates: false,
        workers: 1,
        ..SWAP
    };
    breaks::<World>("incurious", &model, "a nonce may stay open indefinitely");
}

#[test]
fn no_order_of_claims_orders_ticks_by_hand_and_recordings_leaves_a_job_without_a_next_step() {
    holds::<Slots>("slots", &SLOTS);
}

#[test]
fn slots_planned_by_the_time_their_order_began_stop_a_job_for_ever() {
    let rules = Rules {
        plans_past_fence: false,
        steps_over: false,
        closes: false,
        by_hand: 0,
        ..SLOTS
    };
    breaks::<Slots>("by the order's time", &rules, Slots::STUCK);
}

#[test]
fn a_tick_by_hand_within_the_jitter_of_a_slot_stops_a_job_if_passed_slots_are_claimed() {
    let rules = Rules {
        steps_over: false,
        closes: false,
        by_hand: 2,
        orders: 0,
        ..SLOTS
    };
    breaks::<Slots>("passed slots", &rules, Slots::STUCK);
}

#[test]
fn slots_whose_tasks_are_lost_stop_a_job_if_nobody_hands_them_out_again() {
    let rules = Rules {
        renews: false,
        by_hand: 0,
        orders: 0,
        ..SLOTS
    };
    breaks::<Slots>("lost tasks", &rules, Slots::STUCK);
}

#[test]
fn slots_that_are_recorded_without_a_fence_are_decided_twice() {
    let rules = Rules {
        fenced: false,
        ..SLOTS
    };
    breaks::<Slots>("no fence", &rules, "a slot was decided twice");
}
