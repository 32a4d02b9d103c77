//! A door in front of anvil behind which everything goes wrong that goes wrong with nodes.

use std::{sync::Arc, time::Duration};

use alloy_primitives::{Address, B256, U64};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use futures::stream;
use reqwest::Url;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::chaos::{
    mempool::Mempool,
    weather::{Fault, Topic, Weather},
};

/// The real node.
pub struct Upstream {
    url: Url,
    client: reqwest::Client,
}

impl Upstream {
    /// One request as it is.
    pub async fn forward(&self, request: &Value) -> Value {
        let sent = self.client.post(self.url.clone()).json(request).send().await;
        match sent {
            Ok(answer) => answer.json().await.unwrap_or(Value::Null),
            Err(_) => Value::Null,
        }
    }

    pub async fn ask(&self, method: &str, params: Value) -> Value {
        self.forward(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }))
            .await
    }

    /// In anvil's own pool.
    pub async fn is_pooled(&self, hash: B256) -> bool {
        let found = self.ask("eth_getTransactionByHash", json!([hash])).await;
        found["result"].is_object() && found["result"]["blockNumber"].is_null()
    }

    /// Transactions of `from` that are mined.
    pub async fn count(&self, from: Address) -> u64 {
        number(&self.ask("eth_getTransactionCount", json!([from, "latest"])).await["result"])
    }

    async fn height(&self) -> u64 {
        number(&self.ask("eth_blockNumber", json!([])).await["result"])
    }
}

fn number(value: &Value) -> u64 {
    serde_json::from_value::<U64>(value.clone())
        .unwrap_or_default()
        .to()
}

/// Serves until it is dropped.
pub struct Proxy {
    port: u16,
    door: Arc<Door>,
    task: tokio::task::JoinHandle<()>,
}

/// What all exchanges share.
pub struct Door {
    pub node: Upstream,
    pub weather: Weather,
    pub mempool: Mempool,
    /// How long clients wait.
    patience: Duration,
}

