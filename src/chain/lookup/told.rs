//! What one node says of our transactions, checked against the signed bytes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use alloy::{
    consensus::{Transaction, TxEnvelope, transaction::SignerRecoverable},
    eips::Decodable2718,
};
use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use serde_json::{Value, json};

use crate::{
    chain::{
        error::CallError,
        receipts::{RawBlock, RawReceipt, RawTransaction},
        voice::Voice,
        wire::Request,
    },
    domain::onchain::Receipt,
    ports::RpcError,
};

/// Facts of our signed bytes that a node's answer must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::chain) struct Expected {
    from: Address,
    to: Option<Address>,
    nonce: u64,
    value: U256,
}

impl Expected {
    /// Decodes `raw`, which must hash to `hash`.
    pub(in crate::chain) fn of(hash: B256, raw: &Bytes) -> Result<Self, String> {
        if keccak256(raw) != hash {
            return Err(format!(
                "the recorded bytes of {hash} are those of {}",
                keccak256(raw)
            ));
        }
        let unread = |error: &dyn std::fmt::Display| {
            format!("the recorded bytes of {hash} cannot be decoded: {error}")
        };
        let envelope = TxEnvelope::decode_2718_exact(raw).map_err(|error| unread(&error))?;
        Ok(Self {
            from: envelope.recover_signer().map_err(|error| unread(&error))?,
            to: envelope.to(),
            nonce: envelope.nonce(),
            value: envelope.value(),
        })
    }
}

/// A hash, with its signed facts if the bytes are known.
pub(in crate::chain) type Wanted = (B256, Option<Expected>);

/// One node's view of a hash. Receipts are compared without gas, since some nodes omit part of an L2's fee.
#[derive(Debug, Clone)]
pub(super) enum Told {
    Absent,
    Pooled,
    Mined {
        receipt: Receipt,
        /// Hash over all logs, in order.
        logs: B256,
        /// Confirmations by this node's own head, the receipt's block included.
        depth: u64,
    },
}

impl Told {
    pub(super) fn fact(&self) -> Option<Fact> {
        match self {
            Self::Mined { receipt, logs, .. } => Some(Fact {
                success: receipt.success,
                block: (receipt.block_number, receipt.block_hash),
                logs: *logs,
            }),
            Self::Absent | Self::Pooled => None,
        }
    }
}

/// The fields that nodes must agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) success: bool,
    pub(super) block: (u64, B256),
    pub(super) logs: B256,
}

impl Fact {
    pub(super) fn describe(&self) -> String {
        let outcome = if self.success { "succeeded" } else { "reverted" };
        let (number, hash) = self.block;
        format!("{outcome} in block {number} {hash} with logs {}", self.logs)
    }
}

pub(in crate::chain) struct Scope<'a> {
    pub(in crate::chain) chain: &'a str,
    pub(in crate::chain) wrapped_native: Address,
    pub(in crate::chain) required_depth: u64,
    pub(in crate::chain) heights: &'a Heights,
}

/// Blocks in which transactions were last seen, so that the next look asks for such a block in the same round trip. A
/// hint and no more: what counts is the answer about the block.
#[derive(Default)]
pub(in crate::chain) struct Heights(Mutex<HashMap<B256, u64>>);

/// Transactions whose blocks are remembered.
const HEIGHTS_MAX: usize = 10_000;

impl Heights {
    fn of(&self, wanted: &[Wanted]) -> Vec<u64> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut heights: Vec<u64> = wanted
            .iter()
            .filter_map(|(hash, _)| known.get(hash).copied())
            .collect();
        heights.sort_unstable();
        heights.dedup();
        heights
    }

    fn keep(&self, hash: B256, height: u64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= HEIGHTS_MAX {
            known.clear();
        }
        known.insert(hash, height);
    }
}

type Pair = (Option<RawReceipt>, Option<RawTransaction>);

