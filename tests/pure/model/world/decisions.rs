//! A worker's possible decisions: the real table, for every state it may have read and every answer of nodes.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use chrono::{DateTime, TimeDelta, Utc};
use lgi_mm::domain::{
    ids::TransactionId,
    onchain::Fees,
    span::Span,
    trade::{
        AttemptState, ChainView, Patience, Purpose, Seen, Step, TradeState, TradeStatus, TransactionState,
    },
};

use super::{Act, EXECUTED, Ledger, Memory, Mined, Model, PENDING, SUBMITTED, World};

impl Memory {
    /// What a worker that has read `ledger` may decide, whatever nodes answer and whenever it asks.
    pub(super) fn acts(&mut self, ledger: &Ledger, world: &World, model: &Model) -> Vec<Act> {
        let outside = world.outside.map(|outside| (outside.pooled, outside.mined));
        self.0
            .entry((*ledger, outside, world.late))
            .or_insert_with(|| decide(ledger, world, model))
            .clone()
    }
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

/// The deadline is at 60, what was recorded and sent was so at 0, and a plan expires at 30.
fn decide(ledger: &Ledger, world: &World, model: &Model) -> Vec<Act> {
    let trade = trade_state(ledger, model);
    let patience = Patience {
        required_depth: model.required_depth.into(),
        resend_after: Span::from_secs(2),
        replace_after: Span::from_secs(5),
        attempts_max: model.attempts_max,
        max_fee_per_gas: u128::MAX,
    };
    let truth = world.next_nonce() as u64;
    // Unread, true, of a node that is behind, or of a branch that was given up.
    let counts = [None, Some(truth), Some(0), Some(truth + 1)];
    let mut acts = vec![];
    for attempts in answers(ledger, world) {
        for next_nonce in counts {
            for block_time in [None, Some(at(if world.late { 61 } else { 1 }))] {
                for now in [1, 2, 31] {
                    let view = ChainView {
                        seen: by_hash(&trade, &attempts),
                        block_time,
                        next_nonce,
                    };
                    // A ledger that contradicts itself is left alone.
                    let step = (model.table)(&trade, &view, &patience, at(now)).unwrap_or(Step::Wait);
                    if let Some(act) = act_of(step, ledger)
                        && !acts.contains(&act)
                    {
                        acts.push(act);
                    }
                }
            }
        }
    }
    acts
}

fn by_hash(trade: &TradeState, seen: &[Vec<Seen>]) -> BTreeMap<B256, Seen> {
    let transactions = trade.transactions.iter().zip(seen);
    transactions
        .flat_map(|(transaction, seen)| transaction.attempts.iter().zip(seen))
        .map(|(attempt, seen)| (attempt.hash, *seen))
        .collect()
}

fn act_of(step: Step, ledger: &Ledger) -> Option<Act> {
    let nonce = |transaction| u8::try_from(transaction).expect("small");
    Some(match step {
        Step::Allocate => Act::Allocate,
        Step::Expire => Act::Expire,
        Step::Broadcast { transaction } => Act::Broadcast {
            nonce: nonce(transaction),
            attempt: ledger.nonces[transaction].attempts() - 1,
        },
        Step::Replace { transaction } => Act::Sign {
            nonce: nonce(transaction),
            cancel: ledger.nonces[transaction].cancels > 0,
        },
        Step::Cancel { transaction } => Act::Sign {
            nonce: nonce(transaction),
            cancel: true,
        },
        Step::Fill { .. } => Act::Fill,
        Step::Fail { .. } => Act::Fail,
        Step::Investigate { transaction } => Act::Investigate {
            nonce: nonce(transaction),
        },
        Step::Wait | Step::Done => return None,
    })
}

fn trade_state(ledger: &Ledger, model: &Model) -> TradeState {
    let transactions = (0..ledger.bound)
        .map(|nonce| {
            let recorded = ledger.nonces[usize::from(nonce)];
            let purpose = if model.approve && nonce % 2 == 0 {
                Purpose::Approve
            } else {
                Purpose::Swap
            };
            let attempts = (0..recorded.attempts()).map(|attempt| AttemptState {
                hash: B256::repeat_byte(nonce * 16 + attempt),
                purpose: if attempt < recorded.own {
                    purpose
                } else {
                    Purpose::Cancel
                },
                recorded_at: at(0),
                sent_at: (recorded.sent & (1 << attempt) != 0).then(|| at(0)),
                fees: Fees {
                    max_fee_per_gas: 100 + u128::from(attempt),
                    max_priority_fee_per_gas: 1,
                },
            });
            TransactionState {
                id: TransactionId(nonce.into()),
                gas_limit: 1,
                nonce: nonce.into(),
                purpose,
                deadline: at(60),
                attempts: attempts.collect(),
                foreign: recorded.foreign.then(|| B256::repeat_byte(0xff)),
            }
        })
        .collect();
    TradeState {
        status: match ledger.status {
            PENDING => TradeStatus::Pending,
            SUBMITTED => TradeStatus::Submitted,
            EXECUTED => TradeStatus::Executed,
            _ => TradeStatus::Failed,
        },
        expires_at: at(30),
        transactions,
    }
}

/// Everything that nodes may say of a trade's attempts: the truth, nothing, that they know none, and the truth but
/// for one of them.
fn answers(ledger: &Ledger, world: &World) -> Vec<Vec<Vec<Seen>>> {
    let truth: Vec<Vec<Seen>> = (0..usize::from(ledger.bound))
        .map(|nonce| {
            let count = ledger.nonces[nonce].attempts();
            (0..count).map(|attempt| world.seen(nonce, attempt)).collect()
        })
        .collect();
    let all = |seen: Seen| truth.iter().map(|of| vec![seen; of.len()]).collect::<Vec<_>>();
    let mut answers = vec![truth.clone(), all(Seen::Unknown), all(Seen::Absent)];
    for (nonce, of) in truth.iter().enumerate() {
        for attempt in 0..of.len() {
            for seen in [Seen::Unknown, Seen::Absent] {
                let mut lie = truth.clone();
                lie[nonce][attempt] = seen;
                answers.push(lie);
            }
        }
    }
    answers.dedup();
    answers
}

impl World {
    fn seen(&self, nonce: usize, attempt: u8) -> Seen {
        let outside = self.outside[nonce];
        match outside.mined {
            Mined::Ours {
                attempt: mined,
                success,
                depth,
            } if mined == attempt => Seen::Mined {
                success,
                depth: depth.into(),
            },
            _ if outside.pooled == Some(attempt) => Seen::Pooled,
            _ => Seen::Absent,
        }
    }
}
