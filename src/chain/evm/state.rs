//! State of an EVM chain: nodes and recent answers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex as StdMutex},
    time::Instant,
};

use alloy_primitives::Address;
use tokio::sync::Mutex;

use crate::{
    chain::{fresh::Fresh, lookup::Heights, native_price::NativePrice, rpc::Rpc, settings::ChainSpec},
    domain::onchain::{Fees, Head, Nonces},
    ports::RpcError,
};

/// Newest blocks across all nodes.
#[derive(Debug, Clone)]
pub(super) struct Heads {
    /// Reached by a quorum: confirmations are counted from it.
    pub(super) agreed: Result<Head, RpcError>,
    /// The newest that any node reports, if its time is plausible.
    pub(super) best: Head,
}

/// One chain.
pub struct EvmChain {
    pub(super) rpc: Rpc,
    pub(super) private: Option<Rpc>,
    pub(super) spec: Arc<ChainSpec>,
    pub(super) native: Arc<dyn NativePrice>,
    pub(super) heads: Fresh<Heads>,
    pub(super) fees: Fresh<Fees>,
    pub(super) heights: Heights,
    pub(super) nonces: Mutex<HashMap<Address, Arc<Fresh<Nonces>>>>,
    /// The last contradiction between nodes, and when it was seen.
    pub(super) disagreement: StdMutex<Option<(Instant, String)>>,
}

impl EvmChain {
    /// The chain of `spec`, queried through `rpc`; transactions are sent through `private` if given.
    #[must_use]
    pub fn new(rpc: Rpc, private: Option<Rpc>, spec: Arc<ChainSpec>, native: Arc<dyn NativePrice>) -> Self {
        Self {
            rpc,
            private,
            spec,
            native,
            heads: Fresh::default(),
            fees: Fresh::default(),
            heights: Heights::default(),
            nonces: Mutex::default(),
            disagreement: StdMutex::default(),
        }
    }
}
