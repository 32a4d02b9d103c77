//! The nodes of a chain, and what was asked of them lately.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex as StdMutex},
    time::Instant,
};

use alloy_primitives::Address;
use metrics::counter;
use tokio::sync::Mutex;

use crate::{
    chain::{fresh::Fresh, native_price::NativePrice, rpc::Rpc, settings::ChainSpec},
    domain::onchain::{Fees, Head, Nonces},
    ports::RpcError,
    telemetry::metric,
};

/// The newest blocks of all nodes together.
#[derive(Debug, Clone)]
pub(super) struct Heads {
    /// What enough nodes have reached: depths are counted from it.
    pub(super) agreed: Result<Head, RpcError>,
    /// The newest that any node has, if its time is believable.
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
    pub(super) nonces: Mutex<HashMap<Address, Arc<Fresh<Nonces>>>>,
    /// The last contradiction between nodes, and when it was seen.
    pub(super) disagreement: StdMutex<Option<(Instant, String)>>,
}

impl EvmChain {
    /// The chain of `spec`, asked through `rpc`; transactions go through `private` if there is one.
    #[must_use]
    pub fn new(rpc: Rpc, private: Option<Rpc>, spec: Arc<ChainSpec>, native: Arc<dyn NativePrice>) -> Self {
        // A counter that first shows up at one does not show that it grew.
        counter!(metric::RPC_DISAGREEMENTS, "chain" => spec.name.clone()).increment(0);
        Self {
            rpc,
            private,
            spec,
            native,
            heads: Fresh::default(),
            fees: Fresh::default(),
            nonces: Mutex::default(),
            disagreement: StdMutex::default(),
        }
    }
}
