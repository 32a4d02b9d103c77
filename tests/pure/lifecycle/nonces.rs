//! Trades of several nonces.

use super::*;

/// An approve at [`NONCE`] (hash 1) and its swap behind it (hash 2, cancel 3).
fn with_approve(swap_attempts: Vec<AttemptState>) -> TradeState {
    let approve = transaction(NONCE, Purpose::Approve, vec![attempt(1, Purpose::Approve, true)]);
    submitted(vec![
        approve,
        transaction(NONCE + 1, Purpose::Swap, swap_attempts),
    ])
}

#[test]
fn a_trade_ends_when_every_nonce_is_used_for_good_and_its_swap_decides() {
    let sent = || attempt(2, Purpose::Swap, true);
    let cancelled = || vec![sent(), attempt(3, Purpose::Cancel, true)];
    let fail = |kind, hash| Step::Fail {
        kind,
        hash: B256::repeat_byte(hash),
    };
    let fill = Step::Fill {
        hash: B256::repeat_byte(2),
    };
    let open = [Seen::Absent, Seen::Pooled];
    for (attempts, approve, swap, expected) in [
        (vec![sent()], deep(true), vec![deep(true)], fill),
        (vec![sent()], shallow(true), vec![deep(true)], Step::Wait),
        // The allowance of an earlier trade may have been enough.
        (vec![sent()], deep(false), vec![deep(true)], fill),
        (vec![sent()], deep(false), vec![shallow(true)], Step::Wait),
        (
            vec![sent()],
            deep(false),
            vec![Seen::Pooled],
            Step::Cancel { transaction: 1 },
        ),
        (
            vec![attempt(2, Purpose::Swap, false)],
            deep(false),
            vec![Seen::Absent],
            Step::Cancel { transaction: 1 },
        ),
        (cancelled(), deep(false), open.to_vec(), Step::Wait),
        (
            cancelled(),
            deep(false),
            vec![Seen::Absent, deep(true)],
            fail(FailureKind::Reverted, 1),
        ),
        (
            cancelled(),
            deep(true),
            vec![Seen::Absent, deep(true)],
            fail(FailureKind::Cancelled, 3),
        ),
        (
            vec![sent()],
            deep(true),
            vec![deep(false)],
            fail(FailureKind::Reverted, 2),
        ),
    ] {
        let seen = view(vec![vec![approve], swap], Some(NONCE + 1), 1);
        assert_eq!(step(&with_approve(attempts), &seen, 1), expected, "{seen:?}");
    }
}

#[test]
fn a_swap_goes_out_behind_its_approve_without_waiting_for_a_block() {
    let trade = with_approve(vec![attempt(2, Purpose::Swap, false)]);
    let seen = view(vec![vec![Seen::Pooled], vec![Seen::Absent]], Some(NONCE), 1);
    assert_eq!(step(&trade, &seen, 1), Step::Broadcast { transaction: 1 });
}

#[test]
fn a_foreign_transaction_ends_the_trade_only_while_its_nonce_is_used() {
    let foreign = B256::repeat_byte(0xee);
    let trade = submitted(vec![TransactionState {
        foreign: Some(foreign),
        ..swap(vec![attempt(1, Purpose::Swap, true)])
    }]);
    let next = |seen, nonce| step(&trade, &view(vec![vec![seen]], nonce, 1), 3);
    assert_eq!(
        next(Seen::Absent, Some(NONCE + 1)),
        Step::Fail {
            kind: FailureKind::Foreign,
            hash: foreign
        }
    );
    assert_eq!(next(Seen::Absent, None), Step::Wait);
    assert_eq!(
        next(Seen::Absent, Some(NONCE)),
        Step::Broadcast { transaction: 0 }
    );
    assert_eq!(
        next(deep(true), Some(NONCE + 1)),
        Step::Fill {
            hash: B256::repeat_byte(1)
        }
    );
}

#[test]
fn a_suspicious_nonce_keeps_no_other_nonce_waiting() {
    let trade = with_approve(vec![attempt(2, Purpose::Swap, false)]);
    let seen = |swap| view(vec![vec![Seen::Absent], vec![swap]], Some(NONCE + 1), 1);
    assert_eq!(
        step(&trade, &seen(Seen::Absent), 1),
        Step::Broadcast { transaction: 1 }
    );
    let trade = with_approve(vec![attempt(2, Purpose::Swap, true)]);
    assert_eq!(
        step(&trade, &seen(Seen::Pooled), 1),
        Step::Investigate { transaction: 0 }
    );
}

#[test]
fn two_receipts_for_one_nonce_are_believed_by_nobody() {
    let trade = submitted(vec![swap(vec![
        attempt(1, Purpose::Swap, true),
        attempt(2, Purpose::Cancel, true),
    ])]);
    let seen = view(vec![vec![deep(true), deep(true)]], Some(NONCE + 1), 1);
    assert_eq!(step(&trade, &seen, 9), Step::Wait);
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
fn a_ledger_that_contradicts_itself_is_refused() {
    let next = |trade: &TradeState, view: &View| next_step(trade, &view.of(trade), &patience(), at(1));
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
        Ok(Step::Wait),
        "an attempt that no node was asked about is unknown, which proves nothing"
    );
    let only_approve = submitted(vec![transaction(
        NONCE,
        Purpose::Approve,
        vec![attempt(1, Purpose::Approve, true)],
    )]);
    assert_eq!(
        next(&only_approve, &view(vec![vec![deep(true)]], None, 1)),
        Err(IllegalTrade::NoSwap)
    );
    let two_swaps = submitted(vec![
        swap(vec![attempt(1, Purpose::Swap, true)]),
        swap(vec![attempt(2, Purpose::Swap, true)]),
    ]);
    assert_eq!(
        next(
            &two_swaps,
            &view(vec![vec![Seen::Absent], vec![Seen::Absent]], None, 1)
        ),
        Err(IllegalTrade::NoSwap)
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
