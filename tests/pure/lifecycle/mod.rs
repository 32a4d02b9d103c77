//! The trade lifecycle is one table. These tests walk every (state, observation) pair it can meet.
#![expect(clippy::expect_used, reason = "an error in a test's set-up fails the test")]

mod nonces;
mod walk;

use alloy_primitives::B256;
use lgi_mm::domain::trade::{
    AttemptState, FailureKind, IllegalTrade, Patience, Purpose, Seen, Step, TradeState, TradeStatus,
    TransactionState, next_step,
};
use walk::{
    NONCE, Proof, View, at, attempt, deep, every_pair, patience, proofs, shallow, step, submitted, swap,
    transaction, view,
};

const fn is_end(step: Step) -> bool {
    matches!(step, Step::Fill { .. } | Step::Fail { .. })
}

/// The nonce that a step is about.
const fn target(step: Step) -> Option<usize> {
    match step {
        Step::Broadcast { transaction }
        | Step::Replace { transaction }
        | Step::Cancel { transaction }
        | Step::Investigate { transaction } => Some(transaction),
        _ => None,
    }
}

#[test]
fn only_a_receipt_of_the_required_depth_ends_a_submitted_trade() {
    let pairs = every_pair(|trade, view, now| {
        let proofs = proofs(trade, view);
        let settled = proofs
            .iter()
            .all(|proof| matches!(proof, Proof::Ours { .. } | Proof::Foreign));
        let next = step(trade, view, now);
        assert_eq!(is_end(next), settled, "{next:?} with {proofs:?} of {view:?}");
        assert!(!matches!(next, Step::Done | Step::Expire | Step::Allocate));
    });
    println!("{pairs} pairs of state and observation");
    assert!(pairs > 900_000, "only {pairs} pairs were walked");
}

#[test]
fn a_swap_that_happened_is_never_recorded_as_failed() {
    every_pair(|trade, view, now| {
        let attempts = trade.transactions.iter().flat_map(|t| &t.attempts);
        let happened = attempts
            .zip(view.attempts.iter().flatten())
            .filter(|(attempt, seen)| {
                attempt.purpose == Purpose::Swap && matches!(seen, Seen::Mined { success: true, .. })
            })
            .map(|(attempt, _)| attempt.hash)
            .collect::<Vec<_>>();
        match step(trade, view, now) {
            Step::Fail { .. } => assert!(happened.is_empty(), "{view:?}"),
            Step::Fill { hash } => assert_eq!(happened, [hash], "{view:?}"),
            _ => {}
        }
    });
}

#[test]
fn a_failure_names_the_hash_that_proves_it() {
    every_pair(|trade, view, now| {
        let Step::Fail { kind, hash } = step(trade, view, now) else {
            return;
        };
        let went_wrong = |(proof, transaction): (Proof, &TransactionState)| match proof {
            Proof::Ours { index, success } => {
                let AttemptState { purpose, hash, .. } = transaction.attempts[index];
                match purpose {
                    Purpose::Cancel => Some((FailureKind::Cancelled, hash)),
                    _ if success => None,
                    _ => Some((FailureKind::Reverted, hash)),
                }
            }
            _ => transaction.foreign.map(|hash| (FailureKind::Foreign, hash)),
        };
        let first = proofs(trade, view)
            .into_iter()
            .zip(&trade.transactions)
            .find_map(went_wrong);
        assert_eq!(first, Some((kind, hash)), "{view:?}");
    });
}

#[test]
fn a_mined_but_shallow_transaction_is_left_alone() {
    every_pair(|trade, view, now| {
        let next = step(trade, view, now);
        if let Some(index) = target(next) {
            assert_eq!(proofs(trade, view)[index], Proof::Open, "{next:?} of {view:?}");
        }
    });
}

#[test]
fn nothing_is_signed_or_sent_while_the_nonce_is_used() {
    every_pair(|trade, view, now| {
        let next = step(trade, view, now);
        if let Some(index) = target(next) {
            let used = view
                .next_nonce
                .is_some_and(|next| next > trade.transactions[index].nonce);
            assert_eq!(
                used,
                matches!(next, Step::Investigate { .. }),
                "{next:?} of {view:?}"
            );
        }
    });
}

#[test]
fn an_error_or_an_absence_is_never_proof() {
    every_pair(|trade, view, now| {
        let nothing = |seen: &Seen| matches!(seen, Seen::Unknown | Seen::Absent);
        let unproven = trade.transactions.iter().any(|t| t.foreign.is_none());
        if view.attempts.iter().flatten().all(nothing) && unproven {
            assert!(!is_end(step(trade, view, now)), "{view:?}");
        }
    });
}

