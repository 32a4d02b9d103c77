//! Calls simulated on the newest block, one after the other, before they are signed.

use alloy_primitives::{Address, Bytes, U64, U256};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    executor::{self, Ran},
    reverts::reason,
};
use crate::{
    chain::{
        error::CallError,
        node::OVERRIDES,
        receipts::{Log, native_transfers},
        rpc::Rpc,
        unfit::{Fitness, fitness},
        wallet_code::wallet_code,
    },
    domain::{
        onchain::{Call, SwapRequest},
        pool::NATIVE,
    },
    ports::RpcError,
};

/// What a limit adds to a third more than was used: the first swap of a second writes a V3 pool's oracle, and a
/// simulation may not have been the first.
const GAS_MARGIN: u64 = 60_000;
/// What every transaction costs besides what it runs.
const GAS_TRANSACTION: u64 = 21_000;
/// Per byte of calldata, at most.
const GAS_BYTE: u64 = 40;
/// What a call that ran after others in one transaction costs more in one of its own: accounts and slots are cold.
const GAS_COLD: u64 = 60_000;

const SIMULATE: &str = "eth_simulateV1";

/// A block of `eth_simulateV1`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SimulatedBlock {
    gas_limit: U64,
    calls: Vec<RawCall>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCall {
    status: U64,
    gas_used: U64,
    #[serde(default)]
    return_data: Bytes,
    #[serde(default)]
    logs: Vec<Log>,
    error: Option<RawError>,
}

#[derive(Debug, Deserialize)]
struct RawError {
    message: String,
    data: Option<Bytes>,
}

/// The results of simulated calls.
#[derive(Debug)]
pub(super) struct Simulation {
    pub(super) calls: Vec<Simulated>,
    gas_limit_block: u64,
}

/// The result of one call.
#[derive(Debug)]
pub(super) struct Simulated {
    /// Why it reverts, if it does.
    pub(super) reverts: Option<String>,
    gas_used: u64,
    /// `None`: the node returns none.
    logs: Option<Vec<Log>>,
    /// What the wallet's balance of the weighed token grew by, where that was measured.
    brought: Option<U256>,
}

/// Why nothing was simulated.
#[derive(Debug)]
pub(super) enum Untried {
    /// The wallet cannot pay for it.
    Funds,
    /// No node has a way to try several calls.
    Unable(RpcError),
    /// No node could do it.
    Rpc(RpcError),
}

impl Simulation {
    /// The first call that reverts, and why.
    pub(super) fn failure(&self) -> Option<(usize, &str)> {
        let mut calls = self.calls.iter().enumerate();
        calls.find_map(|(index, call)| Some((index, call.reverts.as_deref()?)))
    }

    /// The limit a call gets: a third more than it used and some, and never more than a block holds.
    pub(super) fn gas_limit(&self, index: usize) -> u64 {
        self.gas_limit_later(index, 0)
    }

    /// The same of a call that may take `later` units more in a later block than in the one it was tried in.
    pub(super) fn gas_limit_later(&self, index: usize, later: u64) -> u64 {
        let used = self.calls.get(index).map_or(0, |call| call.gas_used);
        let more = used.saturating_add(later).saturating_add(GAS_MARGIN);
        with_margin(used).max(more).min(self.gas_limit_block)
    }

    /// What `swap`, the last call, brought the wallet of `request`, as its receipt would prove it or its balance does;
    /// `None` if the node returns neither.
    pub(super) fn arrived(
        &self,
        swap: &Call,
        request: &SwapRequest,
        wrapped_native: Address,
    ) -> Option<U256> {
        let last = self.calls.last()?;
        match last.brought {
            None => last.proves(swap, request, wrapped_native),
            brought => brought,
        }
    }

    /// The same of an earlier call, as its receipt would prove it.
    pub(super) fn proven(
        &self,
        index: usize,
        swap: &Call,
        request: &SwapRequest,
        wrapped_native: Address,
    ) -> Option<U256> {
        self.calls.get(index)?.proves(swap, request, wrapped_native)
    }
}

