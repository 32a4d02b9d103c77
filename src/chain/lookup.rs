//! Status of our transactions, by quorum of nodes and checked against the signed bytes.

mod told;

use alloy_primitives::B256;

pub(super) use self::told::{Expected, Heights, Scope, Wanted};
use self::told::{Fact, Told, ask};
use super::{
    quorum::{Verdict, agree, names, reached},
    rpc::Rpc,
};
use crate::{
    domain::{
        onchain::{Lookup, Receipt},
        units::Amount,
    },
    ports::RpcError,
};

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
