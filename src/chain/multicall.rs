//! Batched contract reads with Multicall3.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, Bytes};
use futures::future::join_all;
use tracing::debug;

use super::{
    contracts::Multicall3,
    error::CallError,
    rpc::Rpc,
    unfit::{is_heavy, is_of_the_calls},
};
use crate::ports::RpcError;

/// Maximum reads per round trip, within a public node's gas and time limits.
pub const READS_MAX: usize = 200;

/// Extra reads that may exceed the maximum, so that the few common reads of a round of prices need no second round
/// trip.
const COMPANIONS_MAX: usize = 8;

/// Parts that are asked at most to find the calls that take too much among those of one round trip: six times as many
/// as it takes for one.
const PARTS_MAX: usize = 96;

/// As many parts fewer are asked for each that took a node longer than it gives a call.
const HEAVY_COSTS: usize = 16;

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

/// Executes all `reads` through `multicall3` on the newest block and returns results in order. A read that reverts or
/// takes too much does not affect the others. Up to [`READS_MAX`] reads, plus a few extra, cost one round trip.
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

/// The reads of one round trip. Where the node does not carry them out together, they are asked in halves, and those
/// halves again, so that in the end only a call that takes too much by itself has no answer: as if it had reverted. The
/// parts may then be of different blocks.
async fn read_chunk(
    rpc: &Rpc,
    multicall3: Address,
    reads: &[Read],
    block: Option<u64>,
) -> Result<Vec<Reading>, CallError> {
    let (mut known, refusal) = match ask(rpc, multicall3, reads, block).await? {
        Told::All(readings) => return Ok(readings),
        Told::Short(readings) => (readings, None),
        Told::Refused(error) => (vec![Err(Bytes::new()); reads.len()], Some(error)),
    };
    // Alone it says whether this node and this contract work at all, and whether the chain has the gauge.
    let gauged = match (ask(rpc, multicall3, &[gauge()], block).await?, refusal) {
        (Told::Refused(_), Some(refusal)) => return Err(refusal),
        (Told::Refused(error), None) => return Err(error),
        (Told::All(said) | Told::Short(said), _) => said.iter().all(Result::is_ok),
    };
    let mut left = PARTS_MAX;
    let mut open = halves(0, reads);
    while !open.is_empty() {
        open.truncate(left);
        left = left.saturating_sub(open.len());
        let asked = open.iter().map(|(_, part)| ask(rpc, multicall3, part, block));
        let told = join_all(asked).await;
        let mut next = Vec::new();
        for ((at, part), told) in open.into_iter().zip(told) {
            let readings = match told? {
                Told::All(readings) => readings,
                Told::Short(readings) => {
                    if gauged {
                        next.extend(halves(at, part));
                    }
                    readings
                }
                Told::Refused(error) => {
                    debug!(%error, calls = part.len(), "a node does not carry these calls out together");
                    if is_heavy(&error) {
                        left = left.saturating_sub(HEAVY_COSTS);
                    }
                    next.extend(halves(at, part));
                    vec![]
                }
            };
            for (place, reading) in known.iter_mut().skip(at).zip(readings) {
                *place = reading;
            }
        }
        open = next;
    }
    Ok(known)
}

/// Both halves of a part that begins at `at`; none of a single read.
fn halves(at: usize, part: &[Read]) -> Vec<(usize, &[Read])> {
    let middle = part.len().div_ceil(2);
    match part.split_at_checked(middle) {
        Some((one, other)) if !other.is_empty() => vec![(at, one), (at.saturating_add(middle), other)],
        _ => vec![],
    }
}

/// What a node makes of several reads in one call.
enum Told {
    /// Each had gas enough.
    All(Vec<Reading>),
    /// Hardly any gas was left at the end: those that failed may have had too little.
    Short(Vec<Reading>),
    /// The node does not carry them out together.
    Refused(CallError),
}

/// A pairing check of three pairs of zeros, by the precompile of EIP-197: 147,000 units of gas (EIP-1108), little work.
///
/// A call gets at most 63/64 of the gas that is left, and one that burns all of it leaves the next ones 1/64 for each
/// level of calls: they fail in silence, like a pool that does not exist. If this works as the last one, each call
/// before that ran out of gas, up to five levels deep, had about two million units and took them all by itself.
fn gauge() -> Read {
    Read {
        to: Address::with_last_byte(8),
        data: Bytes::from_static(&[0; 3 * 192]),
    }
}

async fn ask(rpc: &Rpc, multicall3: Address, reads: &[Read], block: Option<u64>) -> Result<Told, CallError> {
    let gauge = (reads.len() > 1).then(gauge);
    let calls: Vec<Multicall3::Call3> = reads
        .iter()
        .chain(&gauge)
        .map(|read| Multicall3::Call3 {
            target: read.to,
            allowFailure: true,
            callData: read.data.clone(),
        })
        .collect();
    let asked = calls.len();
    let call = Multicall3::aggregate3Call { calls };
    let answer = match rpc
        .eth_call_at(multicall3, &call.abi_encode().into(), block)
        .await
    {
        Err(error) if is_of_the_calls(&error) => return Ok(Told::Refused(error)),
        answer => answer?,
    };
    let results = Multicall3::aggregate3Call::abi_decode_returns(&answer)
        .ok()
        .filter(|results| results.len() == asked);
    let results = results.ok_or_else(|| {
        CallError::Rpc(RpcError {
            endpoint: multicall3.to_string(),
            detail: "no Multicall3 at this address; set contracts.multicall3 of this chain".to_owned(),
        })
    })?;
    let mut readings: Vec<Reading> = results
        .into_iter()
        .map(|result| match result.success {
            true => Ok(result.returnData),
            false => Err(result.returnData),
        })
        .collect();
    let last = gauge.and_then(|_| readings.pop());
    Ok(match last {
        Some(Err(_)) => Told::Short(readings),
        _ => Told::All(readings),
    })
}
