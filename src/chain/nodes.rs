//! The nodes of one chain, shared by all callers.

use std::{
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use super::node::Node;

/// First pause before all nodes are asked again; doubles with each round.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Nodes {
    pub(super) chain: String,
    pub(super) nodes: Vec<Arc<Node>>,
    /// Index of the preferred node.
    pub(super) preferred: AtomicUsize,
    /// Rounds through all nodes before a request fails.
    pub(super) rounds: u32,
    /// How many nodes of different hosts must agree.
    pub(super) quorum: usize,
}
