//! A local server in the shape of Telegram's Bot API: updates wait until they are confirmed by an offset, and what the
//! bot says is kept.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

pub const TOKEN: &str = "8675309:hunter2hunter2hunter2";

#[derive(Default)]
struct Inner {
    updates: Vec<Value>,
    said: Vec<(i64, String)>,
    /// How many polls are held open now, and the most there were.
    polls: (u32, u32),
    /// Answers to `sendMessage` that are an error first.
    broken: u32,
    /// Status and body of the next answers to `sendMessage`.
    refusals: VecDeque<(u16, Value)>,
    /// When each message was to be sent, refused or not.
    tries: Vec<Instant>,
}

#[derive(Clone)]
pub struct Telegram {
    inner: Arc<Mutex<Inner>>,
    pub url: String,
}

impl Telegram {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let inner = Arc::new(Mutex::new(Inner::default()));
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let app = Router::new()
            .route("/{bot}/{method}", axum::routing::post(call))
            .with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { inner, url }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("the server")
    }

    /// A message of a person in private, with whatever else `more` has.
    pub fn write_with(&self, person: i64, text: &str, more: Value) {
        let mut inner = self.locked();
        let id = 1_000 + inner.updates.len();
        let mut message = json!({
            "message_id": id, "date": chrono::Utc::now().timestamp(), "text": text,
            "from": { "id": person, "is_bot": false, "first_name": "P" },
            "chat": { "id": person, "type": "private", "first_name": "P" },
        });
        let members = message.as_object_mut().expect("an object");
        members.extend(more.as_object().cloned().unwrap_or_default());
        inner
            .updates
            .push(json!({ "update_id": id, "message": message, "open": true }));
    }

    pub fn write(&self, person: i64, text: &str) {
        self.write_with(person, text, json!({}));
    }

    /// The next answers are errors.
    pub fn breaks(&self, times: u32) {
        self.locked().broken = times;
    }

    /// The next message is refused like this.
    pub fn refuses(&self, status: u16, body: Value) {
        self.locked().refusals.push_back((status, body));
    }

    /// When the bot tried to send.
    pub fn tries(&self) -> Vec<Instant> {
        self.locked().tries.clone()
    }

    pub fn said(&self) -> Vec<(i64, String)> {
        self.locked().said.clone()
    }

    /// Most polls at once.
    pub fn polls_max(&self) -> u32 {
        self.locked().polls.1
    }

    /// Waits until all updates are confirmed and there are this many answers; returns them.
    pub async fn until(&self, answers: usize) -> Vec<(i64, String)> {
        for _ in 0..1_500 {
            let (open, said) = {
                let inner = self.locked();
                let open = inner
                    .updates
                    .iter()
                    .filter(|update| update["open"] == true)
                    .count();
                (open, inner.said.clone())
            };
            if open == 0 && said.len() >= answers {
                return said;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{answers} answers: {:#?}", self.said());
    }

    /// What the bot answers this person.
    pub async fn asked(&self, person: i64, text: &str) -> String {
        let before = self.said().len();
        self.write(person, text);
        let said = self.until(before + 1).await;
        let (chat, answer) = said.last().expect("an answer");
        assert_eq!(*chat, person, "{answer}");
        answer.clone()
    }
}

async fn call(
    State(inner): State<Arc<Mutex<Inner>>>,
    Path((bot, method)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Response {
    if bot != format!("bot{TOKEN}") {
        let said = json!({ "ok": false, "error_code": 401, "description": "Unauthorized" });
        return (StatusCode::UNAUTHORIZED, Json(said)).into_response();
    }
    match method.as_str() {
        "getUpdates" => updates(&inner, &body).await,
        "sendMessage" => said(&inner, &body),
        "getMe" => Json(json!({ "ok": true, "result": { "id": 1, "is_bot": true } })).into_response(),
        _ => (
            StatusCode::NOT_FOUND,
            Json(json!({ "ok": false, "description": "Not Found" })),
        )
            .into_response(),
    }
}

async fn updates(inner: &Mutex<Inner>, body: &Value) -> Response {
    assert_eq!(body["allowed_updates"], json!(["message"]), "{body}");
    if let Some(offset) = body["offset"].as_i64() {
        for update in &mut inner.lock().expect("the server").updates {
            if update["update_id"].as_i64().expect("a number") < offset {
                update["open"] = false.into();
            }
        }
    }
    // Held open for a second, not for as long as the bot asks.
    let _poll = Poll::new(inner);
    for _ in 0..50 {
        let open: Vec<Value> = {
            let inner = inner.lock().expect("the server");
            inner
                .updates
                .iter()
                .filter(|update| update["open"] == true)
                .cloned()
                .collect()
        };
        if !open.is_empty() {
            return Json(json!({ "ok": true, "result": open })).into_response();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Json(json!({ "ok": true, "result": [] })).into_response()
}

struct Poll<'a>(&'a Mutex<Inner>);

impl<'a> Poll<'a> {
    fn new(inner: &'a Mutex<Inner>) -> Self {
        let mut locked = inner.lock().expect("the server");
        locked.polls.0 += 1;
        locked.polls.1 = locked.polls.1.max(locked.polls.0);
        drop(locked);
        Self(inner)
    }
}

impl Drop for Poll<'_> {
    fn drop(&mut self) {
        self.0.lock().expect("the server").polls.0 -= 1;
    }
}

fn said(inner: &Mutex<Inner>, body: &Value) -> Response {
    let mut inner = inner.lock().expect("the server");
    assert!(body["parse_mode"].is_null(), "plain text only: {body}");
    inner.tries.push(Instant::now());
    if let Some((status, said)) = inner.refusals.pop_front() {
        let status = StatusCode::from_u16(status).expect("a status");
        return (status, Json(said)).into_response();
    }
    if inner.broken > 0 {
        inner.broken -= 1;
        let said = json!({ "ok": false, "description": "Bad Gateway: bot8675309:hunter2hunter2hunter2" });
        return (StatusCode::BAD_GATEWAY, Json(said)).into_response();
    }
    let text = body["text"].as_str().expect("a text").to_owned();
    assert!(text.chars().count() <= 4_096);
    inner.said.push((body["chat_id"].as_i64().expect("a chat"), text));
    Json(json!({ "ok": true, "result": { "message_id": 1 } })).into_response()
}
