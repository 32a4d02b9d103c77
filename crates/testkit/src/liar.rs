//! A node that is honest except for what a test makes it lie about.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::post,
};
use reqwest::Url;
use serde_json::Value;

use crate::server::serve;

/// Changes one answer: the method, its parameters, and the honest response (`result` or `error` inside).
pub type Lie = dyn FnMut(&str, &Value, &mut Value) + Send;

/// Refuses a whole HTTP request by the number of requests in it, before the node sees any of them.
pub type Door = dyn FnMut(usize) -> Option<Refused> + Send;

/// How a request was refused.
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// Seconds in `Retry-After`.
    pub retry_after: Option<u32>,
    /// The body.
    pub body: Value,
}

/// Serves until it is dropped.
pub struct Liar {
    url: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    node: Url,
    client: reqwest::Client,
    lie: Mutex<Option<Box<Lie>>>,
    door: Mutex<Option<Box<Door>>>,
    /// Every method asked, in order.
    asked: Mutex<Vec<String>>,
    /// Methods that are answered by the lie alone and never reach the honest node.
    swallowed: Mutex<Vec<String>>,
}

impl Liar {
    /// In front of the honest `node`; it lies about nothing yet.
    pub fn start(node: Url) -> Self {
        let shared = Arc::new(Shared {
            node,
            client: reqwest::Client::new(),
            lie: Mutex::default(),
            door: Mutex::default(),
            asked: Mutex::default(),
            swallowed: Mutex::default(),
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

    /// From now on `lie` sees and may change every answer.
    pub fn lie(&self, lie: impl FnMut(&str, &Value, &mut Value) + Send + 'static) {
        *self.shared.lie.lock().expect("the lie") = Some(Box::new(lie));
    }

    /// From now on `door` sees every HTTP request first, and may refuse it.
    pub fn guard(&self, door: impl FnMut(usize) -> Option<Refused> + Send + 'static) {
        *self.shared.door.lock().expect("the door") = Some(Box::new(door));
    }

    /// From now on it is honest, and refuses nothing.
    pub fn repent(&self) {
        *self.shared.door.lock().expect("the door") = None;
        *self.shared.lie.lock().expect("the lie") = None;
        self.shared.swallowed.lock().expect("the list").clear();
    }

    /// From now on `method` never reaches the honest node: the lie begins with `result: null`.
    pub fn swallow(&self, method: &str) {
        self.shared
            .swallowed
            .lock()
            .expect("the list")
            .push(method.to_owned());
    }

    /// How often `method` was asked.
    pub fn asked(&self, method: &str) -> usize {
        let asked = self.shared.asked.lock().expect("the list");
        asked.iter().filter(|seen| *seen == method).count()
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn exchange(State(shared): State<Arc<Shared>>, Json(asked): Json<Value>) -> Response {
    let count = asked.as_array().map_or(1, Vec::len);
    let refused = match shared.door.lock().expect("the door").as_mut() {
        Some(door) => door(count),
        None => None,
    };
    if let Some(Refused {
        status,
        retry_after,
        body,
    }) = refused
    {
        let mut headers = HeaderMap::new();
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        let status = StatusCode::from_u16(status).expect("a status");
        return (status, headers, Json(body)).into_response();
    }
    let answer = match asked {
        Value::Array(requests) => {
            let mut answers = Vec::with_capacity(requests.len());
            for request in &requests {
                answers.push(shared.answer(request).await);
            }
            Value::Array(answers)
        }
        request => shared.answer(&request).await,
    };
    Json(answer).into_response()
}

impl Shared {
    async fn answer(&self, request: &Value) -> Value {
        let method = request["method"].as_str().unwrap_or_default().to_owned();
        self.asked.lock().expect("the list").push(method.clone());
        let swallowed = self.swallowed.lock().expect("the list").contains(&method);
        let mut answer = if swallowed {
            serde_json::json!({ "jsonrpc": "2.0", "id": request["id"], "result": null })
        } else {
            let sent = self.client.post(self.node.clone()).json(request).send().await;
            match sent {
                Ok(response) => response.json().await.unwrap_or(Value::Null),
                Err(_) => Value::Null,
            }
        };
        if let Some(lie) = self.lie.lock().expect("the lie").as_mut() {
            lie(&method, &request["params"], &mut answer);
        }
        answer
    }
}
