//! The trade lifecycle is one table. These tests walk every (state, observation) pair it can meet.
#![expect(clippy::expect_used, reason = "what cannot go on in a test fails it")]

use alloy_primitives::B256;
use chrono::{DateTime, TimeDelta, Utc};
use lgi_mm::domain::{
    span::Span,
    trade::{
        AttemptState, ChainView, FailureKind, IllegalTrade, Patience, Purpose, Seen, Step, TradeState,
        TradeStatus, TransactionState, next_step,
    },
};

const DEPTH: u64 = 3;
const NONCE: u64 = 7;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn patience() -> Patience {
    Patience {
        required_depth: DEPTH,
        resend_after: Span::from_secs(2),
        replace_after: Span::from_secs(5),
        attempts_max: 4,
    }
}

fn attempt(hash: u8, purpose: Purpose, sent: bool) -> AttemptState {
    AttemptState {
        hash: B256::repeat_byte(hash),
        purpose,
        recorded_at: at(0),
        sent_at: sent.then(|| at(0)),
    }
}

fn swap(attempts: Vec<AttemptState>) -> TransactionState {
    TransactionState {
        nonce: NONCE,
        purpose: Purpose::Swap,
        deadline: at(60),
        attempts,
    }
}

fn submitted(transactions: Vec<TransactionState>) -> TradeState {
    TradeState {
        status: TradeStatus::Submitted,
        expires_at: at(30),
        transactions,
    }
}

fn view(attempts: Vec<Vec<Seen>>, next_nonce: Option<u64>, block: i64) -> ChainView {
    ChainView {
        attempts,
        block_time: Some(at(block)),
        next_nonce,
    }
}

fn step(trade: &TradeState, view: &ChainView, now: i64) -> Step {
    next_step(trade, view, &patience(), at(now)).expect("a legal trade")
}

/// Everything that can be seen of one attempt.
fn all_seen() -> Vec<Seen> {
    let mut seen = vec![Seen::Unknown, Seen::Absent, Seen::Pooled];
    for success in [true, false] {
        seen.extend([1, DEPTH - 1, DEPTH, DEPTH + 9].map(|depth| Seen::Mined { success, depth }));
    }
    seen
}

/// Every pair of one or two attempts, each sent or not, each a swap or a cancel, with everything that can be
/// seen of them, the nonce used or not or unknown, before and after the deadline, early and late.
fn every_pair(mut check: impl FnMut(&TradeState, &ChainView, i64)) -> usize {
    let (mut pairs, purposes) = (0, [Purpose::Swap, Purpose::Cancel]);
    let mut histories: Vec<Vec<AttemptState>> = vec![];
    for sent in [true, false] {
        histories.push(vec![attempt(1, Purpose::Swap, sent)]);
        histories
            .extend(purposes.map(|second| vec![attempt(1, Purpose::Swap, true), attempt(2, second, sent)]));
    }
    for history in histories {
        for first in all_seen() {
            for second in all_seen() {
                let seen: Vec<Seen> = [first, second].into_iter().take(history.len()).collect();
                for nonce in [None, Some(NONCE), Some(NONCE + 1)] {
                    for (block, now) in [(1, 1), (1, 20), (61, 1), (61, 90)] {
                        let trade = submitted(vec![swap(history.clone())]);
                        check(&trade, &view(vec![seen.clone()], nonce, block), now);
                        pairs += 1;
                    }
                }
            }
        }
    }
    pairs
}

#[test]
fn only_a_receipt_of_the_required_depth_ends_a_submitted_trade() {
    let pairs = every_pair(|trade, view, now| {
        let deep = |seen: &Seen| matches!(seen, Seen::Mined { depth, .. } if *depth >= DEPTH);
        let proven = view.attempts.iter().flatten().any(deep);
        let ended = matches!(step(trade, view, now), Step::Fill { .. } | Step::Fail { .. });
        assert!(!ended || proven, "{view:?} ended a trade without proof");
        assert!(!matches!(
            step(trade, view, now),
            Step::Done | Step::Expire | Step::Allocate
        ));
    });
    assert!(pairs > 5_000, "only {pairs} pairs were walked");
}

#[test]
fn a_swap_that_happened_is_never_recorded_as_failed() {
    every_pair(|trade, view, now| {
        let attempts = trade.transactions[0].attempts.iter().zip(&view.attempts[0]);
        for (attempt, seen) in attempts {
            if attempt.purpose == Purpose::Swap && matches!(seen, Seen::Mined { success: true, .. }) {
                let first_mined = view.attempts[0]
                    .iter()
                    .position(|s| matches!(s, Seen::Mined { .. }));
                let is_first =
                    first_mined.is_some_and(|i| trade.transactions[0].attempts[i].hash == attempt.hash);
                // Two mined attempts of one nonce cannot be; only the first is looked at.
                if is_first {
                    assert!(!matches!(step(trade, view, now), Step::Fail { .. }), "{view:?}");
                }
            }
        }
    });
}

#[test]
fn a_mined_but_shallow_transaction_is_left_alone() {
    every_pair(|trade, view, now| {
        let first = view.attempts[0]
            .iter()
            .find(|seen| matches!(seen, Seen::Mined { .. }));
        if matches!(first, Some(Seen::Mined { depth, .. }) if *depth < DEPTH) {
            assert_eq!(step(trade, view, now), Step::Wait, "{view:?}");
        }
    });
}

#[test]
fn nothing_is_signed_while_the_nonce_may_be_used() {
    every_pair(|trade, view, now| {
        let used = view.next_nonce.is_some_and(|next| next > NONCE);
        let next = step(trade, view, now);
        if used {
            assert!(
                !matches!(next, Step::Replace { .. } | Step::Cancel { .. }),
                "{view:?} -> {next:?}"
            );
        }
    });
}

