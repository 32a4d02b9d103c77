//! The table itself.
//!
//! A trade ends only when *every* nonce bound to it is used for good: by one of our transactions, in a block of
//! the required depth, or by a foreign one, read from such a block. Until then each open nonce is pushed on its own,
//! in nonce order.

use alloy_primitives::B256;

use super::{
    ChainView, FailureCheck, FailureKind, IllegalTrade, Patience, Purpose, Seen, Step, TradeState,
    TradeStatus, TransactionState,
};
use crate::{Timestamp, price::CLOCK_SKEW_MAX};

/// The lifecycle.
///
/// # Errors
/// [`IllegalTrade`] if the ledger contradicts itself; nothing may be done then.
pub fn next_step(
    trade: &TradeState,
    view: &ChainView,
    patience: &Patience,
    now: Timestamp,
) -> Result<Step, IllegalTrade> {
    match trade.status {
        TradeStatus::Executed | TradeStatus::Failed | TradeStatus::Dropped => return Ok(Step::Done),
        TradeStatus::Pending if !trade.transactions.is_empty() => return Err(IllegalTrade::PendingWithNonce),
        TradeStatus::Pending if trade.expires_at <= now => return Ok(Step::Expire),
        TradeStatus::Pending => return Ok(Step::Allocate),
        TradeStatus::Submitted => {}
    }
    check(trade)?;
    let fates = fates(trade, view, patience);
    Ok(conclude(&fates).unwrap_or_else(|| carry_on(trade, view, &fates, patience, now)))
}

/// Whether the failure of a trade still holds. Absence is no proof here either: the answer says what was seen, and the
/// caller decides how often it must be seen.
///
/// # Errors
/// [`IllegalTrade`] if the ledger contradicts itself.
pub fn check_failure(
    trade: &TradeState,
    view: &ChainView,
    patience: &Patience,
) -> Result<FailureCheck, IllegalTrade> {
    check(trade)?;
    let fates = fates(trade, view, patience);
    // One nonce cannot be used by two: a second receipt means that a node is wrong.
    let swapped = trade.transactions.iter().any(|transaction| {
        let attempts = transaction.attempts.iter();
        let mined = attempts.filter(|attempt| matches!(view.of(attempt), Seen::Mined { .. }));
        mined.count() == 1
            && transaction.attempts.iter().any(|attempt| {
                attempt.purpose == Purpose::Swap
                    && matches!(view.of(attempt), Seen::Mined { success: true, .. })
            })
    });
    if swapped {
        return Ok(FailureCheck::Swapped);
    }
    if conclude(&fates).is_some() {
        return Ok(FailureCheck::Stands);
    }
    let transactions = trade.transactions.iter().zip(&fates);
    for (transaction, _) in transactions.filter(|(_, fate)| matches!(fate, Fate::Open)) {
        match view.next_nonce {
            Some(next) if view.answered(transaction) => {
                let nonce = transaction.nonce;
                return Ok(if next > nonce {
                    FailureCheck::Used { nonce }
                } else {
                    FailureCheck::Free
                });
            }
            _ => {}
        }
    }
    Ok(FailureCheck::Unclear)
}

fn fates(trade: &TradeState, view: &ChainView, patience: &Patience) -> Vec<Fate> {
    let transactions = trade.transactions.iter();
    transactions
        .map(|transaction| fate(transaction, view, patience))
        .collect()
}

fn check(trade: &TradeState) -> Result<(), IllegalTrade> {
    if trade.transactions.is_empty() || trade.transactions.iter().any(|t| t.attempts.is_empty()) {
        return Err(IllegalTrade::NothingRecorded(trade.status));
    }
    let is_swap = |t: &TransactionState| matches!(t.purpose, Purpose::Swap | Purpose::Transfer);
    let swaps = trade.transactions.iter().filter(|t| is_swap(t)).count();
    if swaps != 1 || !trade.transactions.last().is_some_and(is_swap) {
        return Err(IllegalTrade::NoSwap);
    }
    Ok(())
}

/// The outcome of one nonce.
#[derive(Clone, Copy)]
enum Fate {
    /// One of ours is in a block of the required depth.
    Final {
        purpose: Purpose,
        success: bool,
        hash: B256,
    },
    /// A foreign transaction is.
    Foreign(B256),
    /// In a block that may still be reorged out, or the observations contradict each other: look again.
    Unsettled,
    /// No receipt explains it.
    Open,
}

impl Fate {
    /// Whether the transactions after this nonce can only fail.
    const fn dooms(self) -> bool {
        match self {
            Self::Final { purpose, success, .. } => matches!(purpose, Purpose::Cancel) || !success,
            Self::Foreign(_) => true,
            Self::Unsettled | Self::Open => false,
        }
    }
}

