//! Whether this process reaches the nodes of a chain.

use std::{
    collections::BTreeMap,
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long an answer of a node counts as recent.
const RECENT: Duration = Duration::from_secs(60);

/// When the nodes of each chain last answered this process, and when they last failed.
static NODES: LazyLock<Mutex<BTreeMap<String, Node>>> = LazyLock::new(Mutex::default);

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    answered: Option<Instant>,
    failed: Option<Instant>,
}

/// Records the end of a round trip to a node of `chain`.
pub fn note_rpc(chain: &str, answered: bool) {
    let mut nodes = NODES.lock().unwrap_or_else(PoisonError::into_inner);
    let node = nodes.entry(chain.to_owned()).or_default();
    let last = if answered {
        &mut node.answered
    } else {
        &mut node.failed
    };
    *last = Some(Instant::now());
}

impl Node {
    /// Only failures recently. A chain that was not asked is not known to be down.
    fn is_down(self) -> bool {
        let recent = |at: Option<Instant>| at.is_some_and(|at| at.elapsed() < RECENT);
        recent(self.failed) && !recent(self.answered)
    }
}

/// Whether the nodes of `chain` failed in the last minute and never answered in it.
#[must_use]
pub fn is_down(chain: &str) -> bool {
    let nodes = NODES.lock().unwrap_or_else(PoisonError::into_inner);
    nodes.get(chain).is_some_and(|node| node.is_down())
}