impl Proxy {
    /// In front of `node`, for clients that wait for `patience`.
    pub fn start(node: Url, seed: u64, patience: Duration) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let port = listener.local_addr().expect("an address").port();
        let door = Arc::new(Door {
            node: Upstream {
                url: node,
                client: reqwest::Client::new(),
            },
            weather: Weather::new(seed),
            mempool: Mempool::default(),
            patience,
        });
        let router = Router::new()
            .route("/{node}", post(exchange))
            .with_state(door.clone());
        let task = tokio::spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            axum::serve(listener, router).await.expect("a server");
        });
        Self { port, door, task }
    }

    /// The same node under another name; each name has a weather of its own.
    pub fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }

    pub const fn door(&self) -> &Arc<Door> {
        &self.door
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn exchange(State(door): State<Arc<Door>>, Path(name): Path<String>, body: Bytes) -> Response {
    let Ok(asked) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let (requests, batch) = match asked {
        Value::Array(requests) => (requests, true),
        request => (vec![request], false),
    };
    let (topic, subject) = about(&name, &requests);
    let fault = door.weather.next(topic, &subject);
    match fault {
        Some(Fault::LostRequest) => return broken(String::new()),
        Some(Fault::Silence) => {
            sleep(door.patience * 2).await;
            return broken(String::new());
        }
        Some(Fault::Late) => {
            tokio::spawn(answer_late(door.clone(), requests));
            sleep(door.patience * 2).await;
            return broken(String::new());
        }
        Some(Fault::TooMany) => return (StatusCode::TOO_MANY_REQUESTS, "slow down").into_response(),
        Some(Fault::Unavailable) => return (StatusCode::SERVICE_UNAVAILABLE, "no upstream").into_response(),
        Some(Fault::Slow) => sleep(door.patience / 3).await,
        Some(Fault::Twice) => drop(door.answer(&requests, None).await),
        _ => {}
    }
    let answers = door.answer(&requests, fault).await;
    let answer = match (batch, answers.first()) {
        (false, Some(answer)) => answer.clone(),
        _ => Value::Array(answers),
    };
    match fault {
        Some(Fault::SwallowedAnswer) => {
            sleep(door.patience * 2).await;
            broken(String::new())
        }
        Some(Fault::CutAnswer) => {
            let text = answer.to_string();
            broken(text.chars().take(text.len() / 2).collect())
        }
        Some(Fault::BadGateway) => (StatusCode::BAD_GATEWAY, "the upstream went away").into_response(),
        Some(Fault::Garbage) => "<html>It works!</html>".into_response(),
        _ => Json(answer).into_response(),
    }
}

async fn answer_late(door: Arc<Door>, requests: Vec<Value>) {
    sleep(door.patience * 3).await;
    drop(door.answer(&requests, None).await);
}

/// A connection that breaks after so much of its answer.
fn broken(begun: String) -> Response {
    let parts = [Ok(begun), Err(std::io::Error::other("the connection breaks"))];
    Body::from_stream(stream::iter(parts)).into_response()
}

/// Requests that ask the same have the same name, in every run.
fn about(name: &str, requests: &[Value]) -> (Topic, String) {
    let method = |request: &Value| request["method"].as_str().unwrap_or_default().to_owned();
    let methods: Vec<String> = requests.iter().map(method).collect();
    if methods.iter().any(|method| method == "eth_sendRawTransaction") {
        let nonce = requests
            .first()
            .and_then(|request| Mempool::nonce(&request["params"][0]));
        return (Topic::Send, format!("send/{nonce:?}"));
    }
    let topic = if methods.iter().any(|method| method == "eth_getTransactionReceipt") {
        Topic::Lookup
    } else {
        Topic::Read
    };
    (topic, format!("{name}/{}", methods.join(",")))
}

impl Door {
    async fn answer(&self, requests: &[Value], fault: Option<Fault>) -> Vec<Value> {
        if let [request] = requests
            && request["method"] == "eth_sendRawTransaction"
        {
            return vec![self.mempool.send(&self.node, request, fault).await];
        }
        let height = match fault {
            Some(Fault::Behind) => Some(self.node.height().await.saturating_sub(2)),
            _ => None,
        };
        let asked: Vec<Value> = requests.iter().map(|request| as_of(request, height)).collect();
        let said = self.node.forward(&Value::Array(asked)).await;
        let find = |request: &Value| {
            let answers = said.as_array().into_iter().flatten();
            let mut found = answers.filter(|answer| answer["id"] == request["id"]);
            found.next().cloned().unwrap_or(Value::Null)
        };
        let answers = requests.iter().map(|request| {
            let mut answer = find(request);
            if answer.get("result").is_some() {
                answer["result"] = self.twist(request, answer["result"].take(), fault, height);
            }
            answer
        });
        answers.collect()
    }

    /// The node's result as this weather shows it.
    fn twist(&self, request: &Value, result: Value, fault: Option<Fault>, height: Option<u64>) -> Value {
        let asked = &request["params"][0];
        let too_new = |result: &Value| height.is_some_and(|height| number(&result["blockNumber"]) > height);
        match (request["method"].as_str().unwrap_or_default(), fault) {
            (_, Some(Fault::Nonsense)) => json!({ "unexpected": true }),
            ("eth_blockNumber", Some(Fault::Behind)) => json!(U64::from(height.unwrap_or_default())),
            ("eth_getTransactionReceipt", Some(Fault::NoReceipt | Fault::Forgetful)) => Value::Null,
            ("eth_getTransactionByHash", Some(Fault::Forgetful)) => Value::Null,
            ("eth_getTransactionReceipt" | "eth_getTransactionByHash", _) if too_new(&result) => Value::Null,
            ("eth_getTransactionByHash", _) if result.is_null() => {
                self.mempool.look_up(asked).unwrap_or(Value::Null)
            }
            _ => result,
        }
    }
}

/// The request as a node answers it whose newest block is at `height`.
fn as_of(request: &Value, height: Option<u64>) -> Value {
    let mut request = request.clone();
    let Some(height) = height else { return request };
    let place = match request["method"].as_str().unwrap_or_default() {
        "eth_getTransactionCount" | "eth_getBalance" | "eth_call" => 1,
        "eth_getBlockByNumber" => 0,
        _ => return request,
    };
    let tag = &mut request["params"][place];
    if matches!(tag.as_str(), Some("latest" | "pending")) {
        *tag = json!(U64::from(height));
    }
    request
}
