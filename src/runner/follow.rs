//! Trades that a worker follows by itself from their first step on, so that the queue does not carry each look.
//!
//! The row stays the truth: it says when the schedulers take a trade over that its worker has left. A worker that is
//! killed leaves its trades to them after the lease; one that stops gives them back at once.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use super::places::Places;
use crate::{
    domain::{ids::TradeId, span::Span},
    engine::{Engine, Progress},
    store::trades,
};

/// Trades that one process follows at a time; others are carried by the queue.
const FOLLOWED_MAX: usize = 2_000;

/// Trades that one process continues at the same moment, the oldest of those that wait.
const DRIVES_AT_ONCE: usize = 32;

/// A look that takes longer waits for nodes that do not answer. It makes its place free: the trades of one chain do not
/// hold up those of another.
const LOOK_USUAL: Duration = Duration::from_secs(2);

/// Looks that wait like that at the same moment; any more keep their places.
const SLOW_AT_ONCE: usize = 512;

/// The longest time that slots wait for trades.
const GO_FIRST_MAX: Duration = Duration::from_secs(1);

/// How long one look may take.
const LOOK_MAX: Duration = Duration::from_secs(60);

/// How long a stopping worker waits for looks that have begun.
const STOP_MAX: Duration = Duration::from_secs(5);
/// How long it waits for the note that gives its trades back.
const HAND_BACK_MAX: Duration = Duration::from_secs(2);

/// The trades that this process follows.
#[derive(Clone)]
pub struct Followers {
    shared: Arc<Shared>,
}

struct Shared {
    /// Its checks are planned later by the lease.
    engine: Engine,
    most: usize,
    drives: Arc<Places>,
    slow: Semaphore,
    followed: Mutex<HashSet<TradeId>>,
    left: Mutex<Vec<TradeId>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Shared {
    fn followed(&self) -> MutexGuard<'_, HashSet<TradeId>> {
        // Each entry is whole after any panic.
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left(&self) -> MutexGuard<'_, Vec<TradeId>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets a trade however its task ends.
struct Followed {
    shared: Arc<Shared>,
    trade: TradeId,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.shared.followed().remove(&self.trade);
    }
}

impl Followers {
    /// Follows trades with `engine` until `stop`. A trade whose worker is gone is taken over by the schedulers `lease`
    /// after its next look was due.
    #[must_use]
    pub fn new(engine: &Engine, lease: Span, stop: CancellationToken) -> Self {
        Self::up_to(FOLLOWED_MAX, engine, lease, stop)
    }

    /// Follows none: every look comes from the queue.
    #[must_use]
    pub fn none(engine: &Engine) -> Self {
        Self::up_to(0, engine, Span::ZERO, CancellationToken::new())
    }

    fn up_to(most: usize, engine: &Engine, lease: Span, stop: CancellationToken) -> Self {
        Self {
            shared: Arc::new(Shared {
                engine: engine.following(lease),
                most,
                drives: Places::new(DRIVES_AT_ONCE),
                slow: Semaphore::new(SLOW_AT_ONCE),
                followed: Mutex::default(),
                left: Mutex::default(),
                tasks: TaskTracker::new(),
                stop,
            }),
        }
    }

    /// Follows a trade until it is final, or waits for something else than the chain. `false`: this process follows as
    /// many as it may, or stops.
    pub fn follow(&self, trade: TradeId) -> bool {
        if self.shared.stop.is_cancelled() {
            return false;
        }
        {
            let mut followed = self.shared.followed();
            if followed.contains(&trade) {
                return true;
            }
            if followed.len() >= self.shared.most {
                return false;
            }
            followed.insert(trade);
        }
        let followed = Followed {
            shared: Arc::clone(&self.shared),
            trade,
        };
        self.shared.tasks.spawn(follow(followed));
        true
    }

    /// Lets trades go first that have waited for long to be continued. Without, slots that come faster than they can be
    /// decided would keep every trade from its end.
    pub async fn go_first(&self) {
        self.shared.drives.go_first(GO_FIRST_MAX).await;
    }

    /// Waits for looks that have begun, for a limited time, and gives the trades that are still followed back to the
    /// schedulers: those in a look that hangs too. To be called after `stop`.
    pub async fn end(&self) {
        let shared = &self.shared;
        shared.tasks.close();
        if tokio::time::timeout(STOP_MAX, shared.tasks.wait()).await.is_err() {
            warn!("a look at a trade takes long, and the shutdown does not wait for it");
        }
        let mut left = std::mem::take(&mut *shared.left());
        left.extend(shared.followed().iter());
        let given_back = trades::hand_back(shared.engine.pool(), &left);
        match tokio::time::timeout(HAND_BACK_MAX, given_back).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                warn!(%error, "open trades were not given back; they are taken over after their lease")
            }
            Err(_) => {
                warn!("the database did not answer in time: open trades are taken over after their lease")
            }
        }
    }
}

async fn follow(followed: Followed) {
    let Followed { shared, trade } = &followed;
    while let Some(pause) = look(shared, *trade).await {
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => {
                shared.left().push(*trade);
                return;
            }
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Continues a trade, and says when the chain may have more to say of it; `None`: nothing is to be followed any more.
async fn look(shared: &Shared, trade: TradeId) -> Option<Duration> {
    let place = shared.drives.take(trade).await?;
    let looking = tokio::time::timeout(LOOK_MAX, shared.engine.carry_on(trade));
    tokio::pin!(looking);
    let looked = match tokio::time::timeout(LOOK_USUAL, &mut looking).await {
        Ok(looked) => looked,
        Err(_) => {
            let waiting = shared.slow.try_acquire();
            let _kept = waiting.is_err().then_some(place);
            looking.await
        }
    };
    match looked {
        Ok(Some(Progress::Sent(pause))) => Some(pause.std()),
        Ok(_) => None,
        Err(_) => {
            warn!(
                trade = trade.0,
                "a look took too long; the schedulers take the trade over"
            );
            None
        }
    }
}
