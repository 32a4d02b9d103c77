//! Every state of one or two nonces, up to two attempts and two cancels each, with every observation of it. Nothing
//! is sampled: what the table looks at is enumerated, class by class.

use alloy_primitives::B256;
use chrono::{DateTime, TimeDelta, Utc};
use lgi_mm::domain::{
    ids::TransactionId,
    onchain::Fees,
    span::Span,
    trade::{
        AttemptState, ChainView, Patience, Purpose, Seen, Step, TradeState, TradeStatus, TransactionState,
        next_step,
    },
};

pub const DEPTH: u64 = 3;
pub const NONCE: u64 = 7;
/// The swaps' deadline, chain time.
const DEADLINE: i64 = 60;

pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

pub fn patience() -> Patience {
    Patience {
        required_depth: DEPTH,
        resend_after: Span::from_secs(2),
        replace_after: Span::from_secs(5),
        attempts_max: 2,
        max_fee_per_gas: u128::MAX,
    }
}

pub fn attempt(hash: u8, purpose: Purpose, sent: bool) -> AttemptState {
    AttemptState {
        hash: B256::repeat_byte(hash),
        purpose,
        recorded_at: at(0),
        sent_at: sent.then(|| at(0)),
        fees: Fees {
            max_fee_per_gas: 100 + u128::from(hash),
            max_priority_fee_per_gas: 1,
        },
    }
}

pub fn transaction(nonce: u64, purpose: Purpose, attempts: Vec<AttemptState>) -> TransactionState {
    TransactionState {
        id: TransactionId(i64::try_from(nonce).expect("small")),
        gas_limit: 1,
        nonce,
        purpose,
        deadline: at(DEADLINE),
        attempts,
        foreign: None,
    }
}

pub fn swap(attempts: Vec<AttemptState>) -> TransactionState {
    transaction(NONCE, Purpose::Swap, attempts)
}

pub fn submitted(transactions: Vec<TransactionState>) -> TradeState {
    TradeState {
        status: TradeStatus::Submitted,
        expires_at: at(30),
        transactions,
    }
}

/// What nodes answer, for each attempt of each transaction in their order.
#[derive(Debug, Clone)]
pub struct View {
    pub attempts: Vec<Vec<Seen>>,
    pub block_time: Option<DateTime<Utc>>,
    pub next_nonce: Option<u64>,
}

impl View {
    /// The same by hash, as the table takes it.
    pub fn of(&self, trade: &TradeState) -> ChainView {
        let transactions = trade.transactions.iter().zip(&self.attempts);
        ChainView {
            seen: transactions
                .flat_map(|(transaction, seen)| transaction.attempts.iter().zip(seen))
                .map(|(attempt, seen)| (attempt.hash, *seen))
                .collect(),
            block_time: self.block_time,
            next_nonce: self.next_nonce,
        }
    }
}

pub fn view(attempts: Vec<Vec<Seen>>, next_nonce: Option<u64>, block: i64) -> View {
    View {
        attempts,
        block_time: Some(at(block)),
        next_nonce,
    }
}

pub fn step(trade: &TradeState, view: &View, now: i64) -> Step {
    next_step(trade, &view.of(trade), &patience(), at(now)).expect("a legal trade")
}

pub fn deep(success: bool) -> Seen {
    Seen::Mined {
        success,
        depth: DEPTH,
    }
}

pub fn shallow(success: bool) -> Seen {
    Seen::Mined {
        success,
        depth: DEPTH - 1,
    }
}

/// Everything that can be seen of one attempt: of a depth, only whether it suffices counts.
fn all_seen() -> [Seen; 7] {
    [
        Seen::Unknown,
        Seen::Absent,
        Seen::Pooled,
        shallow(true),
        shallow(false),
        deep(true),
        deep(false),
    ]
}

/// Every sight of `count` attempts.
fn sights(count: usize) -> Vec<Vec<Seen>> {
    (0..count).fold(vec![vec![]], |sights, _| {
        let longer = |seen| {
            let one_more = move |sight: &Vec<Seen>| [sight.as_slice(), &[seen]].concat();
            sights.iter().map(one_more).collect::<Vec<_>>()
        };
        all_seen().into_iter().flat_map(longer).collect()
    })
}

