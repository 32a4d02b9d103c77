//! Several nodes behind one door: failover, retries, timeouts and a pace, and nothing believed of a node that
//! serves another chain.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use alloy::{
    rpc::client::{ClientBuilder, RpcClient},
    transports::{RpcError as TransportError, TransportErrorKind},
};
use alloy_primitives::{Address, Bytes, U64};
use futures::future::join_all;
use metrics::{counter, histogram};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, OnceCell},
    time::sleep_until,
};

use super::{endpoint::Endpoint, settings::ChainSpec};
use crate::{
    ports::RpcError,
    telemetry::{metric, note_rpc},
};

/// First pause before all nodes are asked again; doubles with each round.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A request without a usable result.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// A node answered that it will not, or that the call reverts.
    #[error("{endpoint}: {message}")]
    Node {
        /// Who answered, without credentials.
        endpoint: String,
        /// JSON-RPC error code; 3 is a revert.
        code: i64,
        /// Its words.
        message: String,
        /// Revert data, if any.
        data: Option<Bytes>,
    },
    /// Nobody gave a usable answer.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

impl CallError {
    /// As an error of the port, where what the node said makes no difference.
    #[must_use]
    pub fn into_rpc(self) -> RpcError {
        match self {
            Self::Node {
                endpoint, message, ..
            } => RpcError {
                endpoint,
                detail: message,
            },
            Self::Rpc(error) => error,
        }
    }
}

/// The nodes of one chain. Cheap to clone.
#[derive(Clone)]
pub struct Rpc {
    inner: Arc<Inner>,
}

struct Inner {
    chain: String,
    chain_id: u64,
    nodes: Vec<Node>,
    /// The node that answered last: asked first.
    preferred: AtomicUsize,
    rounds: u32,
}

struct Node {
    endpoint: Endpoint,
    client: RpcClient,
    verified: OnceCell<()>,
    /// When the next request may start, and the least time between two.
    next_free: Mutex<Instant>,
    spacing: Duration,
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
        match &spec.private_rpc_url {
            Some(url) => Self::over(spec, std::slice::from_ref(url)).map(Some),
            None => Ok(None),
        }
    }

    fn over(spec: &ChainSpec, urls: &[reqwest::Url]) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .timeout(spec.rpc_timeout.std())
            // A redirect would hand our bytes and, in its Referer, the URL with its key to somebody else.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .build()?;
        let spacing = Duration::from_secs(1)
            .checked_div(spec.rpc_requests_per_second)
            .unwrap_or_default();
        let nodes = urls.iter().map(|url| Node {
            endpoint: Endpoint::of(url),
            client: ClientBuilder::default().http_with_client(client.clone(), url.clone()),
            verified: OnceCell::new(),
            next_free: Mutex::new(Instant::now()),
            spacing,
        });
        let nodes = nodes.collect();
        Ok(Self {
            inner: Arc::new(Inner {
                chain: spec.name.clone(),
                chain_id: spec.chain_id,
                nodes,
                preferred: AtomicUsize::new(0),
                rounds: spec.rpc_rounds,
            }),
        })
    }

    /// One request: the first usable answer of any node.
    ///
    /// # Errors
    /// [`CallError::Node`] if a node refuses it for what it is; [`CallError::Rpc`] if nobody answers.
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
                detail: format!("{method}: an answer that makes no sense: {error}"),
            })
        })
    }

    /// Several requests in one round trip, answered by one node in the order asked.
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

    async fn ask(
        &self,
        requests: &[(&'static str, Value)],
    ) -> Result<Vec<Result<Value, CallError>>, RpcError> {
        let inner = &self.inner;
        let mut last = RpcError {
            endpoint: inner.chain.clone(),
            detail: "no RPC URL is configured".to_owned(),
        };
        let mut pause = FIRST_PAUSE;
        for round in 0..inner.rounds {
            if round > 0 {
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2);
            }
            let first = inner.preferred.load(Ordering::Relaxed);
            for step in 0..inner.nodes.len() {
                let index = first.wrapping_add(step) % inner.nodes.len();
                let Some(node) = inner.nodes.get(index) else {
                    continue;
                };
                match node.ask(inner, requests).await {
                    Ok(answers) => {
                        inner.preferred.store(index, Ordering::Relaxed);
                        return Ok(answers);
                    }
                    Err(detail) => {
                        last = RpcError {
                            endpoint: node.endpoint.name().to_owned(),
                            detail,
                        };
                    }
                }
            }
        }
        Err(last)
    }

    /// The nodes, by names without credentials, each with the chain id it gives.
    pub async fn chain_ids(&self) -> Vec<(String, Result<u64, String>)> {
        let asked = self.inner.nodes.iter().map(|node| async {
            let id = node.chain_id(&self.inner).await;
            (node.endpoint.name().to_owned(), id)
        });
        join_all(asked).await
    }
}

