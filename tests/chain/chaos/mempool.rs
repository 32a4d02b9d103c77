//! What anvil's pool does not do: geth's words and its rule of ten per cent, and transactions that wait or vanish.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
};

use alloy::{
    consensus::{Transaction, TxEnvelope, transaction::SignerRecoverable},
    eips::Decodable2718,
};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use serde_json::{Value, json};

use crate::chaos::{proxy::Upstream, weather::Fault};

/// A transaction that was handed over.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub hash: B256,
    pub raw: Bytes,
    pub from: Address,
    pub nonce: u64,
    to: Option<Address>,
    value: U256,
    max_fee: u128,
    tip: u128,
}

impl Attempt {
    fn read(raw: &Bytes) -> Option<Self> {
        let envelope = TxEnvelope::decode_2718_exact(raw).ok()?;
        Some(Self {
            hash: *envelope.tx_hash(),
            raw: raw.clone(),
            from: envelope.recover_signer().ok()?,
            nonce: envelope.nonce(),
            to: envelope.to(),
            value: envelope.value(),
            max_fee: envelope.max_fee_per_gas(),
            tip: envelope.max_priority_fee_per_gas().unwrap_or_default(),
        })
    }

    /// Nodes ask for a tenth more of both fees, or keep what they have.
    fn outbids(&self, other: &Self) -> bool {
        let enough = |new: u128, old: u128| new * 10 >= old * 11;
        enough(self.max_fee, other.max_fee) && enough(self.tip, other.tip)
    }
}

/// All that was ever handed over, and what of it waits outside anvil's pool.
#[derive(Default)]
pub struct Mempool {
    attempts: Mutex<BTreeMap<(Address, u64), Vec<Attempt>>>,
    waiting: Mutex<HashMap<B256, Attempt>>,
}

impl Mempool {
    /// Every attempt on this nonce, oldest first.
    pub fn attempts(&self, from: Address, nonce: u64) -> Vec<Attempt> {
        let attempts = self.attempts.lock().expect("attempts");
        attempts.get(&(from, nonce)).cloned().unwrap_or_default()
    }

    /// The nonce of a transaction, whether or not it was seen before.
    pub fn nonce(raw: &Value) -> Option<u64> {
        let raw: Bytes = serde_json::from_value(raw.clone()).ok()?;
        Attempt::read(&raw).map(|attempt| attempt.nonce)
    }

    /// Answers `eth_sendRawTransaction` as geth would.
    pub async fn send(&self, node: &Upstream, request: &Value, fault: Option<Fault>) -> Value {
        let raw = request["params"][0].clone();
        let attempt = serde_json::from_value(raw)
            .ok()
            .and_then(|raw| Attempt::read(&raw));
        let Some(attempt) = attempt else {
            return node.forward(request).await;
        };
        let answer = |result: Value| json!({ "jsonrpc": "2.0", "id": request["id"], "result": result });
        let refuse = |words: &str| {
            let error = json!({ "code": -32000, "message": words });
            json!({ "jsonrpc": "2.0", "id": request["id"], "error": error })
        };
        let known = self.remember(&attempt);
        if self.is_waiting(attempt.hash) {
            return refuse("already known");
        }
        if known && node.is_pooled(attempt.hash).await {
            return refuse("already known");
        }
        if node.count(attempt.from).await > attempt.nonce {
            return refuse("nonce too low");
        }
        for rival in self.attempts(attempt.from, attempt.nonce) {
            let there = rival.hash != attempt.hash
                && (self.is_waiting(rival.hash) || node.is_pooled(rival.hash).await);
            if there && !attempt.outbids(&rival) {
                return refuse("replacement transaction underpriced");
            }
        }
        match fault {
            Some(Fault::Stuck) => {
                let hash = attempt.hash;
                self.waiting.lock().expect("pool").insert(hash, attempt);
                answer(json!(hash))
            }
            Some(Fault::Dropped) => answer(json!(attempt.hash)),
            _ => {
                let said = node.forward(request).await;
                let words = said["error"]["message"]
                    .as_str()
                    .unwrap_or_default()
                    .to_lowercase();
                if words.contains("less than block base fee") {
                    // geth keeps it until the base fee has fallen.
                    let hash = attempt.hash;
                    self.waiting.lock().expect("pool").insert(hash, attempt);
                    return answer(json!(hash));
                }
                if words.is_empty() {
                    said
                } else {
                    refuse(in_geth(&words))
                }
            }
        }
    }

    /// Whether it was seen before.
    fn remember(&self, attempt: &Attempt) -> bool {
        let mut attempts = self.attempts.lock().expect("attempts");
        let known = attempts.entry((attempt.from, attempt.nonce)).or_default();
        if known.iter().any(|one| one.hash == attempt.hash) {
            return true;
        }
        known.push(attempt.clone());
        false
    }

    fn is_waiting(&self, hash: B256) -> bool {
        self.waiting.lock().expect("pool").contains_key(&hash)
    }

    /// What waits is known to the node, and in no block.
    pub fn look_up(&self, hash: &Value) -> Option<Value> {
        let hash: B256 = serde_json::from_value(hash.clone()).ok()?;
        let waiting = self.waiting.lock().expect("pool");
        let attempt = waiting.get(&hash)?;
        Some(json!({
            "hash": hash, "from": attempt.from, "to": attempt.to, "nonce": U64::from(attempt.nonce), "value": attempt.value,
            "blockNumber": null, "blockHash": null,
        }))
    }

    /// Hands over what waits, in the order of nonces: each may be mined now, or come too late.
    pub async fn let_go(&self, node: &Upstream) {
        let mut waiting: Vec<Attempt> = self.waiting.lock().expect("pool").values().cloned().collect();
        waiting.sort_by_key(|attempt| attempt.nonce);
        for attempt in waiting {
            let said = node.ask("eth_sendRawTransaction", json!([attempt.raw])).await;
            let words = said["error"]["message"]
                .as_str()
                .unwrap_or_default()
                .to_lowercase();
            if !words.contains("less than block base fee") {
                self.waiting.lock().expect("pool").remove(&attempt.hash);
            }
        }
    }
}

/// anvil's words in geth's; what has none is left as it is.
fn in_geth(words: &str) -> &str {
    if words.contains("already imported") {
        "already known"
    } else if words.contains("insufficient funds") {
        "insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1"
    } else {
        words
    }
}