/// Every nonce with up to the given number of attempts and cancels, its newest sent or not, a foreign hash on record or
/// not.
fn nonces(nonce: u64, purpose: Purpose, most: (u8, u8)) -> Vec<TransactionState> {
    let mut all = vec![];
    for (own, cancels) in (1..=most.0).flat_map(|own| (0..=most.1).map(move |cancels| (own, cancels))) {
        for (sent, foreign) in [(true, false), (true, true), (false, false), (false, true)] {
            let last = own + cancels;
            let base = u8::try_from(nonce).expect("small") * 10;
            let attempts = (1..=last)
                .map(|n| {
                    let purpose = if n > own { Purpose::Cancel } else { purpose };
                    attempt(base + n, purpose, sent || n < last)
                })
                .collect();
            all.push(TransactionState {
                foreign: foreign.then(|| B256::repeat_byte(base)),
                ..transaction(nonce, purpose, attempts)
            });
        }
    }
    all
}

/// Walks every pair and says how many there were.
pub fn every_pair(mut check: impl FnMut(&TradeState, &View, i64)) -> usize {
    let mut pairs = 0;
    let mut look =
        |trade: &TradeState, attempts: Vec<Vec<Seen>>, next_nonce, times: &[(Option<i64>, i64)]| {
            let mut view = view(attempts, next_nonce, 0);
            for (block, now) in times {
                view.block_time = block.map(at);
                check(trade, &view, *now);
                pairs += 1;
            }
        };
    let hours = [0, 3, 6];
    let times: Vec<_> = [None, Some(DEADLINE), Some(DEADLINE + 1)]
        .into_iter()
        .flat_map(|block| hours.map(|now| (block, now)))
        .collect();
    for swap in nonces(NONCE, Purpose::Swap, (2, 2)) {
        let seen = sights(swap.attempts.len());
        let trade = submitted(vec![swap]);
        for seen in seen {
            for next in [None, Some(NONCE), Some(NONCE + 1)] {
                look(&trade, vec![seen.clone()], next, &times);
            }
        }
    }
    // Behind an approve: the deadline and the clock as far as they matter to the other nonce.
    let times = [(Some(DEADLINE), 0), (Some(DEADLINE), 6), (Some(DEADLINE + 1), 6)];
    let seen = [vec![], sights(1), sights(2)];
    for approve in nonces(NONCE, Purpose::Approve, (1, 1)) {
        for swap in nonces(NONCE + 1, Purpose::Swap, (1, 1)) {
            let (of_approve, of_swap) = (&seen[approve.attempts.len()], &seen[swap.attempts.len()]);
            let trade = submitted(vec![approve.clone(), swap]);
            for (first, second) in of_approve
                .iter()
                .flat_map(|f| of_swap.iter().map(move |s| (f, s)))
            {
                for next in [None, Some(NONCE), Some(NONCE + 1), Some(NONCE + 2)] {
                    look(&trade, vec![first.clone(), second.clone()], next, &times);
                }
            }
        }
    }
    pairs
}

/// What a view says of one nonce, worked out on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// One of ours, deep enough.
    Ours { index: usize, success: bool },
    /// Another program's.
    Foreign,
    /// In a shallow block, or in two at once.
    Unsettled,
    /// None.
    Open,
}

pub fn proof(transaction: &TransactionState, seen: &[Seen], view: &View) -> Proof {
    let mined: Vec<_> = seen
        .iter()
        .enumerate()
        .filter(|(_, seen)| matches!(seen, Seen::Mined { .. }))
        .collect();
    match (mined.as_slice(), transaction.foreign, view.next_nonce) {
        ([(index, Seen::Mined { success, depth })], ..) if *depth >= DEPTH => Proof::Ours {
            index: *index,
            success: *success,
        },
        ([], Some(_), Some(next)) if next > transaction.nonce => Proof::Foreign,
        ([], Some(_), None) => Proof::Unsettled,
        ([], ..) => Proof::Open,
        _ => Proof::Unsettled,
    }
}

pub fn proofs(trade: &TradeState, view: &View) -> Vec<Proof> {
    let nonces = trade.transactions.iter().zip(&view.attempts);
    nonces
        .map(|(transaction, seen)| proof(transaction, seen, view))
        .collect()
}
