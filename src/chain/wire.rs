//! One HTTP exchange with one node: JSON-RPC requests, a size limit on the body, and the node's text as [`Foreign`]
//! from the start.

use std::{collections::HashMap, time::Duration};

use alloy_primitives::Bytes;
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};
use serde_json::{Value, json};

use super::{
    endpoint::Endpoint,
    error::CallError,
    unfit::{Fitness, fitness, is_batch_limit, wait_named},
};
use crate::domain::{
    backoff::retry_after,
    foreign::{Foreign, causes},
};

/// Maximum size of an ordinary answer, bytes.
const ONE_BYTES_MAX: usize = 1 << 20;
/// Maximum size of the answer to a batch, a simulation or a full block, bytes.
const MANY_BYTES_MAX: usize = 16 << 20;
/// Bytes read and shown of a body that is not a valid answer.
const REFUSAL_BYTES_MAX: usize = 4_096;
const SHOWN_CHARS: usize = 200;

/// A request: method and parameters.
pub(super) type Request = (&'static str, Value);
/// Result of each request of an exchange.
pub(super) type Answers = Vec<Result<Value, CallError>>;

/// A failed exchange.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// Message without secrets.
    pub(super) detail: String,
    /// The connection broke or could not be made: the next answer may come from another node.
    pub(super) disconnected: bool,
    /// The batch was refused: a smaller one may work.
    pub(super) batch_refused: bool,
    /// Refused for load or quota.
    pub(super) overload: bool,
    /// How long the node asks to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// The JSON-RPC error in the body of an HTTP error: better than nothing if no other node answers.
    pub(super) said: Option<Answers>,
}

impl Failure {
    pub(super) const fn of(detail: String) -> Self {
        Self {
            detail,
            disconnected: false,
            batch_refused: false,
            overload: false,
            retry_after: None,
            said: None,
        }
    }
}

/// A node's URL and HTTP client.
pub(super) struct Wire {
    client: Client,
    url: Url,
    endpoint: Endpoint,
}

impl Wire {
    pub(super) fn new(client: Client, url: Url) -> Self {
        Self {
            endpoint: Endpoint::of(&url),
            client,
            url,
        }
    }

    pub(super) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends `requests` in one round trip and returns their answers in order.
    pub(super) async fn exchange(&self, requests: &[Request]) -> Result<Answers, Failure> {
        let mut calls: Vec<Value> = requests
            .iter()
            .zip(1_u64..)
            .map(|((method, params), id)| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .collect();
        let body = match calls.pop() {
            Some(only) if calls.is_empty() => only,
            Some(last) => {
                calls.push(last);
                Value::Array(calls)
            }
            None => return Ok(vec![]),
        };
        let sent = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string())
            .send();
        let response = sent.await.map_err(|error| self.broken(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refusal(response, status, requests.len()).await);
        }
        let most = bytes_max(requests);
        let Some(body) = self.read(response, most).await? else {
            return self.too_long(requests, most);
        };
        let Ok(answer) = serde_json::from_slice::<Value>(&body) else {
            let said = self.excerpt(&body);
            return Err(Failure::of(format!("the answer is not JSON: {said}")));
        };
        drop(body);
        self.sort(answer, requests.len())
    }

    fn broken(&self, error: &reqwest::Error) -> Failure {
        Failure {
            disconnected: true,
            ..Failure::of(self.words(&causes(error)))
        }
    }

