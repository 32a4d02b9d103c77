//! Several nodes behind one door: failover to the next one, questions to each of them, and nothing believed of a node
//! that serves another chain.

use std::{
    collections::BTreeSet,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ::metrics::{counter, gauge};
use alloy_primitives::{Address, Bytes, U64};
use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::{
    error::CallError,
    node::{LAG_MAX, Node, lacking, worst},
    nodes::{FIRST_PAUSE, Nodes},
    settings::ChainSpec,
    unfit::Fitness,
    voice::Voice,
    wire::{Answers, Request, Wire},
};
use crate::{domain::foreign::Foreign, ports::RpcError, telemetry::metric};

/// Once enough nodes have answered, the others have so much longer to contradict them.
const GRACE: Duration = Duration::from_millis(300);

/// A node as `doctor` shows it.
#[derive(Debug, Clone)]
pub struct NodeState {
    /// Its URL without credentials.
    pub name: String,
    /// The chain id it gives, or why it gives none.
    pub chain_id: Result<u64, String>,
    /// The newest block it named in the last minute.
    pub head: Option<u64>,
    /// Blocks behind the best node of the chain.
    pub lag: u64,
}

impl NodeState {
    /// Whether the node is so far behind that it is asked last.
    #[must_use]
    pub const fn is_lagging(&self) -> bool {
        self.lag > LAG_MAX
    }
}

/// The nodes of one chain. Cheap to clone.
#[derive(Clone)]
pub struct Rpc {
    inner: Arc<Nodes>,
}

impl Rpc {
    /// The nodes that `spec` names; nothing is asked yet.
    ///
    /// # Errors
    /// [`reqwest::Error`] if the system's certificates cannot be used.
    pub fn new(spec: &ChainSpec) -> Result<Self, reqwest::Error> {
        Self::over(spec, &spec.rpc_urls)
    }

    /// The nodes that only take transactions; `None` without such a URL.
    ///
    /// # Errors
    /// [`reqwest::Error`] if the system's certificates cannot be used.
    pub fn private(spec: &ChainSpec) -> Result<Option<Self>, reqwest::Error> {
        match &spec.private {
            Some(relay) => Self::over(spec, std::slice::from_ref(&relay.url)).map(Some),
            None => Ok(None),
        }
    }

    fn over(spec: &ChainSpec, urls: &[reqwest::Url]) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .timeout(spec.rpc_timeout.std())
            // A redirect would hand our bytes and, in its Referer, the URL with its key to another host.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .build()?;
        let nodes = urls.iter().map(|url| {
            let wire = Wire::new(client.clone(), url.clone());
            Arc::new(Node::new(wire, &spec.name, spec.chain_id, &spec.budget(url)))
        });
        Ok(Self {
            inner: Arc::new(Nodes {
                chain: spec.name.clone(),
                nodes: nodes.collect(),
                preferred: AtomicUsize::new(0),
                rounds: spec.rpc_rounds,
                quorum: spec.quorum,
            }),
        })
    }

    /// One request: the first usable answer of any node.
    ///
    /// # Errors
    /// [`CallError::Node`] if a node refuses it for what it is; [`CallError::Rpc`] if no node answers.
    pub async fn request<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<T, CallError> {
        let value = self.ask(&[(method, params)]).await?.pop();
        let value = value.unwrap_or_else(|| Ok(Value::Null))?;
        serde_json::from_value(value).map_err(|error| {
            CallError::Rpc(RpcError {
                endpoint: self.inner.chain.clone(),
                detail: format!("{method}: invalid answer: {}", Foreign::new(&error.to_string())),
            })
        })
    }

    /// Several requests together, answered by one node in the order asked.
    ///
    /// # Errors
    /// [`RpcError`] if no node answers; an answer may still be a refusal of its own.
    pub async fn batch(
        &self,
        requests: &[(&'static str, Value)],
    ) -> Result<Vec<Result<Value, CallError>>, RpcError> {
        if requests.is_empty() {
            return Ok(vec![]);
        }
        self.ask(requests).await
    }

    /// A call on the state of the newest block.
    ///
    /// # Errors
    /// As [`Self::request`]; a revert is [`CallError::Node`].
    pub async fn eth_call(&self, to: Address, data: &Bytes) -> Result<Bytes, CallError> {
        self.eth_call_at(to, data, None).await
    }

    /// A call on the state of a block; none: the newest one.
    ///
    /// # Errors
    /// As [`Self::eth_call`]; a node that has forgotten the block says so as [`CallError::Node`].
    pub async fn eth_call_at(
        &self,
        to: Address,
        data: &Bytes,
        block: Option<u64>,
    ) -> Result<Bytes, CallError> {
        let block = block.map_or_else(|| json!("latest"), |number| json!(U64::from(number)));
        self.request("eth_call", json!([{ "to": to, "data": data }, block]))
            .await
    }

    /// The nodes in the order in which they are asked `requests`: the preferred one first, then round; those that lack
    /// a method, answered nonsense, are behind or keep failing come last.
    fn order(&self, requests: &[Request]) -> Vec<usize> {
        let count = self.inner.nodes.len();
        let first = self.inner.preferred.load(Ordering::Relaxed);
        let mut order: Vec<usize> = (0..count).map(|step| first.wrapping_add(step) % count).collect();
        order.sort_by_key(|index| self.inner.nodes.get(*index).map(|node| node.rank(requests)));
        order
    }

    async fn ask(&self, requests: &[Request]) -> Result<Answers, RpcError> {
        let inner = &self.inner;
        let mut last = RpcError {
            endpoint: inner.chain.clone(),
            detail: "no RPC URL is configured".to_owned(),
        };
        // What a node said that could not do all of it: better than nothing if no other can.
        let mut partly = None;
        let mut pause = FIRST_PAUSE;
        for round in 0..inner.rounds {
            if round > 0 {
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2);
            }
            let mut may_recover = false;
            for index in self.order(requests) {
                let Some(node) = inner.nodes.get(index) else {
                    continue;
                };
                let answers = match node.call(requests).await {
                    Ok(answers) => answers,
                    Err(failure) => {
                        may_recover = true;
                        last = node.error(failure.detail);
                        if let Some(said) = failure.said {
                            note_lacks(node, requests, &said);
                            partly.get_or_insert(said);
                        }
                        continue;
                    }
                };
                let is_lacking = note_lacks(node, requests, &answers);
                match worst(&answers) {
                    (Fitness::Answer, _) if is_lacking => {
                        partly.get_or_insert(answers);
                    }
                    (Fitness::Answer, _) => {
                        // A node that is only asked because a better one lacks this method is not preferred for all.
                        if !self.is_known_lack(requests) {
                            inner.preferred.store(index, Ordering::Relaxed);
                        }
                        return Ok(answers);
                    }
                    // A call is asked of each node once; what asks on may split it.
                    (Fitness::Heavy, _) if requests.iter().all(|(method, _)| *method == "eth_call") => {
                        partly.get_or_insert(answers);
                    }
                    (Fitness::Overload | Fitness::Heavy, error) => {
                        may_recover = true;
                        last = node.error(error.map(CallError::to_string).unwrap_or_default());
                    }
                    (Fitness::Trouble, _) => {
                        may_recover = true;
                        partly.get_or_insert(answers);
                    }
                    (Fitness::Lacks, _) => {
                        partly.get_or_insert(answers);
                    }
                }
            }
            if !may_recover {
                break;
            }
        }
        partly.ok_or(last)
    }

    /// Whether every node is known to lack this ability.
    pub(super) fn all_lack(&self, ability: &str) -> bool {
        self.inner.nodes.iter().all(|node| node.lacks(ability))
    }

    fn is_known_lack(&self, requests: &[Request]) -> bool {
        let preferred = self.inner.preferred.load(Ordering::Relaxed);
        let preferred = self.inner.nodes.get(preferred);
        preferred.is_some_and(|node| node.rank(requests).0)
    }

    /// Every node, to be asked for itself.
    pub(super) fn voices(&self) -> impl Iterator<Item = Voice> + '_ {
        (0..self.inner.nodes.len()).map(|index| Voice {
            inner: self.inner.clone(),
            index,
        })
    }

    /// Asks every node for itself, all at once. Once enough of them have answered, the others have a moment more; who
    /// keeps failing is not waited for.
    pub(super) async fn each<T, F, Fut>(&self, ask: F) -> Vec<(Voice, Result<T, RpcError>)>
    where
        F: Fn(Voice) -> Fut,
        Fut: Future<Output = Result<T, RpcError>>,
    {
        let mut waiting: FuturesUnordered<_> = self
            .voices()
            .map(|voice| {
                let asked = ask(voice.clone());
                async move { (voice, asked.await) }
            })
            .collect();
        let mut answers: Vec<(Voice, Result<T, RpcError>)> = Vec::new();
        let mut until = None;
        loop {
            let next = match until {
                None => waiting.next().await,
                Some(until) => timeout_at(until, waiting.next()).await.ok().flatten(),
            };
            let Some(answer) = next else { break };
            answers.push(answer);
            let answered = answers.iter().filter(|(_, answer)| answer.is_ok());
            let hosts: BTreeSet<&str> = answered.map(|(voice, _)| voice.host()).collect();
            if hosts.len() < self.inner.quorum {
                continue;
            }
            // Another URL of a host that has answered adds no voice.
            let asked: BTreeSet<usize> = answers.iter().map(|(voice, _)| voice.index()).collect();
            let silent = self
                .inner
                .nodes
                .iter()
                .enumerate()
                .filter(|(index, _)| !asked.contains(index));
            if silent.into_iter().all(|(_, node)| hosts.contains(node.voice())) {
                break;
            }
            until.get_or_insert_with(|| Instant::now() + GRACE);
        }
        answers
    }

    /// Exports what is counted of the nodes, before the first request. Nodes are made before a process counts.
    pub fn export(&self) {
        let quorum = f64::from(u32::try_from(self.quorum()).unwrap_or(u32::MAX));
        gauge!(metric::NODE_QUORUM, "chain" => self.inner.chain.clone()).set(quorum);
        counter!(metric::RPC_DISAGREEMENTS, "chain" => self.inner.chain.clone()).increment(0);
        for node in &self.inner.nodes {
            node.export();
        }
    }

    /// How many nodes of different hosts must agree.
    pub(super) fn quorum(&self) -> usize {
        self.inner.quorum
    }

    /// Each node: its name without credentials, the chain id it gives and how far it is.
    pub async fn states(&self) -> Vec<NodeState> {
        let asked = self.inner.nodes.iter().map(|node| async {
            NodeState {
                name: node.name().to_owned(),
                chain_id: node.chain_id().await,
                head: node.head(),
                lag: 0,
            }
        });
        let mut states = join_all(asked).await;
        let best = states
            .iter()
            .filter_map(|state| state.head)
            .max()
            .unwrap_or_default();
        for state in &mut states {
            state.lag = state.head.map_or(0, |head| best.saturating_sub(head));
        }
        states
    }
}

/// Remembers what the node turns out to lack; whether it is anything.
fn note_lacks(node: &Node, requests: &[Request], answers: &Answers) -> bool {
    let lacking = lacking(requests, answers);
    for ability in &lacking {
        node.note_lacks(ability);
    }
    !lacking.is_empty()
}