/// Queries one node: receipts and transactions in one round trip; blocks and head in a second one, unless the blocks
/// are those in which the transactions were last seen.
pub(super) async fn ask(
    voice: &Voice,
    scope: &Scope<'_>,
    wanted: &[Wanted],
) -> Result<Vec<Result<Told, RpcError>>, RpcError> {
    let mut requests = Vec::with_capacity(wanted.len() * 2);
    for (hash, _) in wanted {
        requests.push(("eth_getTransactionReceipt", json!([hash])));
        requests.push(("eth_getTransactionByHash", json!([hash])));
    }
    let guessed = scope.heights.of(wanted);
    if !guessed.is_empty() {
        requests.extend(block_requests(&guessed));
    }
    let mut answers = voice.batch(&requests).await?.into_iter();
    let mut pairs: Vec<Result<Pair, RpcError>> = Vec::with_capacity(wanted.len());
    let mut heights = Vec::new();
    for (hash, expected) in wanted {
        let mut next = || answers.next().unwrap_or(Ok(Value::Null));
        let (receipt, transaction) = (next(), next());
        let pair = voice
            .read("eth_getTransactionReceipt", receipt)
            .and_then(|receipt| Ok((receipt, voice.read("eth_getTransactionByHash", transaction)?)))
            .and_then(|pair| check(voice, *hash, expected.as_ref(), pair));
        if let Ok((Some(receipt), _)) = &pair {
            let height = receipt.block_number.to();
            scope.heights.keep(*hash, height);
            heights.push(height);
        }
        pairs.push(pair);
    }
    heights.sort_unstable();
    heights.dedup();
    let blocks = if heights.is_empty() {
        Blocks::default()
    } else if heights.iter().all(|height| guessed.contains(height)) {
        read_blocks(voice, &guessed, &mut answers)?
    } else {
        let mut answers = voice.batch(&block_requests(&heights)).await?.into_iter();
        read_blocks(voice, &heights, &mut answers)?
    };
    Ok(pairs
        .into_iter()
        .map(|pair| pair.and_then(|pair| judge(voice, scope, pair, &blocks)))
        .collect())
}

/// An answer must be about the requested hash and match the signed bytes.
fn check(voice: &Voice, hash: B256, expected: Option<&Expected>, pair: Pair) -> Result<Pair, RpcError> {
    let told = [
        pair.0.as_ref().map(|receipt| receipt.transaction_hash),
        pair.1.as_ref().map(|transaction| transaction.hash),
    ];
    if let Some(other) = told.into_iter().flatten().find(|told| *told != hash) {
        return Err(voice.nonsense("look-up", format_args!("asked for {hash}, got {other}")));
    }
    let Some(expected) = expected else {
        return Ok(pair);
    };
    if let Some(receipt) = &pair.0
        && (receipt.from, receipt.to) != (expected.from, expected.to)
    {
        let why = format_args!("its receipt of {hash} has another sender or target than the signed bytes");
        return Err(voice.nonsense("eth_getTransactionReceipt", why));
    }
    if let Some(transaction) = &pair.1 {
        let said = (
            transaction.from,
            transaction.to,
            transaction.nonce.to::<u64>(),
            transaction.value,
        );
        if said != (expected.from, expected.to, expected.nonce, expected.value) {
            let why = format_args!("its transaction {hash} does not match the signed bytes");
            return Err(voice.nonsense("eth_getTransactionByHash", why));
        }
    }
    Ok(pair)
}

/// A node's own blocks at some heights, and its newest one.
#[derive(Default)]
struct Blocks {
    at: BTreeMap<u64, Option<RawBlock>>,
    head: u64,
}

fn block_requests(heights: &[u64]) -> Vec<Request> {
    let at = |height: &u64| ("eth_getBlockByNumber", json!([U64::from(*height), false]));
    let mut requests: Vec<Request> = heights.iter().map(at).collect();
    requests.push(("eth_blockNumber", json!([])));
    requests
}

/// The answers to [`block_requests`].
fn read_blocks(
    voice: &Voice,
    heights: &[u64],
    answers: &mut impl Iterator<Item = Result<Value, CallError>>,
) -> Result<Blocks, RpcError> {
    let mut blocks = Blocks::default();
    for height in heights {
        let answer = answers.next().unwrap_or(Ok(Value::Null));
        blocks
            .at
            .insert(*height, voice.read("eth_getBlockByNumber", answer)?);
    }
    let head: U64 = voice.read("eth_blockNumber", answers.next().unwrap_or(Ok(Value::Null)))?;
    blocks.head = head.to();
    Ok(blocks)
}

/// A receipt counts only if its block is the one that the same node has at that height.
fn judge(voice: &Voice, scope: &Scope<'_>, pair: Pair, blocks: &Blocks) -> Result<Told, RpcError> {
    let unsettled = |what: &str| voice.error(what.to_owned());
    match pair {
        (None, None) => Ok(Told::Absent),
        (None, Some(transaction)) if transaction.block_number.is_none() => Ok(Told::Pooled),
        (None, Some(_)) => Err(unsettled("mined, but the node has no receipt for it yet")),
        (Some(_), None) => Err(unsettled("receipt of a transaction that the node does not have")),
        (Some(receipt), Some(transaction)) => {
            let number = receipt.block_number.to::<u64>();
            let block = blocks.at.get(&number).and_then(Option::as_ref);
            let block = block.filter(|block| block.hash == receipt.block_hash);
            let time = block.and_then(RawBlock::time);
            let time = time.ok_or_else(|| unsettled("the receipt's block is not the one at its height"))?;
            let read = receipt.read(&transaction, time, scope.wrapped_native);
            let read = read.ok_or_else(|| voice.nonsense("eth_getTransactionReceipt", "gas out of range"))?;
            Ok(Told::Mined {
                logs: receipt.logs_digest(),
                receipt: read,
                depth: blocks.head.saturating_add(1).saturating_sub(number),
            })
        }
    }
}
