//! A receiver: a real HTTP server that keeps what it is sent and answers as the test says.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::Value;

/// One request.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub raw: Vec<u8>,
    pub at: Instant,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.raw).expect("JSON")
    }

    pub fn header(&self, name: &str) -> String {
        let value = self
            .headers
            .get(name)
            .unwrap_or_else(|| panic!("no header {name}"));
        value.to_str().expect("text").to_owned()
    }

    /// The message's id.
    pub fn id(&self) -> String {
        self.header("webhook-id")
    }
}

/// How a request is answered.
#[derive(Debug, Clone)]
pub enum Answer {
    Ok,
    /// Status, `Retry-After`, body.
    Status(u16, Option<&'static str>, String),
    /// Never.
    Hang,
}

type Answering = Box<dyn FnMut(usize, &Received) -> Answer + Send>;

struct Inner {
    received: Mutex<Vec<Received>>,
    answering: Mutex<Answering>,
}

#[derive(Clone)]
pub struct Inbox {
    inner: Arc<Inner>,
    pub address: SocketAddr,
}

impl Inbox {
    /// Takes everything.
    pub async fn start() -> Self {
        Self::answering(|_, _| Answer::Ok).await
    }

    /// Answers the n-th request, from 0, as the test says.
    pub async fn answering(answering: impl FnMut(usize, &Received) -> Answer + Send + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        Self::at(listener, answering)
    }

    pub fn at(
        listener: tokio::net::TcpListener,
        answering: impl FnMut(usize, &Received) -> Answer + Send + 'static,
    ) -> Self {
        let inner = Arc::new(Inner {
            received: Mutex::default(),
            answering: Mutex::new(Box::new(answering)),
        });
        let address = listener.local_addr().expect("an address");
        let app = Router::new().fallback(take).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { inner, address }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn received(&self) -> Vec<Received> {
        self.inner.received.lock().expect("the inbox").clone()
    }

    /// Waits until there are this many requests, and returns them.
    pub async fn until(&self, count: usize) -> Vec<Received> {
        let begun = Instant::now();
        loop {
            let received = self.received();
            if received.len() >= count {
                return received;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{} of {count} messages: {received:#?}",
                received.len()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn take(State(inner): State<Arc<Inner>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let received = Received {
        path: uri.path().to_owned(),
        headers,
        raw: body.to_vec(),
        at: Instant::now(),
    };
    let place = {
        let mut all = inner.received.lock().expect("the inbox");
        all.push(received.clone());
        all.len() - 1
    };
    let answer = (inner.answering.lock().expect("answers"))(place, &received);
    match answer {
        Answer::Ok => StatusCode::NO_CONTENT.into_response(),
        Answer::Status(status, retry_after, body) => {
            let status = StatusCode::from_u16(status).expect("a status");
            match retry_after {
                Some(wish) => (status, [("retry-after", wish)], body).into_response(),
                None => (status, body).into_response(),
            }
        }
        Answer::Hang => std::future::pending().await,
    }
}