#[test]
fn a_used_nonce_is_investigated_only_when_every_hash_was_answered() {
    every_pair(|trade, view, now| {
        if let Step::Investigate { transaction } = step(trade, view, now) {
            assert!(!view.attempts[transaction].contains(&Seen::Unknown), "{view:?}");
        }
    });
}

#[test]
fn an_open_nonce_is_never_only_waited_for() {
    // Whatever was signed for it: once the clocks have run out and its node has forgotten it, something is done.
    every_pair(|trade, view, _| {
        let forgotten = View {
            attempts: view
                .attempts
                .iter()
                .map(|seen| vec![Seen::Absent; seen.len()])
                .collect(),
            ..view.clone()
        };
        let open = |(proof, transaction): (Proof, &TransactionState)| {
            proof == Proof::Open && view.next_nonce.is_none_or(|next| next <= transaction.nonce)
        };
        if proofs(trade, &forgotten)
            .into_iter()
            .zip(&trade.transactions)
            .any(open)
        {
            let next = step(trade, &forgotten, 1_000_000);
            assert!(target(next).is_some(), "{next:?} of {forgotten:?}");
        }
    });
}

#[test]
fn what_is_cancelled_is_not_cancelled_again() {
    every_pair(|trade, view, now| {
        if let Step::Cancel { transaction } = step(trade, view, now) {
            let newest = trade.transactions[transaction].attempts.last().expect("one");
            assert_ne!(newest.purpose, Purpose::Cancel);
        }
    });
}

#[test]
fn a_final_trade_stays_final_whatever_is_seen() {
    for status in [TradeStatus::Executed, TradeStatus::Failed, TradeStatus::Dropped] {
        every_pair(|trade, view, now| {
            // Cloned only where something could be seen.
            if view.block_time.is_none() {
                let trade = TradeState {
                    status,
                    ..trade.clone()
                };
                assert_eq!(step(&trade, view, now), Step::Done);
            }
        });
    }
}

#[test]
fn what_is_recorded_but_not_known_to_be_sent_is_sent() {
    let trade = submitted(vec![swap(vec![attempt(1, Purpose::Swap, false)])]);
    for seen in [Seen::Unknown, Seen::Absent, Seen::Pooled] {
        assert_eq!(
            step(&trade, &view(vec![vec![seen]], None, 1), 1),
            Step::Broadcast { transaction: 0 }
        );
    }
}

#[test]
fn a_transaction_that_a_reorganisation_took_back_is_sent_again() {
    let trade = submitted(vec![swap(vec![attempt(1, Purpose::Swap, true)])]);
    let next = |seen, nonce| step(&trade, &view(vec![vec![seen]], Some(nonce), 1), 3);
    assert_eq!(next(shallow(true), NONCE + 1), Step::Wait);
    assert_eq!(next(Seen::Absent, NONCE), Step::Broadcast { transaction: 0 });
    assert_eq!(next(Seen::Pooled, NONCE), Step::Wait);
}

#[test]
fn a_stuck_transaction_is_replaced_until_its_attempts_are_used_up() {
    for seen in [Seen::Pooled, Seen::Absent] {
        let stuck = |count: u8| {
            let attempts = (1..=count).map(|n| attempt(n, Purpose::Swap, true)).collect();
            let seen = vec![vec![seen; usize::from(count)]];
            step(&submitted(vec![swap(attempts)]), &view(seen, Some(NONCE), 1), 5)
        };
        assert_eq!(stuck(1), Step::Replace { transaction: 0 });
        assert!(!matches!(stuck(2), Step::Replace { .. }), "{seen:?}");
    }
}

