//! Places to work at, handed to the oldest trade that waits for one: under load trades end one after the other, instead
//! of all of them late. Slots can let trades go first.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Notify, oneshot};

use crate::domain::ids::TradeId;

/// Trades that have waited for places longer than this want more than the machine can do.
const CROWDED_AFTER: Duration = Duration::from_millis(500);

/// A fixed number of places.
#[derive(Debug)]
pub(super) struct Places {
    taken: Mutex<Taken>,
    /// No trade waits any more.
    served: Notify,
}

#[derive(Debug)]
struct Taken {
    free: usize,
    waiting: BTreeMap<TradeId, oneshot::Sender<Place>>,
    /// Since when at least one waits.
    waiting_since: Option<Instant>,
}

/// A place. Once it is dropped, the oldest trade that waits has it.
#[derive(Debug)]
pub(super) struct Place(Arc<Places>);

impl Places {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self {
            taken: Mutex::new(Taken {
                free: count,
                waiting: BTreeMap::new(),
                waiting_since: None,
            }),
            served: Notify::new(),
        })
    }

    /// Waits for a place. `None`: the same trade waits once more, and its last request counts.
    pub(super) async fn take(self: &Arc<Self>, trade: TradeId) -> Option<Place> {
        let waiting = {
            let mut taken = self.taken();
            if let Some(free) = taken.free.checked_sub(1) {
                taken.free = free;
                return Some(Place(Arc::clone(self)));
            }
            let (call, waiting) = oneshot::channel();
            taken.waiting.insert(trade, call);
            taken.waiting_since.get_or_insert_with(Instant::now);
            waiting
        };
        waiting.await.ok()
    }

    /// Lets trades go first: where they have waited for long, returns once none waits, or after `most`.
    pub(super) async fn go_first(&self, most: Duration) {
        let served = async {
            loop {
                let served = self.served.notified();
                let since = self.taken().waiting_since;
                if since.is_none_or(|since| since.elapsed() < CROWDED_AFTER) {
                    return;
                }
                served.await;
            }
        };
        // After that, the caller has waited enough.
        drop(tokio::time::timeout(most, served).await);
    }

    fn give_back(self: &Arc<Self>) {
        let mut taken = self.taken();
        let Some((_, oldest)) = taken.waiting.pop_first() else {
            taken.free += 1;
            return;
        };
        if taken.waiting.is_empty() {
            taken.waiting_since = None;
            self.served.notify_waiters();
        }
        drop(taken);
        // One that is gone drops what it is sent, and the place comes back here.
        drop(oldest.send(Place(Arc::clone(self))));
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Each change is one step.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_trade_that_waits_has_the_next_place() {
        let places = Places::new(1);
        let first = places.take(TradeId(9)).await.expect("a free place");
        let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
        // Each of them waits before the next one comes.
        for trade in [7, 3, 8, 5] {
            let (places, told) = (Arc::clone(&places), told.clone());
            tokio::spawn(async move {
                let place = places.take(TradeId(trade)).await.expect("a place");
                told.send(trade).expect("the test counts");
                drop(place);
            });
            tokio::task::yield_now().await;
        }
        drop(told);
        drop(first);
        let mut had = Vec::new();
        while let Some(trade) = order.recv().await {
            had.push(trade);
        }
        assert_eq!(had, [3, 5, 7, 8]);
        assert_eq!(places.taken().free, 1);
    }

    #[tokio::test]
    async fn a_trade_that_stops_waiting_keeps_no_place() {
        let places = Places::new(1);
        let first = places.take(TradeId(1)).await.expect("a free place");
        for trade in [2, 3] {
            let mut waiting = Box::pin(places.take(TradeId(trade)));
            let none = futures::poll!(&mut waiting);
            assert!(none.is_pending());
        }
        drop(first);
        assert!(places.take(TradeId(4)).await.is_some(), "both are gone");
    }

    #[tokio::test]
    async fn others_let_trades_go_first_only_where_these_have_waited_for_long() {
        const MOST: Duration = Duration::from_millis(200);
        let took = async |places: &Places| {
            let begun = Instant::now();
            places.go_first(MOST).await;
            begun.elapsed()
        };
        let places = Places::new(1);
        let first = places.take(TradeId(1)).await.expect("a free place");
        assert!(took(&places).await < MOST, "none waits");
        let mut waiting = Box::pin(places.take(TradeId(2)));
        assert!(futures::poll!(&mut waiting).is_pending());
        assert!(took(&places).await < MOST, "it has just come");
        std::thread::sleep(CROWDED_AFTER);
        let mut other = Box::pin(places.go_first(Duration::from_secs(60)));
        assert!(futures::poll!(&mut other).is_pending(), "the trade goes first");
        drop(first);
        other.await;
        drop(waiting.await.expect("a place"));
        assert!(took(&places).await < MOST, "all had their place");
    }
}
