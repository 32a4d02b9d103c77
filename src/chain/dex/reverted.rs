//! Pools whose swaps work when they are tried out and revert in a block: a hook can tell the two apart.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use super::assets::Pair;
use crate::domain::pool::Pool;

/// Two reverts of one pool within this time count together.
const WITHIN: Duration = Duration::from_secs(3_600);

/// The pools that swaps were last made for, and those of them that reverted.
#[derive(Debug, Clone, Default)]
pub(super) struct Reverted {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    made_for: HashMap<Pair, Pool>,
    reverted: HashMap<(Pair, Pool), Instant>,
}

impl Reverted {
    /// Calls of a swap were made for this pool.
    pub(super) async fn made_for(&self, pair: Pair, pool: Pool) {
        self.kept.lock().await.made_for.insert(pair, pool);
    }

    /// A swap of the pair reverted in a block; the pool, if it is its second time. Once, another trader was faster, as
    /// a rule.
    pub(super) async fn again(&self, pair: Pair, now: Instant) -> Option<Pool> {
        let mut kept = self.kept.lock().await;
        let pool = *kept.made_for.get(&pair)?;
        kept.reverted
            .retain(|_, at| now.saturating_duration_since(*at) < WITHIN);
        let before = kept.reverted.insert((pair, pool), now);
        before.map(|_| pool)
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;

    use super::*;

    #[tokio::test]
    async fn a_pool_is_named_from_its_second_revert_within_an_hour_on() {
        let pair = |token: u8| Pair {
            token: Address::with_last_byte(token),
            quote: Address::with_last_byte(9),
        };
        let pool = |fee: u32| format!("v3:{fee}").parse::<Pool>().expect("a pool");
        let (reverted, now) = (Reverted::default(), Instant::now());
        assert_eq!(reverted.again(pair(1), now).await, None, "nothing was made");
        reverted.made_for(pair(1), pool(500)).await;
        reverted.made_for(pair(2), pool(500)).await;
        assert_eq!(reverted.again(pair(1), now).await, None);
        assert_eq!(reverted.again(pair(2), now).await, None, "of another pair");
        assert_eq!(reverted.again(pair(1), now).await, Some(pool(500)));
        // Another pool begins from nothing.
        reverted.made_for(pair(1), pool(3_000)).await;
        assert_eq!(reverted.again(pair(1), now).await, None);
        let late = now + WITHIN;
        assert_eq!(reverted.again(pair(1), late).await, None, "long ago");
        assert_eq!(reverted.again(pair(1), late).await, Some(pool(3_000)));
    }
}