fn fate(transaction: &TransactionState, view: &ChainView, patience: &Patience) -> Fate {
    let mut mined = transaction
        .attempts
        .iter()
        .filter_map(|attempt| match view.of(attempt) {
            Seen::Mined { success, depth } => Some((attempt, success, depth)),
            Seen::Unknown | Seen::Absent | Seen::Pooled => None,
        });
    match (mined.next(), mined.next()) {
        (Some((attempt, success, depth)), None) if depth >= patience.required_depth => Fate::Final {
            purpose: attempt.purpose,
            success,
            hash: attempt.hash,
        },
        // One nonce cannot be mined twice: two nodes answered, and one of them is wrong.
        (Some(_), _) => Fate::Unsettled,
        // Evidence of a foreign hash counts as long as the nonce is used; a reorganisation may have freed it.
        (None, _) => match (transaction.foreign, view.next_nonce) {
            (Some(hash), Some(next)) if next > transaction.nonce => Fate::Foreign(hash),
            (Some(_), None) => Fate::Unsettled,
            (Some(_) | None, _) => Fate::Open,
        },
    }
}

/// What it means for the trade that all its nonces are used for good; `None`: they are not. The swap's own
/// receipt decides; without a swap, the first nonce that did not do what it was for says why.
fn conclude(fates: &[Fate]) -> Option<Step> {
    let mut failure = None;
    let mut fill = None;
    for fate in fates {
        let failed = match *fate {
            Fate::Open | Fate::Unsettled => return None,
            Fate::Final {
                purpose: Purpose::Approve,
                success: true,
                ..
            } => None,
            Fate::Final {
                purpose: Purpose::Swap | Purpose::Transfer,
                success: true,
                hash,
            } => {
                fill = Some(Step::Fill { hash });
                None
            }
            // A cancel moves nothing whether or not it reverts: the nonce is used either way.
            Fate::Final {
                purpose: Purpose::Cancel,
                hash,
                ..
            } => Some((FailureKind::Cancelled, hash)),
            Fate::Final {
                purpose: Purpose::Approve | Purpose::Swap | Purpose::Transfer,
                success: false,
                hash,
            } => Some((FailureKind::Reverted, hash)),
            Fate::Foreign(hash) => Some((FailureKind::Foreign, hash)),
        };
        failure = failure.or(failed);
    }
    fill.or_else(|| failure.map(|(kind, hash)| Step::Fail { kind, hash }))
}

/// The first thing that can be done for an open nonce. The search for a foreign transaction comes last: it
/// may find nothing for long, and must not keep the other nonces waiting.
fn carry_on(
    trade: &TradeState,
    view: &ChainView,
    fates: &[Fate],
    patience: &Patience,
    now: Timestamp,
) -> Step {
    let mut doomed = false;
    let mut suspect = Step::Wait;
    let transactions = trade.transactions.iter().zip(fates);
    for (index, (transaction, fate)) in transactions.enumerate() {
        if matches!(fate, Fate::Open) {
            match push(index, transaction, view, patience, now, doomed) {
                Step::Wait => {}
                step @ Step::Investigate { .. } if suspect == Step::Wait => suspect = step,
                Step::Investigate { .. } => {}
                step => return step,
            }
        }
        doomed |= fate.dooms();
    }
    suspect
}

/// One open nonce. `doomed`: a nonce before it has failed, so what it was made for can only revert.
fn push(
    index: usize,
    transaction: &TransactionState,
    view: &ChainView,
    patience: &Patience,
    now: Timestamp,
    doomed: bool,
) -> Step {
    let Some(newest) = transaction.attempts.last() else {
        return Step::Wait;
    };
    let newest_seen = view.of(newest);
    if view.next_nonce.is_some_and(|next| next > transaction.nonce) {
        // Only an answer about *every* hash makes a used nonce suspicious.
        return if view.answered(transaction) {
            Step::Investigate { transaction: index }
        } else {
            Step::Wait
        };
    }
    // A node may hold its clock back; the database's says that the deadline is over as well, a little later.
    let late = view.block_time.is_some_and(|time| time > transaction.deadline)
        || now.signed_duration_since(transaction.deadline) > CLOCK_SKEW_MAX;
    if (late || doomed) && newest.purpose != Purpose::Cancel {
        return Step::Cancel { transaction: index };
    }
    let Some(sent_at) = newest.sent_at else {
        return Step::Broadcast { transaction: index };
    };
    // A node that has forgotten it, perhaps for its fee, is no better than one that keeps it waiting.
    let unmined = matches!(newest_seen, Seen::Pooled | Seen::Absent);
    if unmined
        && patience.replace_after.passed(newest.recorded_at, now)
        && patience.allows(transaction, newest.purpose)
    {
        return Step::Replace { transaction: index };
    }
    if newest_seen != Seen::Pooled && patience.resend_after.passed(sent_at, now) {
        return Step::Broadcast { transaction: index };
    }
    Step::Wait
}