#[test]
fn a_replacement_stays_below_the_cap_and_a_cancel_below_twice_the_cap() {
    let fee = |max_fee_per_gas| lgi_mm::domain::onchain::Fees {
        max_fee_per_gas,
        max_priority_fee_per_gas: 1,
    };
    let next = |purpose, max_fee_per_gas, cap| {
        let attempts = vec![
            AttemptState {
                fees: fee(1),
                ..attempt(1, Purpose::Swap, true)
            },
            AttemptState {
                fees: fee(max_fee_per_gas),
                ..attempt(2, purpose, true)
            },
        ];
        let patience = Patience {
            attempts_max: 9,
            max_fee_per_gas: cap,
            ..patience()
        };
        let seen = vec![vec![Seen::Absent, Seen::Pooled]];
        let trade = submitted(vec![swap(attempts)]);
        next_step(&trade, &view(seen, Some(NONCE), 1).of(&trade), &patience, at(5))
    };
    let replace = Ok(Step::Replace { transaction: 0 });
    assert_eq!(next(Purpose::Swap, 80, 90), replace);
    assert_eq!(next(Purpose::Swap, 81, 90), Ok(Step::Wait));
    assert_eq!(next(Purpose::Cancel, 160, 90), replace);
    assert_eq!(next(Purpose::Cancel, 161, 90), Ok(Step::Wait));
}

#[test]
fn past_its_deadline_a_swap_is_cancelled_on_its_own_nonce_however_often_it_was_replaced() {
    for count in 1..=9 {
        let attempts: Vec<_> = (1..=count).map(|n| attempt(n, Purpose::Swap, true)).collect();
        let seen = vec![vec![Seen::Pooled; attempts.len()]];
        assert_eq!(
            step(&submitted(vec![swap(attempts)]), &view(seen, Some(NONCE), 61), 1),
            Step::Cancel { transaction: 0 }
        );
    }
    let cancelled = submitted(vec![swap(vec![
        attempt(1, Purpose::Swap, true),
        attempt(2, Purpose::Cancel, true),
    ])]);
    let seen = |cancel| view(vec![vec![Seen::Absent, cancel]], Some(NONCE), 61);
    assert_eq!(step(&cancelled, &seen(Seen::Pooled), 1), Step::Wait);
    assert_eq!(
        step(&cancelled, &seen(Seen::Pooled), 5),
        Step::Replace { transaction: 0 }
    );
    let hash = B256::repeat_byte(2);
    assert_eq!(
        step(&cancelled, &seen(deep(true)), 1),
        Step::Fail {
            kind: FailureKind::Cancelled,
            hash
        }
    );
}

/// A node that holds its clock back cannot keep a swap from being cancelled: the database's clock says so half a minute
/// later.
#[test]
fn a_frozen_clock_of_the_chain_delays_a_cancel_by_half_a_minute_at_most() {
    let waiting = submitted(vec![swap(vec![
        attempt(1, Purpose::Swap, true),
        attempt(2, Purpose::Swap, true),
    ])]);
    for block_time in [Some(at(1)), None] {
        let frozen = |now| {
            let seen = View {
                attempts: vec![vec![Seen::Pooled; 2]],
                block_time,
                next_nonce: Some(NONCE),
            };
            step(&waiting, &seen, now)
        };
        assert_eq!(frozen(90), Step::Wait);
        assert_eq!(frozen(91), Step::Cancel { transaction: 0 });
    }
}

#[test]
fn only_a_cancel_that_has_waited_is_overdue_and_a_trade_waits_long_after_twice_that() {
    let late = |purpose, seconds| AttemptState {
        recorded_at: at(seconds),
        ..attempt(2, purpose, true)
    };
    let swapping = swap(vec![attempt(1, Purpose::Swap, true), late(Purpose::Swap, 6)]);
    let cancelling = swap(vec![attempt(1, Purpose::Swap, true), late(Purpose::Cancel, 20)]);
    // Replaced once more: the first cancel counts.
    let mut again = cancelling.clone();
    again.attempts.push(late(Purpose::Cancel, 30));
    for (now, overdue) in [(24, false), (25, true), (60, true)] {
        assert!(!swapping.is_cancel_overdue(&patience(), at(now)), "no cancel");
        assert_eq!(
            cancelling.is_cancel_overdue(&patience(), at(now)),
            overdue,
            "{now}"
        );
        assert_eq!(again.is_cancel_overdue(&patience(), at(now)), overdue, "{now}");
    }
    for (now, long) in [(0, false), (9, false), (10, true), (60, true)] {
        assert_eq!(swapping.has_waited_long(&patience(), at(now)), long, "{now}");
    }
    // What would be sent is not a cancel, whatever was signed before it.
    let mut swaps_again = cancelling.clone();
    swaps_again.attempts.push(late(Purpose::Swap, 30));
    assert!(!swaps_again.is_cancel_overdue(&patience(), at(60)));
    // A clock that went back proves nothing.
    assert!(!cancelling.is_cancel_overdue(&patience(), at(-60)));
    assert!(!swapping.has_waited_long(&patience(), at(-60)));
}
