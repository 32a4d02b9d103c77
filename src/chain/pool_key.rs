//! Uniswap V4's names of pools: keys as contracts take them, and the hash that proves a key.

use alloy::sol_types::SolValue;
use alloy_primitives::{
    B256, U256,
    aliases::{I24, U24},
    keccak256,
};

use super::{
    contracts::{V4PoolKey, V4PoolManager, V4StateView},
    multicall::{Read, Reading, decode},
    settings::ChainSpec,
};
use crate::domain::pool::{Pool, PoolKey};

/// The slot of the manager's mapping of pools.
const POOLS_SLOT: U256 = U256::from_limbs([6, 0, 0, 0]);

/// The key as contracts take it; `None` for numbers that do not fit.
pub(super) fn contract_key(key: &PoolKey) -> Option<V4PoolKey> {
    Some(V4PoolKey {
        currency0: key.currency0,
        currency1: key.currency1,
        fee: U24::try_from(key.fee).ok()?,
        tickSpacing: I24::try_from(key.tick_spacing).ok()?,
        hooks: key.hooks,
    })
}

/// The hash by which the manager knows the pool.
pub(super) fn id(key: &PoolKey) -> Option<B256> {
    contract_key(key).map(|key| keccak256(key.abi_encode()))
}

/// What a contract says a key is, if it can be the key of a pool at all.
pub(super) fn key_of(key: &V4PoolKey) -> Option<PoolKey> {
    let key = PoolKey {
        currency0: key.currency0,
        currency1: key.currency1,
        fee: key.fee.to(),
        tick_spacing: key.tickSpacing.as_i32(),
        hooks: key.hooks,
    };
    // The notation of settings refuses what cannot be a pool.
    let written: Pool = Pool::V4(key).to_string().parse().ok()?;
    (written == Pool::V4(key)).then_some(key)
}

/// The manager's slot of the pool's state.
pub(super) fn state_slot(id: B256) -> B256 {
    keccak256((id, POOLS_SLOT).abi_encode())
}

/// Reads whether the pool exists.
pub(super) fn existence(spec: &ChainSpec, id: B256) -> Read {
    let contracts = &spec.contracts;
    if contracts.v4_state_view.is_zero() {
        let call = V4PoolManager::extsloadCall { slot: state_slot(id) };
        Read::new(contracts.v4_pool_manager, &call)
    } else {
        Read::new(contracts.v4_state_view, &V4StateView::getSlot0Call { poolId: id })
    }
}

/// Whether [`existence`] found a pool: the first word of either answer holds its price, which is never zero.
pub(super) fn exists(reading: Option<&Reading>) -> bool {
    let word = reading.and_then(|reading| reading.as_ref().ok()?.get(..32));
    word.is_some_and(|word| word.iter().any(|byte| *byte != 0))
}

/// The word of a pool's state that has its liquidity, counted from its first one.
const LIQUIDITY_WORD: U256 = U256::from_limbs([3, 0, 0, 0]);

/// Reads the liquidity of a V4 pool at its price; `None` for another pool.
pub(super) fn liquidity(spec: &ChainSpec, pool: &Pool) -> Option<Read> {
    let Pool::V4(key) = pool else { return None };
    let first = U256::from_be_bytes(state_slot(id(key)?).0);
    let slot = B256::from(first.wrapping_add(LIQUIDITY_WORD));
    let call = V4PoolManager::extsloadCall { slot };
    Some(Read::new(spec.contracts.v4_pool_manager, &call))
}

/// What [`liquidity`] found; zero if that was nothing.
pub(super) fn liquidity_of(reading: &Reading) -> u128 {
    let word = decode::<V4PoolManager::extsloadCall>(Some(reading)).unwrap_or_default();
    // The lower half.
    U256::from_be_bytes(word.0).wrapping_to()
}
