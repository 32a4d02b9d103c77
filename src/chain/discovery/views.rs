//! Contracts that name a token's pools: launchpads by the token, Uniswap's position manager by a pool's id. What they
//! say is proven: a pool counts if the pool manager has one with that key.

use alloy_primitives::{Address, B256, FixedBytes, aliases::I24, aliases::U24};

use super::proven;
use crate::{
    chain::{
        contracts::{Clanker, Doppler, V4PoolKey, V4PositionManager, ZoraCoin},
        multicall::{Read, decode, read_all},
        pool_key::{existence, exists},
        rpc::Rpc,
        settings::ChainSpec,
    },
    domain::pool::{DYNAMIC_FEE, NATIVE},
    store::v4_pools::{FoundBy, V4Pool},
};

/// Distances of ticks that tokens of Clanker have; 200 unless their maker chose another.
const CLANKER_SPACINGS: [i32; 6] = [200, 60, 100, 10, 1, 2_000];

/// The pools that launchpads name for `token`.
///
/// # Errors
/// No node answers.
pub(super) async fn launchpads(rpc: &Rpc, spec: &ChainSpec, token: Address) -> Result<Vec<V4Pool>, String> {
    let contracts = &spec.contracts;
    let reads = [
        Read::new(token, &ZoraCoin::getPoolKeyCall {}),
        Read::new(
            contracts.doppler_initializer,
            &Doppler::getStateCall { asset: token },
        ),
        Read::new(
            contracts.clanker_factory,
            &Clanker::tokenDeploymentInfoCall { token },
        ),
    ];
    let readings = read_all(rpc, contracts.multicall3, &reads).await;
    let readings = readings.map_err(|error| error.to_string())?;
    let mut keys = Vec::new();
    keys.extend(decode::<ZoraCoin::getPoolKeyCall>(readings.first()));
    keys.extend(decode::<Doppler::getStateCall>(readings.get(1)).map(|state| state.poolKey));
    if let Some(made) = decode::<Clanker::tokenDeploymentInfoCall>(readings.get(2)) {
        keys.extend(clanker(spec, token, made.hook));
    }
    existing(rpc, spec, &keys, FoundBy::Launchpad).await
}

/// Pools with these ids, as far as the position manager knows their keys.
///
/// # Errors
/// No node answers.
pub(super) async fn by_id(rpc: &Rpc, spec: &ChainSpec, ids: &[B256]) -> Result<Vec<V4Pool>, String> {
    let contracts = &spec.contracts;
    if contracts.v4_position_manager.is_zero() || ids.is_empty() {
        return Ok(Vec::new());
    }
    let reads: Vec<Read> = ids
        .iter()
        .map(|id| {
            let pool_id = FixedBytes::<25>::from_slice(id.get(..25).unwrap_or(&[0; 25]));
            let call = V4PositionManager::poolKeysCall { poolId: pool_id };
            Read::new(contracts.v4_position_manager, &call)
        })
        .collect();
    let readings = read_all(rpc, contracts.multicall3, &reads).await;
    let readings = readings.map_err(|error| error.to_string())?;
    let keys: Vec<V4PoolKey> = readings
        .iter()
        .filter_map(|reading| decode::<V4PositionManager::poolKeysCall>(Some(reading)))
        .collect();
    let found = existing(rpc, spec, &keys, FoundBy::Listing).await?;
    Ok(found.into_iter().filter(|pool| ids.contains(&pool.id)).collect())
}

/// The keys that a token of Clanker may have with `hook`.
fn clanker(spec: &ChainSpec, token: Address, hook: Address) -> Vec<V4PoolKey> {
    if hook.is_zero() {
        return Vec::new();
    }
    let mut keys = Vec::new();
    for quote in [spec.wrapped_native, NATIVE, spec.usdc] {
        for spacing in CLANKER_SPACINGS {
            keys.push(V4PoolKey {
                currency0: token.min(quote),
                currency1: token.max(quote),
                fee: U24::from(DYNAMIC_FEE),
                tickSpacing: I24::try_from(spacing).unwrap_or_default(),
                hooks: hook,
            });
        }
    }
    keys
}

/// Those of `keys` that the pool manager has a pool for.
async fn existing(
    rpc: &Rpc,
    spec: &ChainSpec,
    keys: &[V4PoolKey],
    found_by: FoundBy,
) -> Result<Vec<V4Pool>, String> {
    let pools: Vec<V4Pool> = keys.iter().filter_map(|key| proven(key, found_by)).collect();
    let reads: Vec<Read> = pools.iter().map(|pool| existence(spec, pool.id)).collect();
    let readings = read_all(rpc, spec.contracts.multicall3, &reads).await;
    let readings = readings.map_err(|error| error.to_string())?;
    let there = pools.into_iter().zip(&readings);
    Ok(there
        .filter(|(_, reading)| exists(Some(reading)))
        .map(|(pool, _)| pool)
        .collect())
}
