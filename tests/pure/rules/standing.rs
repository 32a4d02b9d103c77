//! Conclusions about a failure that may still be reorged out.

use alloy_primitives::B256;
use lgi_mm::domain::{
    ids::TransactionId,
    onchain::Fees,
    span::Span,
    trade::{
        AttemptState, ChainView, FailureCheck, Patience, Purpose, Seen, TradeState, TradeStatus,
        TransactionState, check_failure,
    },
};

use crate::rules::support::at;

const REVERTED: Seen = Seen::Mined {
    success: false,
    depth: 3,
};
const SUCCEEDED: Seen = Seen::Mined {
    success: true,
    depth: 1,
};

/// Nonce 5: a swap, and the cancel that replaced it.
fn trade(foreign: Option<B256>) -> TradeState {
    let attempt = |purpose, byte| AttemptState {
        hash: B256::repeat_byte(byte),
        purpose,
        recorded_at: at(0),
        sent_at: Some(at(0)),
        fees: Fees {
            max_fee_per_gas: 1,
            max_priority_fee_per_gas: 1,
        },
    };
    TradeState {
        status: TradeStatus::Failed,
        expires_at: at(60),
        transactions: vec![TransactionState {
            id: TransactionId(1),
            gas_limit: 1,
            nonce: 5,
            purpose: Purpose::Swap,
            deadline: at(60),
            attempts: vec![attempt(Purpose::Swap, 1), attempt(Purpose::Cancel, 2)],
            foreign,
        }],
    }
}

fn seen(trade: &TradeState, swap: Seen, cancel: Seen, next_nonce: Option<u64>) -> FailureCheck {
    let patience = Patience {
        required_depth: 3,
        resend_after: Span::from_secs(1),
        replace_after: Span::from_secs(1),
        attempts_max: 3,
        max_fee_per_gas: 100,
    };
    let view = ChainView {
        seen: trade.transactions[0]
            .attempts
            .iter()
            .map(|attempt| attempt.hash)
            .zip([swap, cancel])
            .collect(),
        block_time: Some(at(90)),
        next_nonce,
    };
    check_failure(trade, &view, &patience).expect("a trade that can be")
}

#[test]
fn a_failure_stands_until_there_is_evidence_against_it() {
    let cancelled = Seen::Mined {
        success: true,
        depth: 3,
    };
    let ours = trade(None);
    for (swap, cancel, next, expected) in [
        (REVERTED, Seen::Absent, Some(6), FailureCheck::Stands),
        (Seen::Absent, cancelled, Some(6), FailureCheck::Stands),
        // A swap that has succeeded is what failed no trade, however new its block is.
        (SUCCEEDED, Seen::Absent, Some(6), FailureCheck::Swapped),
        // A cancel that is not deep enough; two nodes that contradict each other.
        (Seen::Absent, SUCCEEDED, Some(6), FailureCheck::Unclear),
        (SUCCEEDED, cancelled, Some(6), FailureCheck::Unclear),
        (Seen::Absent, Seen::Pooled, Some(5), FailureCheck::Free),
        (
            Seen::Absent,
            Seen::Absent,
            Some(6),
            FailureCheck::Used { nonce: 5 },
        ),
        // Nobody could be asked about all of it.
        (Seen::Absent, Seen::Unknown, Some(5), FailureCheck::Unclear),
        (Seen::Absent, Seen::Absent, None, FailureCheck::Unclear),
    ] {
        assert_eq!(
            seen(&ours, swap, cancel, next),
            expected,
            "{swap:?} {cancel:?} {next:?}"
        );
    }
    let foreign = trade(Some(B256::repeat_byte(9)));
    let nothing = |next| seen(&foreign, Seen::Absent, Seen::Absent, next);
    assert_eq!(nothing(Some(6)), FailureCheck::Stands, "still another program's");
    assert_eq!(nothing(Some(5)), FailureCheck::Free);
    assert_eq!(nothing(None), FailureCheck::Unclear);
    assert_eq!(
        seen(&foreign, SUCCEEDED, Seen::Absent, Some(6)),
        FailureCheck::Swapped,
        "ours in place of it"
    );
}