#[test]
fn an_error_or_an_absence_is_never_proof() {
    for seen in [Seen::Unknown, Seen::Absent] {
        for now in [1, 3, 10, 1_000_000] {
            let trade = submitted(vec![swap(vec![attempt(1, Purpose::Swap, true)])]);
            let next = step(&trade, &view(vec![vec![seen]], Some(NONCE), 1), now);
            assert!(
                matches!(next, Step::Wait | Step::Broadcast { .. }),
                "{seen:?} at {now}: {next:?}"
            );
        }
    }
}

#[test]
fn a_used_nonce_is_investigated_only_when_every_hash_was_answered() {
    let trade = submitted(vec![swap(vec![
        attempt(1, Purpose::Swap, true),
        attempt(2, Purpose::Swap, true),
    ])]);
    let next = |first, second| step(&trade, &view(vec![vec![first, second]], Some(NONCE + 1), 1), 3);
    assert_eq!(
        next(Seen::Absent, Seen::Absent),
        Step::Investigate { transaction: 0 }
    );
    assert_eq!(next(Seen::Unknown, Seen::Absent), Step::Wait);
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
fn a_stuck_transaction_is_replaced_until_its_attempts_are_used_up() {
    let stuck = |count: u8| {
        let attempts = (1..=count).map(|n| attempt(n, Purpose::Swap, true)).collect();
        let trade = submitted(vec![swap(attempts)]);
        step(
            &trade,
            &view(vec![vec![Seen::Pooled; usize::from(count)]], Some(NONCE), 1),
            5,
        )
    };
    assert_eq!(stuck(1), Step::Replace { transaction: 0 });
    assert_eq!(stuck(3), Step::Replace { transaction: 0 });
    assert_eq!(stuck(4), Step::Wait);
}

#[test]
fn past_its_deadline_a_swap_is_cancelled_on_its_own_nonce_and_then_only_waited_for() {
    let swap_only = submitted(vec![swap(vec![attempt(1, Purpose::Swap, true)])]);
    assert_eq!(
        step(&swap_only, &view(vec![vec![Seen::Pooled]], Some(NONCE), 61), 1),
        Step::Cancel { transaction: 0 }
    );
    let cancelled = submitted(vec![swap(vec![
        attempt(1, Purpose::Swap, true),
        attempt(2, Purpose::Cancel, true),
    ])]);
    let seen = vec![vec![Seen::Absent, Seen::Pooled]];
    assert_eq!(step(&cancelled, &view(seen, Some(NONCE), 61), 1), Step::Wait);
    let mined = vec![vec![
        Seen::Absent,
        Seen::Mined {
            success: true,
            depth: DEPTH,
        },
    ]];
    let hash = B256::repeat_byte(2);
    assert_eq!(
        step(&cancelled, &view(mined, Some(NONCE + 1), 61), 1),
        Step::Fail {
            kind: FailureKind::Cancelled,
            hash
        }
    );
}

#[test]
fn a_trade_without_a_nonce_is_allocated_until_it_expires() {
    let pending = TradeState {
        status: TradeStatus::Pending,
        expires_at: at(30),
        transactions: vec![],
    };
    let nothing = view(vec![], None, 1);
    assert_eq!(step(&pending, &nothing, 29), Step::Allocate);
    assert_eq!(step(&pending, &nothing, 30), Step::Expire);
}

#[test]
fn an_approve_makes_way_for_the_swap_behind_it() {
    let approve = TransactionState {
        purpose: Purpose::Approve,
        ..swap(vec![attempt(1, Purpose::Approve, true)])
    };
    let behind = TransactionState {
        nonce: NONCE + 1,
        ..swap(vec![attempt(2, Purpose::Swap, true)])
    };
    let trade = submitted(vec![approve, behind]);
    let done = Seen::Mined {
        success: true,
        depth: DEPTH,
    };
    let seen = |first, second| view(vec![vec![first], vec![second]], Some(NONCE + 2), 1);
    assert_eq!(
        step(&trade, &seen(done, done), 1),
        Step::Fill {
            hash: B256::repeat_byte(2)
        }
    );
    assert_eq!(
        step(
            &trade,
            &seen(
                Seen::Mined {
                    success: true,
                    depth: 1
                },
                done
            ),
            1
        ),
        Step::Wait
    );
}

#[test]
fn a_final_trade_stays_final_whatever_is_seen() {
    for status in [TradeStatus::Executed, TradeStatus::Failed] {
        every_pair(|trade, view, now| {
            let trade = TradeState {
                status,
                ..trade.clone()
            };
            assert_eq!(step(&trade, view, now), Step::Done);
        });
    }
}

#[test]
fn a_ledger_that_contradicts_itself_is_refused() {
    let next = |trade: &TradeState, view: &ChainView| next_step(trade, view, &patience(), at(1));
    let empty = submitted(vec![]);
    assert_eq!(
        next(&empty, &view(vec![], None, 1)),
        Err(IllegalTrade::NothingRecorded(TradeStatus::Submitted))
    );
    let no_attempt = submitted(vec![swap(vec![])]);
    assert!(next(&no_attempt, &view(vec![vec![]], None, 1)).is_err());
    let recorded = submitted(vec![swap(vec![attempt(1, Purpose::Swap, true)])]);
    assert_eq!(
        next(&recorded, &view(vec![], None, 1)),
        Err(IllegalTrade::ViewMismatch)
    );
    let pending = TradeState {
        status: TradeStatus::Pending,
        ..recorded
    };
    assert_eq!(
        next(&pending, &view(vec![vec![Seen::Absent]], None, 1)),
        Err(IllegalTrade::PendingWithNonce)
    );
}
