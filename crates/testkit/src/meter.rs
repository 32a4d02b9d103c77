//! A node's front door that counts: how many HTTP requests came through it, and what they asked for.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use reqwest::Url;
use serde_json::Value;

use crate::server::serve;

/// Serves until it is dropped.
pub struct Meter {
    url: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    node: Url,
    client: reqwest::Client,
    /// The methods of each HTTP request, in order, and when it came.
    seen: Mutex<Vec<(Instant, Vec<String>)>>,
}

/// What came through in some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The methods of each HTTP request, and when it came, counted from the first.
    pub requests: Vec<(Duration, Vec<String>)>,
}

impl Count {
    /// HTTP requests; a batch is one.
    pub fn http(&self) -> usize {
        self.requests.len()
    }

    /// JSON-RPC calls by method; a batch is as many as it holds.
    pub fn calls(&self) -> BTreeMap<&str, usize> {
        let mut calls = BTreeMap::new();
        for method in self.requests.iter().flat_map(|(_, methods)| methods) {
            *calls.entry(method.as_str()).or_default() += 1;
        }
        calls
    }
}

/// Compute units of a call, as Alchemy's page "Compute Unit Costs" gives them, read in November 2026; the unknown ones
/// count as the most expensive.
fn compute_units(method: &str) -> usize {
    match method {
        "eth_chainId" => 0,
        "eth_blockNumber" | "eth_maxPriorityFeePerGas" | "eth_feeHistory" => 10,
        "eth_getTransactionReceipt"
        | "eth_getTransactionByHash"
        | "eth_getTransactionCount"
        | "eth_getBlockByNumber"
        | "eth_getBalance"
        | "eth_getCode"
        | "eth_gasPrice"
        | "eth_estimateGas" => 20,
        "eth_call" => 26,
        "eth_simulateV1" | "eth_sendRawTransaction" => 40,
        _ => 60,
    }
}

impl Count {
    /// What a provider charges for it.
    pub fn compute_units(&self) -> usize {
        let calls = self.calls();
        calls
            .into_iter()
            .map(|(method, count)| compute_units(method) * count)
            .sum()
    }

    /// From the first request with this method to the last one with it.
    #[must_use]
    pub fn between(&self, method: &str) -> Self {
        let has = |(_, methods): &&(Duration, Vec<String>)| methods.iter().any(|asked| asked == method);
        let first = self.requests.iter().find(has).map(|(at, _)| *at);
        let last = self.requests.iter().rev().find(has).map(|(at, _)| *at);
        let within = |at: Duration| first <= Some(at) && Some(at) <= last;
        let requests = self.requests.iter().filter(|(at, _)| within(*at));
        Self {
            requests: requests.cloned().collect(),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = self.calls();
        writeln!(
            f,
            "{} requests, {} calls, {} compute units: {calls:?}",
            self.http(),
            calls.values().sum::<usize>(),
            self.compute_units()
        )?;
        for (at, methods) in &self.requests {
            writeln!(f, "{:7.3} s {}", at.as_secs_f64(), methods.join(" "))?;
        }
        Ok(())
    }
}

impl Meter {
    /// In front of `node`; it changes nothing.
    pub fn start(node: Url) -> Self {
        let shared = Arc::new(Shared {
            node,
            client: reqwest::Client::new(),
            seen: Mutex::default(),
        });
        let router = Router::new()
            .route("/", post(exchange))
            .with_state(shared.clone());
        let (url, task) = serve(router);
        Self { url, shared, task }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// What came through since the last call, or since the beginning.
    pub fn take(&self) -> Count {
        let seen = std::mem::take(&mut *self.shared.seen.lock().expect("the list"));
        let first = seen.first().map(|(at, _)| *at);
        let since = |at: Instant| first.map_or(Duration::ZERO, |first| at.duration_since(first));
        Count {
            requests: seen
                .into_iter()
                .map(|(at, methods)| (since(at), methods))
                .collect(),
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn exchange(State(shared): State<Arc<Shared>>, body: Bytes) -> Vec<u8> {
    let asked: Value = serde_json::from_slice(&body).expect("JSON");
    let method = |request: &Value| request["method"].as_str().unwrap_or_default().to_owned();
    let methods = match &asked {
        Value::Array(requests) => requests.iter().map(method).collect(),
        request => vec![method(request)],
    };
    shared
        .seen
        .lock()
        .expect("the list")
        .push((Instant::now(), methods));
    let sent = shared
        .client
        .post(shared.node.clone())
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await;
    match sent {
        Ok(answer) => answer
            .bytes()
            .await
            .map(|bytes| bytes.to_vec())
            .unwrap_or_default(),
        Err(_) => vec![],
    }
}
