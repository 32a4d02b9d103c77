//! A pool's id is the hash of its key: a key that anyone names is checked by it, never believed.

use crate::{
    chain::{
        contracts::V4PoolKey,
        pool_key::{id, key_of},
    },
    domain::pool::Pool,
    store::v4_pools::{FoundBy, V4Pool},
};

/// The pool with this key and the id that follows from it; `None` if it cannot be a key.
pub(super) fn proven(key: &V4PoolKey, found_by: FoundBy) -> Option<V4Pool> {
    let key = key_of(key)?;
    Some(V4Pool {
        id: id(&key)?,
        currencies: (key.currency0, key.currency1),
        pool: Pool::V4(key),
        created_at: None,
        found_by,
    })
}
