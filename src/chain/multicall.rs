//! Batched contract reads with Multicall3.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, Bytes};

use super::{contracts::Multicall3, error::CallError, rpc::Rpc};
use crate::ports::RpcError;

/// Maximum reads per round trip, within a public node's gas and time limits.
pub const READS_MAX: usize = 200;

/// Extra reads that may exceed the maximum, so that the few common reads of a round of prices need no second round
/// trip.
const COMPANIONS_MAX: usize = 8;

/// One read.
#[derive(Debug, Clone)]
pub struct Read {
    /// Contract.
    pub to: Address,
    /// Calldata.
    pub data: Bytes,
}

impl Read {
    /// A call of a declared contract function.
    pub fn new(to: Address, call: &impl SolCall) -> Self {
        Self {
            to,
            data: call.abi_encode().into(),
        }
    }

    /// Two reads as one: either may revert without the other.
    #[must_use]
    pub fn both(multicall3: Address, one: Self, other: Self) -> Self {
        let calls = [one, other].map(|read| Multicall3::Call3 {
            target: read.to,
            allowFailure: true,
            callData: read.data,
        });
        let call = Multicall3::aggregate3Call { calls: calls.into() };
        Self::new(multicall3, &call)
    }

    /// What [`Read::both`] read; `None` if there was no answer.
    #[must_use]
    pub fn of_both(reading: &Reading) -> Option<(Reading, Reading)> {
        let answers = decode::<Multicall3::aggregate3Call>(Some(reading))?;
        let said = |answer: &Multicall3::Result| match answer.success {
            true => Ok(answer.returnData.clone()),
            false => Err(answer.returnData.clone()),
        };
        match answers.as_slice() {
            [one, other] => Some((said(one), said(other))),
            _ => None,
        }
    }
}

/// Return data, or revert data.
pub type Reading = Result<Bytes, Bytes>;

/// Decoded result of a call; `None` if it reverted or the address has no such function.
#[must_use]
pub fn decode<C: SolCall>(reading: Option<&Reading>) -> Option<C::Return> {
    C::abi_decode_returns(reading?.as_ref().ok()?).ok()
}

/// Executes all `reads` through `multicall3` on the newest block and returns results in order. A reverting read does
/// not affect the others. Up to [`READS_MAX`] reads, plus a few extra, cost one round trip.
///
/// # Errors
/// [`CallError`] if no node answers, or if there is no Multicall3.
pub async fn read_all(rpc: &Rpc, multicall3: Address, reads: &[Read]) -> Result<Vec<Reading>, CallError> {
    read_all_at(rpc, multicall3, reads, None).await
}

/// The same in the state of `block`; `None`: the newest block.
///
/// # Errors
/// As [`read_all`]; also if the node has pruned the block's state.
pub async fn read_all_at(
    rpc: &Rpc,
    multicall3: Address,
    reads: &[Read],
    block: Option<u64>,
) -> Result<Vec<Reading>, CallError> {
    if reads.is_empty() {
        return Ok(vec![]);
    }
    let trips = reads
        .len()
        .saturating_sub(COMPANIONS_MAX)
        .div_ceil(READS_MAX)
        .max(1);
    let chunks = reads.chunks(reads.len().div_ceil(trips));
    let mut answers = Vec::with_capacity(reads.len());
    // One after the other: each is as large as a node may allow, and together they would share one request.
    for chunk in chunks {
        answers.extend(read_chunk(rpc, multicall3, chunk, block).await?);
    }
    Ok(answers)
}

async fn read_chunk(
    rpc: &Rpc,
    multicall3: Address,
    reads: &[Read],
    block: Option<u64>,
) -> Result<Vec<Reading>, CallError> {
    let calls = reads.iter().map(|read| Multicall3::Call3 {
        target: read.to,
        allowFailure: true,
        callData: read.data.clone(),
    });
    let call = Multicall3::aggregate3Call {
        calls: calls.collect(),
    };
    let answer = rpc
        .eth_call_at(multicall3, &call.abi_encode().into(), block)
        .await?;
    let results = Multicall3::aggregate3Call::abi_decode_returns(&answer)
        .ok()
        .filter(|results| results.len() == reads.len());
    let results = results.ok_or_else(|| {
        CallError::Rpc(RpcError {
            endpoint: multicall3.to_string(),
            detail: "no Multicall3 at this address; set contracts.multicall3 of this chain".to_owned(),
        })
    })?;
    Ok(results
        .into_iter()
        .map(|result| {
            if result.success {
                Ok(result.returnData)
            } else {
                Err(result.returnData)
            }
        })
        .collect())
}
