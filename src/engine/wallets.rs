//! One trade of a wallet at a time takes its nonces in this process: several that sign for the same nonce race, and all
//! but one have signed in vain.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::domain::job::Account;

/// Longest wait for another trade of the wallet. Then both continue: the database lets one of them pass.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// A lock for each wallet that this process trades for.
#[derive(Debug, Default)]
pub(in crate::engine) struct Wallets {
    locks: Mutex<HashMap<Account, Arc<AsyncMutex<()>>>>,
}

/// The turn of one trade.
pub(in crate::engine) struct Alone {
    /// Until this is dropped; `None`: the wait took too long.
    _guard: Option<OwnedMutexGuard<()>>,
    /// Another trade was before it: what was read before is old.
    pub(in crate::engine) waited: bool,
}

impl Wallets {
    /// Waits until no other trade of the wallet is taking its nonces here, in the order of those who wait.
    pub(in crate::engine) async fn alone(&self, account: &Account) -> Alone {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            match locks.get(account) {
                Some(lock) => Arc::clone(lock),
                None => Arc::clone(locks.entry(account.clone()).or_default()),
            }
        };
        if let Ok(guard) = Arc::clone(&lock).try_lock_owned() {
            return Alone {
                _guard: Some(guard),
                waited: false,
            };
        }
        Alone {
            _guard: tokio::time::timeout(WAIT_MAX, lock.lock_owned()).await.ok(),
            waited: true,
        }
    }
}