    async fn refusal(&self, mut response: Response, status: StatusCode, requests: usize) -> Failure {
        let asked = response.headers().get(RETRY_AFTER);
        let asked = asked.and_then(|asked| retry_after(asked.to_str().ok()?, chrono::Utc::now()));
        let mut body = Vec::new();
        while body.len() < REFUSAL_BYTES_MAX {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(chunk.get(..REFUSAL_BYTES_MAX).unwrap_or(&chunk)),
                Ok(None) | Err(_) => break,
            }
        }
        let about_load_or_rights = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::PAYMENT_REQUIRED
                | StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        let excerpt = self.excerpt(&body);
        let about_batch = is_batch_limit(&excerpt);
        let too_much = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::PAYMENT_REQUIRED
        );
        let error = serde_json::from_slice::<Value>(&body).ok();
        let error = error.as_ref().and_then(|body| body.get("error"));
        let said = error.filter(|error| requests == 1 && !too_much && error.is_object());
        Failure {
            batch_refused: requests > 1 && (about_batch || !about_load_or_rights),
            overload: !(requests > 1 && about_batch) && (too_much || asked.is_some()),
            retry_after: asked,
            said: said.map(|error| vec![Err(self.error(error))]),
            ..Failure::of(format!("HTTP {}: {excerpt}", status.as_u16()))
        }
    }

    /// What a contract returns may be as long as it likes: then the error is about the call.
    fn too_long(&self, requests: &[Request], most: usize) -> Result<Answers, Failure> {
        let message = format!("the answer is longer than {most} bytes");
        match requests {
            [("eth_call", _)] => Ok(vec![Err(CallError::Node {
                endpoint: self.endpoint.name().to_owned(),
                code: 0,
                message,
                data: None,
            })]),
            _ => Err(Failure::of(message)),
        }
    }

    /// The whole body; `None` if it is longer than `most` bytes.
    async fn read(&self, mut response: Response, most: usize) -> Result<Option<Vec<u8>>, Failure> {
        let told = response.headers().get(CONTENT_LENGTH);
        let told = told.and_then(|told| told.to_str().ok()?.parse::<usize>().ok());
        if told.is_some_and(|told| told > most) {
            return Ok(None);
        }
        let mut body = Vec::with_capacity(told.unwrap_or_default());
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(&error))? {
            if body.len().saturating_add(chunk.len()) > most {
                return Ok(None);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(body))
    }

    /// Sorts answers into the order of the requests.
    fn sort(&self, answer: Value, requests: usize) -> Result<Answers, Failure> {
        let mut by_id: HashMap<u64, Value> = HashMap::new();
        match answer {
            Value::Array(answers) if requests > 1 => {
                for answer in answers {
                    if let Some(id) = answer.get("id").and_then(Value::as_u64) {
                        by_id.insert(id, answer);
                    }
                }
                if by_id.is_empty() {
                    return Err(Failure {
                        batch_refused: true,
                        ..Failure::of("the batch got an empty answer".to_owned())
                    });
                }
            }
            answer @ Value::Object(_) if requests == 1 => {
                let id = answer.get("id").and_then(Value::as_u64);
                let is_error = answer.get("error").is_some_and(|error| !error.is_null());
                // An error has no id if the node could not parse the request.
                if id == Some(1) || is_error {
                    by_id.insert(1, answer);
                }
            }
            Value::Object(answer) => {
                let error = answer.get("error").map(|error| self.error(error));
                let overload = error.as_ref().and_then(overload_of);
                let said = error.map(|error| error.into_rpc().detail);
                return Err(Failure {
                    batch_refused: overload.is_none(),
                    overload: overload.is_some(),
                    retry_after: overload.flatten(),
                    ..Failure::of(format!(
                        "the batch was refused: {}",
                        said.unwrap_or_else(|| "no reason given".to_owned())
                    ))
                });
            }
            _ => return Err(Failure::of("the answer is JSON, but not JSON-RPC".to_owned())),
        }
        // Some nodes refuse each request of a large batch, or only the first.
        let refusal = by_id
            .values()
            .find_map(|answer| answer.get("error")?.get("message")?.as_str())
            .filter(|said| requests > 1 && is_batch_limit(said));
        if let Some(said) = refusal {
            return Err(Failure {
                batch_refused: true,
                ..Failure::of(format!("the batch was refused: {}", self.words(said)))
            });
        }
        (1..)
            .take(requests)
            .map(|id| {
                // A node that leaves requests of a batch out may answer fewer of them.
                let mut answer = by_id.remove(&id).ok_or_else(|| Failure {
                    batch_refused: requests > 1,
                    ..Failure::of(format!("request {id} of {requests} got no answer"))
                })?;
                match answer.get("error") {
                    Some(error) if !error.is_null() => Ok(Err(self.error(error))),
                    _ => Ok(Ok(answer.get_mut("result").map(Value::take).unwrap_or_default())),
                }
            })
            .collect()
    }

    fn error(&self, error: &Value) -> CallError {
        let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
        let pause = error
            .pointer("/data/rate/backoff_seconds")
            .filter(|pause| pause.is_number());
        let message = match pause {
            Some(seconds) => format!("{message}; retry after {seconds} s"),
            None => message.to_owned(),
        };
        CallError::Node {
            endpoint: self.endpoint.name().to_owned(),
            code: error.get("code").and_then(Value::as_i64).unwrap_or_default(),
            message: self.words(&message),
            data: error.get("data").and_then(|data| revert_data(data, 3)),
        }
    }

    /// Text from a node, truncated first, then stripped of URLs and our keys.
    fn words(&self, said: &str) -> String {
        let start: String = said.chars().take(REFUSAL_BYTES_MAX).collect();
        Foreign::new(&self.endpoint.hide(&start)).into_string()
    }

    fn excerpt(&self, body: &[u8]) -> String {
        let start = body.get(..REFUSAL_BYTES_MAX).unwrap_or(body);
        let words = self.words(&String::from_utf8_lossy(start));
        if words.is_empty() {
            return "an empty body".to_owned();
        }
        words.chars().take(SHOWN_CHARS).collect()
    }
}

/// Whether a whole batch was refused for load, and how long the node asks to be left alone.
fn overload_of(error: &CallError) -> Option<Option<Duration>> {
    match error {
        CallError::Node { code, message, .. }
            if !is_batch_limit(message) && fitness(*code, message, false) == Fitness::Overload =>
        {
            Some(wait_named(message))
        }
        _ => None,
    }
}

fn bytes_max(requests: &[Request]) -> usize {
    match requests {
        [("eth_simulateV1" | "eth_getBlockReceipts" | "eth_getBlockByNumber", _)] => MANY_BYTES_MAX,
        [_] => ONE_BYTES_MAX,
        _ => MANY_BYTES_MAX,
    }
}

/// Revert data; nodes nest it at different depths.
fn revert_data(data: &Value, depth: u8) -> Option<Bytes> {
    match data {
        Value::String(text) => text.strip_prefix("Reverted ").unwrap_or(text).parse().ok(),
        Value::Object(inner) => {
            let less = depth.checked_sub(1)?;
            inner.values().find_map(|value| revert_data(value, less))
        }
        _ => None,
    }
}
