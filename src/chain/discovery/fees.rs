//! The fees that a V3 factory enabled: its owner may add any.

use std::collections::BTreeSet;

use alloy::sol_types::SolEvent;
use alloy_primitives::{B256, aliases::U24};
use serde::Deserialize;
use serde_json::json;

use crate::chain::{
    contracts::V3Factory,
    multicall::{Read, decode, read_all},
    rpc::Rpc,
    settings::ChainSpec,
};

/// Fees that every V3 factory has, hundredths of a basis point.
pub(crate) const USUAL: [u32; 4] = [100, 500, 3_000, 10_000];
/// Fees that some factories have in addition: asked for one by one, since many nodes do not give old logs.
const LIKELY: [u32; 10] = [200, 300, 400, 2_500, 5_000, 250, 1_000, 2_000, 20_000, 50_000];
/// Most fees that are believed of one factory: each is asked for with every quote.
const FEES_MAX: usize = 12;

#[derive(Deserialize)]
struct RawLog {
    topics: Vec<B256>,
}

/// The fees enabled beyond the usual ones, hundredths of a basis point.
pub(super) async fn odd(rpc: &Rpc, spec: &ChainSpec) -> Result<Vec<u32>, String> {
    let factory = spec.contracts.v3_factory;
    if factory.is_zero() {
        return Ok(Vec::new());
    }
    let mut fees: BTreeSet<u32> = LIKELY.into();
    fees.extend(logged(rpc, spec).await);
    fees.retain(|fee| !USUAL.contains(fee) && *fee < 1_000_000);
    let fees: Vec<u32> = fees.into_iter().collect();
    let reads: Vec<Read> = fees
        .iter()
        .map(|fee| {
            let call = V3Factory::feeAmountTickSpacingCall {
                fee: U24::saturating_from(*fee),
            };
            Read::new(factory, &call)
        })
        .collect();
    let readings = read_all(rpc, spec.contracts.multicall3, &reads).await;
    let readings = readings.map_err(|error| error.to_string())?;
    let enabled = fees.into_iter().zip(&readings).filter(|(_, reading)| {
        let spacing = decode::<V3Factory::feeAmountTickSpacingCall>(Some(reading));
        spacing.is_some_and(|spacing| !spacing.is_zero())
    });
    Ok(enabled.map(|(fee, _)| fee).take(FEES_MAX).collect())
}

/// Fees that the factory's logs name, if the node gives all of them at once; a few rows in years.
async fn logged(rpc: &Rpc, spec: &ChainSpec) -> Vec<u32> {
    let filter = json!([{
        "address": spec.contracts.v3_factory,
        "fromBlock": "0x0",
        "toBlock": "latest",
        "topics": [V3Factory::FeeAmountEnabled::SIGNATURE_HASH],
    }]);
    let logs: Vec<RawLog> = rpc.request("eth_getLogs", filter).await.unwrap_or_default();
    let fee = |log: RawLog| {
        let word = log.topics.get(1)?;
        u32::try_from(alloy_primitives::U256::from_be_bytes(word.0)).ok()
    };
    logs.into_iter().filter_map(fee).collect()
}