impl Node {
    async fn ask(
        &self,
        inner: &Inner,
        requests: &[(&'static str, Value)],
    ) -> Result<Vec<Result<Value, CallError>>, String> {
        self.verify(inner).await?;
        let mut answers = self.send(inner, requests).await?;
        for answer in &answers {
            if let Err(CallError::Node { code, message, .. }) = answer
                && is_overload(*code, message)
            {
                return Err(message.clone());
            }
        }
        answers.truncate(requests.len());
        Ok(answers)
    }

    /// A node of another chain is never asked anything else.
    async fn verify(&self, inner: &Inner) -> Result<(), String> {
        let check = || async {
            let id = self.chain_id(inner).await?;
            if id == inner.chain_id {
                return Ok(());
            }
            Err(format!(
                "this node serves chain id {id}, and {} has {}; mend chains.{}.rpc_urls",
                inner.chain, inner.chain_id, inner.chain
            ))
        };
        self.verified.get_or_try_init(check).await.copied()
    }

    async fn chain_id(&self, inner: &Inner) -> Result<u64, String> {
        let answer = self.send(inner, &[("eth_chainId", json!([]))]).await?.pop();
        let value = answer
            .unwrap_or(Ok(Value::Null))
            .map_err(|error| error.to_string())?;
        let id: U64 = serde_json::from_value(value).map_err(|error| format!("eth_chainId: {error}"))?;
        Ok(id.to())
    }

    async fn send(
        &self,
        inner: &Inner,
        requests: &[(&'static str, Value)],
    ) -> Result<Vec<Result<Value, CallError>>, String> {
        self.pace().await;
        let begun = Instant::now();
        let result = self.exchange(requests).await;
        let outcome = if result.is_ok() { "answered" } else { "failed" };
        note_rpc(&inner.chain, result.is_ok());
        counter!(metric::RPC_REQUESTS, "chain" => inner.chain.clone(), "outcome" => outcome).increment(1);
        histogram!(metric::RPC_DURATION, "chain" => inner.chain.clone()).record(begun.elapsed());
        result
    }

    async fn exchange(
        &self,
        requests: &[(&'static str, Value)],
    ) -> Result<Vec<Result<Value, CallError>>, String> {
        if let [(method, params)] = requests {
            let answer = self.client.request::<_, Value>(*method, params).await;
            return Ok(vec![self.read(answer)?]);
        }
        let mut batch = self.client.new_batch();
        let mut waiting = Vec::with_capacity(requests.len());
        for (method, params) in requests {
            let waiter = batch.add_call::<_, Value>(*method, params);
            waiting.push(waiter.map_err(|error| error.to_string())?);
        }
        batch
            .send()
            .await
            .map_err(|error| self.endpoint.hide(&error.to_string()))?;
        let mut answers = Vec::with_capacity(waiting.len());
        for waiter in waiting {
            answers.push(self.read(waiter.await)?);
        }
        Ok(answers)
    }

    /// An error that the node itself put into an answer is an answer; all else is none.
    fn read(
        &self,
        answer: Result<Value, TransportError<TransportErrorKind>>,
    ) -> Result<Result<Value, CallError>, String> {
        match answer {
            Ok(value) => Ok(Ok(value)),
            Err(TransportError::ErrorResp(payload)) => Ok(Err(CallError::Node {
                endpoint: self.endpoint.name().to_owned(),
                code: payload.code,
                message: self.endpoint.hide(&payload.message),
                data: payload.as_revert_data(),
            })),
            Err(TransportError::NullResp) => Ok(Ok(Value::Null)),
            Err(error) => Err(self.endpoint.hide(&error.to_string())),
        }
    }

    async fn pace(&self) {
        let start = {
            let mut next = self.next_free.lock().await;
            let start = (*next).max(Instant::now());
            *next = start + self.spacing;
            start
        };
        sleep_until(start.into()).await;
    }
}

/// Whether another node, or the same one later, may well answer.
fn is_overload(code: i64, message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    code == -32005
        || code == 429
        || [
            "rate limit",
            "too many requests",
            "capacity",
            "timeout",
            "timed out",
        ]
        .iter()
        .any(|words| message.contains(words))
}
