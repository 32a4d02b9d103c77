//! What a payment of the owner's would cost, asked before it is signed.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, Bytes, U64, U256};
use serde_json::json;

use crate::{
    chain::{
        contracts::GasPriceOracle, error::CallError, rpc::Rpc, settings::ChainSpec, unfit::is_of_the_request,
    },
    domain::{
        onchain::Call,
        units::{Amount, NATIVE_DECIMALS},
    },
    ports::{QuoteError, RpcError},
};

/// What an envelope and a signature add to calldata, bytes.
const ENVELOPE: usize = 120;
/// What a payment to an address without code uses, units; it never uses more.
const PLAIN: u64 = 21_000;

/// Gas with a margin, units, and what an L2 takes for the call's data, wei.
pub(super) async fn gas_of(
    rpc: &Rpc,
    spec: &ChainSpec,
    wallet: Address,
    call: &Call,
) -> Result<(u64, Amount), QuoteError> {
    let asked =
        json!({ "from": wallet, "to": call.to, "data": call.data, "input": call.data, "value": call.value });
    let gas: Result<U64, CallError> = rpc.request("eth_estimateGas", json!([asked, "latest"])).await;
    let used: u64 = match gas {
        Ok(gas) => gas.to(),
        Err(error) if !is_of_the_request(&error) => return Err(QuoteError::Rpc(error.into_rpc())),
        Err(error) => return Err(QuoteError::Reverts(error.into_rpc().detail)),
    };
    let units = if used <= PLAIN {
        PLAIN
    } else {
        used.saturating_add(used.div_ceil(3))
    };
    Ok((units, data_fee(rpc, spec, call).await?))
}

async fn data_fee(rpc: &Rpc, spec: &ChainSpec, call: &Call) -> Result<Amount, QuoteError> {
    let oracle = spec.contracts.gas_price_oracle;
    if oracle.is_zero() {
        return Ok(Amount::ZERO);
    }
    let mut data = vec![u8::MAX; ENVELOPE];
    data.extend_from_slice(&call.data);
    let ask = GasPriceOracle::getL1FeeCall { data: data.into() };
    let read = json!({ "to": oracle, "data": Bytes::from(ask.abi_encode()) });
    let answer: Result<Bytes, CallError> = rpc.request("eth_call", json!([read, "latest"])).await;
    let answer = answer.map_err(|error| QuoteError::Rpc(error.into_rpc()))?;
    let fee =
        U256::try_from_be_slice(&answer).filter(|fee| *fee < U256::from(10).pow(U256::from(NATIVE_DECIMALS)));
    fee.map(Amount::new).ok_or_else(|| {
        QuoteError::Rpc(RpcError {
            endpoint: spec.name.clone(),
            detail: "the oracle of data fees does not answer; see contracts.gas_price_oracle".to_owned(),
        })
    })
}
