//! One trade of a wallet at a time takes its nonces in this process: several that sign for the same nonce race, and all
//! but one have signed in vain. A few at a time are tried out before that: a trial takes longer than a nonce.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::domain::job::Account;

/// Longest wait for another trade of the wallet. Then both continue: the database lets one of them pass.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Most trades of a wallet that are tried out at a time: if the wallet has no room after the first, the others asked in
/// vain.
const TRIALS_MAX: usize = 4;

#[derive(Debug)]
struct Locks {
    trials: Arc<Semaphore>,
    nonces: Arc<AsyncMutex<()>>,
}

/// The locks of each wallet that this process trades for.
#[derive(Debug, Default)]
pub(in crate::engine) struct Wallets {
    locks: Mutex<HashMap<Account, Locks>>,
}

/// The turn of one trade.
pub(in crate::engine) struct Held<Guard> {
    /// Until this is dropped; `None`: the wait took too long.
    _guard: Option<Guard>,
    /// Another trade was before it: what was read before is old.
    pub(in crate::engine) waited: bool,
}

impl<Guard> Held<Guard> {
    const fn at_once(guard: Guard) -> Self {
        Self {
            _guard: Some(guard),
            waited: false,
        }
    }

    async fn after(guard: impl Future<Output = Option<Guard>>) -> Self {
        Self {
            _guard: tokio::time::timeout(WAIT_MAX, guard).await.ok().flatten(),
            waited: true,
        }
    }
}

impl Wallets {
    /// Waits until few other trades of the wallet are being tried out here, in the order of those who wait.
    pub(in crate::engine) async fn trial(&self, account: &Account) -> Held<OwnedSemaphorePermit> {
        let lock = self.of(account, |locks| Arc::clone(&locks.trials));
        match Arc::clone(&lock).try_acquire_owned() {
            Ok(permit) => Held::at_once(permit),
            Err(_) => Held::after(async { lock.acquire_owned().await.ok() }).await,
        }
    }

    /// Waits until no other trade of the wallet is taking its nonces here, in the order of those who wait.
    pub(in crate::engine) async fn alone(&self, account: &Account) -> Held<OwnedMutexGuard<()>> {
        let lock = self.of(account, |locks| Arc::clone(&locks.nonces));
        match Arc::clone(&lock).try_lock_owned() {
            Ok(guard) => Held::at_once(guard),
            Err(_) => Held::after(async { Some(lock.lock_owned().await) }).await,
        }
    }

    fn of<T>(&self, account: &Account, lock: impl FnOnce(&Locks) -> T) -> T {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(locks) = locks.get(account) {
            return lock(locks);
        }
        lock(locks.entry(account.clone()).or_insert_with(|| Locks {
            trials: Arc::new(Semaphore::new(TRIALS_MAX)),
            nonces: Arc::default(),
        }))
    }
}