impl Simulated {
    /// What the logs of `swap` say that it brought.
    fn proves(&self, swap: &Call, request: &SwapRequest, wrapped_native: Address) -> Option<U256> {
        let (wallet, token) = (request.wallet, request.token_out);
        let logs = self.logs.as_ref()?;
        let moved = if token == NATIVE {
            native_transfers(wallet, swap.to, U256::ZERO, logs, wrapped_native)
        } else {
            let transfers = logs.iter().filter_map(Log::transfer);
            transfers.filter(|moved| moved.token == token).collect()
        };
        let sum = |received: bool| {
            let touching = moved
                .iter()
                .filter(|moved| (if received { moved.to } else { moved.from }) == wallet);
            touching.fold(U256::ZERO, |sum, moved| sum.saturating_add(moved.amount.units()))
        };
        Some(sum(true).saturating_sub(sum(false)))
    }
}

/// Used gas with the margin that has always been enough.
pub(super) fn with_margin(gas_used: u64) -> u64 {
    let tenths = gas_used.saturating_mul(13);
    tenths.div_ceil(10).saturating_add(GAS_MARGIN)
}

/// Coins that a wallet has for the moment of a simulation, wei: more than any trade needs.
const RICHES: U256 = U256::from_limbs([0, 0, 1, 0]);

/// Simulates `calls` of a wallet that has no money of its own: it is given coins for the moment.
pub(super) async fn simulate_rich(rpc: &Rpc, wallet: Address, calls: &[Call]) -> Result<Simulation, Untried> {
    let balance = json!({ "balance": RICHES });
    let mut overrides = serde_json::Map::new();
    overrides.insert(wallet.to_string(), balance);
    let params = json!([
        { "blockStateCalls": [{
            "stateOverrides": overrides,
            "calls": calls.iter().map(|call| raw(wallet, call)).collect::<Vec<_>>()
        }], "validation": false },
        "latest"
    ]);
    let blocks = rpc.request::<Vec<SimulatedBlock>>(SIMULATE, params).await;
    match blocks {
        Ok(blocks) => read(blocks, calls.len()),
        Err(error) => Err(Untried::Rpc(error.into_rpc())),
    }
}

/// Simulates `calls` of `wallet`, and weighs what arrives of `token`: as a block of their own where a node can, else by
/// code put at the wallet's address for one call. One call alone may still be estimated.
pub(super) async fn simulate(
    rpc: &Rpc,
    wallet: Address,
    calls: &[Call],
    token: Address,
) -> Result<Simulation, Untried> {
    if let Some(simulation) = as_a_block(rpc, wallet, calls).await? {
        return Ok(simulation);
    }
    if let Some(simulation) = by_overrides(rpc, wallet, calls, token).await? {
        return Ok(simulation);
    }
    match calls {
        [call] => estimate(rpc, wallet, call).await,
        _ => Err(Untried::Unable(RpcError {
            endpoint: "rpc_urls".to_owned(),
            detail: "no node has eth_simulateV1 or eth_call with state overrides, and nothing is bought without one \
                     of them; use another RPC URL"
                .to_owned(),
        })),
    }
}

/// `None` if no node has `eth_simulateV1`, or none that works.
pub(super) async fn as_a_block(
    rpc: &Rpc,
    wallet: Address,
    calls: &[Call],
) -> Result<Option<Simulation>, Untried> {
    if rpc.all_lack(SIMULATE) {
        return Ok(None);
    }
    let params = json!([
        { "blockStateCalls": [{ "calls": calls.iter().map(|call| raw(wallet, call)).collect::<Vec<_>>() }],
          "validation": false },
        "latest"
    ]);
    match rpc.request::<Vec<SimulatedBlock>>(SIMULATE, params).await {
        Ok(blocks) => read(blocks, calls.len()).map(Some),
        Err(CallError::Node { code, message, .. }) if is_unable(code, &message) => Ok(None),
        Err(CallError::Node { message, .. }) if lacks_funds(&message) => Err(Untried::Funds),
        Err(error) => Err(Untried::Rpc(error.into_rpc())),
    }
}

