//! Whether what the settings say of V2's forks fits together on the chain.

use alloy_primitives::Address;

use super::{
    contracts::{V2Factory, V2Router},
    error::CallError,
    multicall::{Read, decode, read_all},
    rpc::Rpc,
    settings::ChainSpec,
    v2_forks::pair,
};
use crate::ports::RpcError;

/// What is wrong with each fork of the chain, with its key; empty: nothing.
///
/// # Errors
/// [`RpcError`] if no node answers.
pub async fn misfits(rpc: &Rpc, spec: &ChainSpec) -> Result<Vec<String>, RpcError> {
    let sample = V2Factory::getPairCall {
        one: spec.wrapped_native,
        other: spec.usdc,
    };
    let reads = spec.v2_forks.iter().flat_map(|fork| {
        [
            Read::new(fork.router, &V2Router::factoryCall {}),
            Read::new(fork.factory, &sample),
        ]
    });
    let reads: Vec<Read> = reads.collect();
    if reads.is_empty() {
        return Ok(vec![]);
    }
    let readings = read_all(rpc, spec.contracts.multicall3, &reads).await;
    let readings = readings.map_err(CallError::into_rpc)?;
    let mut wrong = Vec::new();
    for (fork, readings) in spec.v2_forks.iter().zip(readings.chunks(2)) {
        let (key, router) = (format!("v2_forks.{}", fork.name), fork.router);
        match decode::<V2Router::factoryCall>(readings.first()) {
            Some(factory) if factory == fork.factory => {}
            Some(factory) => wrong.push(format!(
                "{key}.router {router} swaps in pairs of factory {factory}"
            )),
            None => wrong.push(format!("{key}.router {router} is no router of V2's kind")),
        }
        let expected = pair(fork.factory, fork.init_code_hash, spec.wrapped_native, spec.usdc);
        match decode::<V2Factory::getPairCall>(readings.get(1)) {
            // Without that pair there is nothing to compare.
            Some(Address::ZERO) => {}
            Some(made) if made == expected => {}
            Some(_) => wrong.push(format!(
                "{key}.init_code_hash is not the hash of this factory's pairs"
            )),
            None => wrong.push(format!(
                "{key}.factory {} is no factory of V2's kind",
                fork.factory
            )),
        }
    }
    Ok(wrong)
}
