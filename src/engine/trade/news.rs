//! When an open trade may have something new to show: on a chain whose blocks come at a known pace, not before the next
//! one that can change its outcome.

use crate::domain::{
    Timestamp,
    span::Span,
    trade::{ChainView, Patience, Seen, TradeState},
};

/// What a block needs from its time until the nodes that are asked have it; its time is cut to whole seconds besides.
const SPREAD: Span = Span::from_millis(750);

/// The time from `now` until the block that may settle `trade`; `None` if the newest block is not known or from the
/// future, if that block is overdue, or if nodes did not answer for all attempts: then it is asked again at the usual
/// interval.
pub(in crate::engine) fn until_news(
    trade: &TradeState,
    view: &ChainView,
    patience: &Patience,
    block_time: Span,
    now: Timestamp,
) -> Option<Span> {
    let age = (now - view.block_time?).to_std().ok()?;
    let (mut is_unmined, mut blocks) = (false, 1);
    for transaction in &trade.transactions {
        if !view.answered(transaction) {
            return None;
        }
        let depth = transaction
            .attempts
            .iter()
            .find_map(|attempt| match view.of(attempt) {
                Seen::Mined { depth, .. } => Some(depth),
                Seen::Unknown | Seen::Absent | Seen::Pooled => None,
            });
        match depth {
            Some(depth) => blocks = blocks.max(patience.required_depth.saturating_sub(depth)),
            None => is_unmined = true,
        }
    }
    // What is in no block may be in the next one, and needs care if it is not.
    let blocks = if is_unmined { 1 } else { blocks };
    let blocks = u32::try_from(blocks).ok()?;
    let there = block_time
        .std()
        .saturating_mul(blocks)
        .saturating_add(SPREAD.std());
    let until = there.checked_sub(age)?;
    let until = Span::from_millis(u64::try_from(until.as_millis()).ok()?);
    Some(if is_unmined {
        until.min(patience.resend_after)
    } else {
        until
    })
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::domain::{
        onchain::Fees,
        trade::{AttemptState, Purpose, TradeStatus, TransactionState},
    };

    const BLOCK: Span = Span::from_secs(2);

    fn patience() -> Patience {
        Patience {
            required_depth: 3,
            resend_after: Span::from_secs(4),
            replace_after: Span::from_secs(15),
            attempts_max: 10,
            max_fee_per_gas: 1,
        }
    }

    /// A trade whose transactions were last seen so, on a chain whose newest block is `age` old.
    fn next(seen: &[Seen], age: i64) -> Option<u64> {
        let now = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
        let transactions = (0..).zip(seen).map(|(nonce, _)| TransactionState {
            id: crate::domain::ids::TransactionId(1),
            nonce,
            purpose: Purpose::Swap,
            deadline: now,
            gas_limit: 1,
            attempts: vec![AttemptState {
                hash: B256::with_last_byte(u8::try_from(nonce).expect("few")),
                purpose: Purpose::Swap,
                recorded_at: now,
                sent_at: Some(now),
                fees: Fees {
                    max_fee_per_gas: 1,
                    max_priority_fee_per_gas: 1,
                },
            }],
            foreign: None,
        });
        let trade = TradeState {
            status: TradeStatus::Submitted,
            expires_at: now,
            transactions: transactions.collect(),
        };
        let hashes = trade.transactions.iter().map(|open| open.attempts[0].hash);
        let view = ChainView {
            seen: hashes.zip(seen.iter().copied()).collect(),
            block_time: Some(now - TimeDelta::milliseconds(age)),
            next_nonce: None,
        };
        let span = until_news(&trade, &view, &patience(), BLOCK, now)?;
        Some(u64::try_from(span.std().as_millis()).expect("short"))
    }

    #[test]
    fn a_trade_is_looked_at_when_the_block_that_can_settle_it_is_there() {
        let mined = |depth| Seen::Mined { success: true, depth };
        for (seen, age, wait) in [
            (&[Seen::Pooled][..], 500, Some(2_250)),
            (&[Seen::Absent], 0, Some(2_750)),
            (&[mined(1)], 500, Some(4_250)),
            (&[mined(2)], 0, Some(2_750)),
            (&[mined(3)], 0, Some(2_750)),
            (&[mined(3), mined(1)], 0, Some(4_750)),
            (&[mined(1), Seen::Pooled], 1_000, Some(1_750)),
            // Overdue, from the future, or not answered: at the usual interval.
            (&[mined(1)], 2_300, Some(2_450)),
            (&[mined(1)], 4_751, None),
            (&[mined(1)], -1, None),
            (&[mined(1), Seen::Unknown], 0, None),
        ] {
            assert_eq!(next(seen, age), wait, "{seen:?} {age}");
        }
    }

    #[test]
    fn what_is_in_no_block_is_not_left_alone_longer_than_until_its_bytes_are_sent_again() {
        let now = DateTime::UNIX_EPOCH;
        let trade = TradeState {
            status: TradeStatus::Submitted,
            expires_at: now,
            transactions: vec![],
        };
        let view = ChainView {
            block_time: Some(now),
            ..ChainView::UNKNOWN
        };
        let slow = Span::from_secs(12);
        assert_eq!(
            until_news(&trade, &view, &patience(), slow, now),
            Some(Span::from_millis(12_750))
        );
        let pooled = next(&[Seen::Pooled], 0).expect("a time");
        assert!(pooled <= 4_000, "{pooled}");
    }
}