/// `None` if no node changes state for a call, or if the wallet's own code would be hidden by it.
async fn by_overrides(
    rpc: &Rpc,
    wallet: Address,
    calls: &[Call],
    token: Address,
) -> Result<Option<Simulation>, Untried> {
    if rpc.all_lack(OVERRIDES) {
        return Ok(None);
    }
    if !matches!(wallet_code(rpc, wallet).await, Ok(None)) {
        return Ok(None);
    }
    let data = executor::encode(token, calls);
    let at = format!("{wallet:#x}");
    let params = json!([
        { "from": wallet, "to": wallet, "data": data, "input": data },
        "latest",
        { at: { "code": executor::code() } },
    ]);
    let output = match rpc.request::<Bytes>("eth_call", params).await {
        Ok(output) => output,
        Err(CallError::Node { message, .. }) if lacks_funds(&message) => return Err(Untried::Funds),
        Err(CallError::Node { .. }) => return Ok(None),
        Err(error) => return Err(Untried::Rpc(error.into_rpc())),
    };
    let Some(ran) = executor::decode(&output, calls.len()) else {
        return Ok(None);
    };
    let results = ran.into_iter().zip(calls);
    Ok(Some(Simulation {
        calls: results.map(|(ran, call)| simulated(&ran, call)).collect(),
        gas_limit_block: u64::MAX,
    }))
}

fn simulated(ran: &Ran, call: &Call) -> Simulated {
    let bytes = u64::try_from(call.data.len()).unwrap_or(u64::MAX);
    let around = GAS_TRANSACTION.saturating_add(GAS_COLD);
    Simulated {
        reverts: (!ran.works).then(|| reason(&ran.returned)),
        gas_used: ran
            .gas
            .saturating_add(around)
            .saturating_add(bytes.saturating_mul(GAS_BYTE)),
        logs: None,
        brought: Some(ran.brought),
    }
}

fn lacks_funds(message: &str) -> bool {
    message.to_ascii_lowercase().contains("insufficient funds")
}

fn raw(wallet: Address, call: &Call) -> Value {
    json!({ "from": wallet, "to": call.to, "data": call.data, "input": call.data, "value": call.value })
}

/// Whether an error says that the node does not have the method, or not with these parameters.
fn is_unable(code: i64, message: &str) -> bool {
    let about_parameters = matches!(code, -32602 | -32600);
    about_parameters || fitness(code, message, false) != Fitness::Answer
}

fn read(blocks: Vec<SimulatedBlock>, calls: usize) -> Result<Simulation, Untried> {
    let block = blocks
        .into_iter()
        .next()
        .filter(|block| block.calls.len() == calls);
    let block = block.ok_or_else(|| {
        Untried::Rpc(RpcError {
            endpoint: "eth_simulateV1".to_owned(),
            detail: "an answer for other calls than were asked".to_owned(),
        })
    })?;
    let calls = block.calls.into_iter().map(|call| Simulated {
        reverts: (call.status != U64::from(1)).then(|| call.why()),
        gas_used: call.gas_used.to(),
        logs: Some(call.logs),
        brought: None,
    });
    Ok(Simulation {
        calls: calls.collect(),
        gas_limit_block: block.gas_limit.to(),
    })
}

impl RawCall {
    /// Nodes put the reason into one place or the other.
    fn why(&self) -> String {
        let data = self.error.as_ref().and_then(|error| error.data.as_ref());
        let data = data.filter(|data| !data.is_empty()).unwrap_or(&self.return_data);
        match &self.error {
            Some(error) if data.is_empty() => format!("{} ({})", error.message, reason(data)),
            _ => reason(data),
        }
    }
}

/// One call alone, as `eth_estimateGas` sees it.
pub(super) async fn estimate(rpc: &Rpc, wallet: Address, call: &Call) -> Result<Simulation, Untried> {
    let gas: Result<U64, CallError> = rpc
        .request("eth_estimateGas", json!([raw(wallet, call), "latest"]))
        .await;
    let (gas_used, reverts) = match gas {
        Ok(gas) => (gas.to(), None),
        Err(CallError::Node { message, .. }) if lacks_funds(&message) => {
            return Err(Untried::Funds);
        }
        Err(CallError::Node {
            code, message, data, ..
        }) if code == 3 || message.contains("revert") => (0, Some(reason(&data.unwrap_or_default()))),
        Err(error) => return Err(Untried::Rpc(error.into_rpc())),
    };
    Ok(Simulation {
        calls: vec![Simulated {
            reverts,
            gas_used,
            logs: None,
            brought: None,
        }],
        gas_limit_block: u64::MAX,
    })
}
