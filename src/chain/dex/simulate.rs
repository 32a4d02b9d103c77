//! Calls simulated on the newest block, one after the other, before they are signed.

use alloy_primitives::{Address, Bytes, U64, U256};
use serde::Deserialize;
use serde_json::{Value, json};

use super::reverts::reason;
use crate::{
    chain::{
        error::CallError,
        receipts::{Log, native_transfers},
        rpc::Rpc,
        unfit::{Fitness, fitness},
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
}

/// Why nothing was simulated.
#[derive(Debug)]
pub(super) enum Untried {
    /// The wallet cannot pay for it.
    Funds,
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
        let used = self.calls.get(index).map_or(0, |call| call.gas_used);
        with_margin(used).min(self.gas_limit_block)
    }

    /// What `swap`, the last call, brought the wallet of `request`, as its receipt would prove it; `None` if the node
    /// returns no logs.
    pub(super) fn arrived(
        &self,
        swap: &Call,
        request: &SwapRequest,
        wrapped_native: Address,
    ) -> Option<U256> {
        let (wallet, token) = (request.wallet, request.token_out);
        let logs = self.calls.last()?.logs.as_ref()?;
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
    let blocks = rpc.request::<Vec<SimulatedBlock>>("eth_simulateV1", params).await;
    match blocks {
        Ok(blocks) => read(blocks, calls.len()),
        Err(error) => Err(Untried::Rpc(error.into_rpc())),
    }
}

/// Simulates `calls` of `wallet` in one request. A node that cannot simulate several calls may still estimate one.
pub(super) async fn simulate(rpc: &Rpc, wallet: Address, calls: &[Call]) -> Result<Simulation, Untried> {
    let params = json!([
        { "blockStateCalls": [{ "calls": calls.iter().map(|call| raw(wallet, call)).collect::<Vec<_>>() }],
          "validation": false },
        "latest"
    ]);
    let error = match rpc.request::<Vec<SimulatedBlock>>("eth_simulateV1", params).await {
        Ok(blocks) => return read(blocks, calls.len()),
        Err(error) => error,
    };
    match (error, calls) {
        (CallError::Node { code, message, .. }, [call]) if is_unknown_method(code, &message) => {
            one_call(rpc, wallet, call).await
        }
        (
            CallError::Node {
                endpoint,
                code,
                message,
                ..
            },
            _,
        ) if is_unknown_method(code, &message) => Err(Untried::Rpc(RpcError {
            endpoint,
            detail: "this node has no eth_simulateV1, which trades of more than one call need; use another RPC URL"
                .to_owned(),
        })),
        (CallError::Node { message, .. }, _) if message.to_ascii_lowercase().contains("insufficient funds") => {
            Err(Untried::Funds)
        }
        (error, _) => Err(Untried::Rpc(error.into_rpc())),
    }
}

fn raw(wallet: Address, call: &Call) -> Value {
    json!({ "from": wallet, "to": call.to, "data": call.data, "input": call.data, "value": call.value })
}

/// Whether an error says that the node does not have the method at all.
fn is_unknown_method(code: i64, message: &str) -> bool {
    fitness(code, message, false) == Fitness::Lacks
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

async fn one_call(rpc: &Rpc, wallet: Address, call: &Call) -> Result<Simulation, Untried> {
    let gas: Result<U64, CallError> = rpc
        .request("eth_estimateGas", json!([raw(wallet, call), "latest"]))
        .await;
    let (gas_used, reverts) = match gas {
        Ok(gas) => (gas.to(), None),
        Err(CallError::Node { message, .. })
            if message.to_ascii_lowercase().contains("insufficient funds") =>
        {
            return Err(Untried::Funds);
        }
        Err(CallError::Node { code: 3, data, .. }) => (0, Some(reason(&data.unwrap_or_default()))),
        Err(error) => return Err(Untried::Rpc(error.into_rpc())),
    };
    Ok(Simulation {
        calls: vec![Simulated {
            reverts,
            gas_used,
            logs: None,
        }],
        gas_limit_block: u64::MAX,
    })
}
