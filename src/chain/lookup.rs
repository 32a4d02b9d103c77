//! Status of our transactions, by quorum of nodes and checked against the signed bytes.

use std::collections::BTreeMap;

use alloy::{
    consensus::{Transaction, TxEnvelope, transaction::SignerRecoverable},
    eips::Decodable2718,
};
use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use serde_json::json;

use super::{
    quorum::{Verdict, agree, names, reached},
    receipts::{RawBlock, RawReceipt, RawTransaction},
    rpc::Rpc,
    voice::Voice,
};
use crate::{
    domain::{
        onchain::{Lookup, Receipt},
        units::Amount,
    },
    ports::RpcError,
};

/// Facts of our signed bytes that a node's answer must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expected {
    from: Address,
    to: Option<Address>,
    nonce: u64,
    value: U256,
}

impl Expected {
    /// Decodes `raw`, which must hash to `hash`.
    pub(super) fn of(hash: B256, raw: &Bytes) -> Result<Self, String> {
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
pub(super) type Wanted = (B256, Option<Expected>);

/// One node's view of a hash. Receipts are compared without gas, since some nodes omit part of an L2's fee.
#[derive(Debug, Clone)]
enum Told {
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
    fn fact(&self) -> Option<Fact> {
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
struct Fact {
    success: bool,
    block: (u64, B256),
    logs: B256,
}

impl Fact {
    fn describe(&self) -> String {
        let outcome = if self.success { "succeeded" } else { "reverted" };
        let (number, hash) = self.block;
        format!("{outcome} in block {number} {hash} with logs {}", self.logs)
    }
}

/// Results, and contradictions between nodes.
pub(super) struct Found {
    pub(super) answers: Vec<Result<Lookup, RpcError>>,
    /// Contradictions between nodes.
    pub(super) contradictions: Vec<Contradiction>,
}

/// Contradiction between nodes about one transaction.
pub(super) struct Contradiction {
    /// Message, with the nodes' hosts.
    pub(super) what: String,
    /// Whether a quorum agrees nevertheless.
    pub(super) settled: bool,
}

pub(super) struct Scope<'a> {
    pub(super) chain: &'a str,
    pub(super) wrapped_native: Address,
    pub(super) required_depth: u64,
}

/// Queries every node for all hashes.
pub(super) async fn look_up(rpc: &Rpc, scope: &Scope<'_>, wanted: &[Wanted]) -> Found {
    let told = rpc
        .each(|voice| async move { ask(&voice, scope, wanted).await })
        .await;
    let mut found = Found {
        answers: Vec::with_capacity(wanted.len()),
        contradictions: vec![],
    };
    for (index, (hash, _)) in wanted.iter().enumerate() {
        let of_hash: Vec<(String, Result<Told, RpcError>)> = told
            .iter()
            .map(|(voice, answers)| {
                let answer = match answers {
                    Ok(answers) => answers.get(index).cloned().unwrap_or(Ok(Told::Absent)),
                    Err(error) => Err(error.clone()),
                };
                (voice.host().to_owned(), answer)
            })
            .collect();
        let answer = combine(*hash, of_hash, rpc.quorum(), scope, &mut found.contradictions);
        found.answers.push(answer);
    }
    found
}

type Pair = (Option<RawReceipt>, Option<RawTransaction>);

/// Queries one node: receipts and transactions in one round trip, blocks and head in a second.
async fn ask(
    voice: &Voice,
    scope: &Scope<'_>,
    wanted: &[Wanted],
) -> Result<Vec<Result<Told, RpcError>>, RpcError> {
    let mut requests = Vec::with_capacity(wanted.len() * 2);
    for (hash, _) in wanted {
        requests.push(("eth_getTransactionReceipt", json!([hash])));
        requests.push(("eth_getTransactionByHash", json!([hash])));
    }
    let mut answers = voice.batch(&requests).await?.into_iter();
    let mut pairs: Vec<Result<Pair, RpcError>> = Vec::with_capacity(wanted.len());
    let mut blocks: BTreeMap<u64, Option<RawBlock>> = BTreeMap::new();
    for (hash, expected) in wanted {
        let mut next = || answers.next().unwrap_or(Ok(serde_json::Value::Null));
        let (receipt, transaction) = (next(), next());
        let pair = voice
            .read("eth_getTransactionReceipt", receipt)
            .and_then(|receipt| Ok((receipt, voice.read("eth_getTransactionByHash", transaction)?)))
            .and_then(|pair| check(voice, *hash, expected.as_ref(), pair));
        if let Ok((Some(receipt), _)) = &pair {
            blocks.insert(receipt.block_number.to(), None);
        }
        pairs.push(pair);
    }
    let head = fill_in(voice, &mut blocks).await?;
    Ok(pairs
        .into_iter()
        .map(|pair| pair.and_then(|pair| judge(voice, scope, pair, &blocks, head)))
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

/// The blocks at these heights, and the node's newest block.
async fn fill_in(voice: &Voice, blocks: &mut BTreeMap<u64, Option<RawBlock>>) -> Result<u64, RpcError> {
    if blocks.is_empty() {
        return Ok(0);
    }
    let mut requests: Vec<_> = blocks
        .keys()
        .map(|number| ("eth_getBlockByNumber", json!([U64::from(*number), false])))
        .collect();
    requests.push(("eth_blockNumber", json!([])));
    let mut answers = voice.batch(&requests).await?.into_iter();
    for block in blocks.values_mut() {
        let answer = answers.next().unwrap_or(Ok(serde_json::Value::Null));
        *block = voice.read("eth_getBlockByNumber", answer)?;
    }
    let head: U64 = voice.read(
        "eth_blockNumber",
        answers.next().unwrap_or(Ok(serde_json::Value::Null)),
    )?;
    Ok(head.to())
}

/// A receipt counts only if its block is the one that the same node has at that height.
fn judge(
    voice: &Voice,
    scope: &Scope<'_>,
    pair: Pair,
    blocks: &BTreeMap<u64, Option<RawBlock>>,
    head: u64,
) -> Result<Told, RpcError> {
    let unsettled = |what: &str| voice.error(what.to_owned());
    match pair {
        (None, None) => Ok(Told::Absent),
        (None, Some(transaction)) if transaction.block_number.is_none() => Ok(Told::Pooled),
        (None, Some(_)) => Err(unsettled("mined, but the node has no receipt for it yet")),
        (Some(_), None) => Err(unsettled("receipt of a transaction that the node does not have")),
        (Some(receipt), Some(transaction)) => {
            let number = receipt.block_number.to::<u64>();
            let block = blocks.get(&number).and_then(Option::as_ref);
            let block = block.filter(|block| block.hash == receipt.block_hash);
            let time = block.and_then(RawBlock::time);
            let time = time.ok_or_else(|| unsettled("the receipt's block is not the one at its height"))?;
            let read = receipt.read(&transaction, time, scope.wrapped_native);
            let read = read.ok_or_else(|| voice.nonsense("eth_getTransactionReceipt", "gas out of range"))?;
            Ok(Told::Mined {
                logs: receipt.logs_digest(),
                receipt: read,
                depth: head.saturating_add(1).saturating_sub(number),
            })
        }
    }
}

/// Combines the nodes' views of one hash. An absent, lagging or failing node is not a contradiction; the result is
/// merely not settled yet.
fn combine(
    hash: B256,
    told: Vec<(String, Result<Told, RpcError>)>,
    quorum: usize,
    scope: &Scope<'_>,
    contradictions: &mut Vec<Contradiction>,
) -> Result<Lookup, RpcError> {
    let of_chain = |detail: String| RpcError {
        endpoint: scope.chain.to_owned(),
        detail,
    };
    let mined: Vec<(String, Told)> = told
        .iter()
        .filter_map(|(voice, told)| Some((voice.clone(), told.as_ref().ok()?.clone())))
        .filter(|(_, told)| told.fact().is_some())
        .collect();
    if mined.is_empty() {
        return unmined(hash, told, quorum).map_err(of_chain);
    }
    let facts = mined
        .iter()
        .filter_map(|(voice, told)| Some((voice.clone(), told.fact()?)));
    match agree(facts, quorum) {
        Verdict::Agreed { said, by, dissent } => {
            if !dissent.is_empty() {
                let what = format!(
                    "{hash} {} according to {}; {} disagrees",
                    said.describe(),
                    names(&by),
                    names(&dissent)
                );
                contradictions.push(Contradiction { what, settled: true });
            }
            Ok(Lookup::Mined(receipt_of(&said, &mined, quorum).ok_or_else(
                || of_chain(format!("{hash}: nodes disagree about its gas")),
            )?))
        }
        Verdict::TooFew(by) => Err(of_chain(format!(
            "{hash} is in a block according to {}; {quorum} nodes must agree",
            names(&by)
        ))),
        Verdict::Split(camps) => {
            let camps = camps
                .iter()
                .map(|(fact, voices)| format!("{}: it {}", names(voices), fact.describe()));
            let camps = camps.collect::<Vec<_>>().join("; ");
            let what = format!("nodes contradict each other about {hash}: {camps}");
            if is_contradiction(&camps_of(&mined), scope.required_depth) {
                contradictions.push(Contradiction {
                    what: what.clone(),
                    settled: false,
                });
            }
            Err(of_chain(what))
        }
    }
}

fn camps_of(mined: &[(String, Told)]) -> Vec<(Fact, u64)> {
    let facts = mined.iter().filter_map(|(_, told)| match told {
        Told::Mined { depth, .. } => Some((told.fact()?, *depth)),
        Told::Absent | Told::Pooled => None,
    });
    facts.collect()
}

/// Honest nodes may briefly hold different recent blocks, but never differ about the same block or about old blocks.
fn is_contradiction(facts: &[(Fact, u64)], required_depth: u64) -> bool {
    let same_block = facts.iter().any(|(fact, _)| {
        facts
            .iter()
            .any(|(other, _)| other.block == fact.block && other != fact)
    });
    let all_deep = facts.iter().all(|(_, depth)| *depth >= required_depth);
    let settled_depth = required_depth.saturating_mul(2).saturating_add(5);
    same_block || all_deep || facts.iter().any(|(_, depth)| *depth >= settled_depth)
}

fn unmined(hash: B256, told: Vec<(String, Result<Told, RpcError>)>, quorum: usize) -> Result<Lookup, String> {
    let heard = |wanted: fn(&Told) -> bool| {
        let said = told
            .iter()
            .filter(move |(_, told)| told.as_ref().is_ok_and(wanted));
        said.map(|(voice, _)| (voice.clone(), ()))
    };
    let enough = |verdict: Verdict<()>| matches!(verdict, Verdict::Agreed { .. });
    if enough(agree(heard(|told| matches!(told, Told::Pooled)), quorum)) {
        return Ok(Lookup::Pooled);
    }
    // Some nodes have it, others do not: sending it again is safe.
    if enough(agree(
        heard(|told| matches!(told, Told::Pooled | Told::Absent)),
        quorum,
    )) {
        return Ok(Lookup::Absent);
    }
    let errors = told
        .into_iter()
        .filter_map(|(_, told)| told.err())
        .map(|error| error.to_string());
    Err(format!(
        "{hash}: too few nodes answered ({quorum} required): {}",
        errors.collect::<Vec<_>>().join("; ")
    ))
}

/// The agreed receipt, with the highest gas that a quorum reports.
fn receipt_of(fact: &Fact, mined: &[(String, Told)], quorum: usize) -> Option<Receipt> {
    let agreeing = || {
        let same = mined
            .iter()
            .filter(|(_, told)| told.fact().as_ref() == Some(fact));
        same.filter_map(|(voice, told)| match told {
            Told::Mined { receipt, .. } => Some((voice.clone(), receipt)),
            Told::Absent | Told::Pooled => None,
        })
    };
    let gas = reached(
        agreeing().map(|(voice, receipt)| (voice, receipt.gas_native.units())),
        quorum,
    )?;
    let (_, receipt) = agreeing().next()?;
    Some(Receipt {
        gas_native: Amount::new(gas),
        ..receipt.clone()
    })
}
