//! A local server that answers in the shape of the DexScreener API, and misbehaves on request.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{Response, StatusCode},
    routing::get,
};
use serde_json::{Value, json};

/// How one request is answered.
#[derive(Clone)]
pub enum Answer {
    /// These pairs, whichever tokens were asked for.
    Pairs(Value),
    /// One good pair at 2.5 USD for each token asked for.
    All,
    /// This status and header, and a page that is not JSON.
    Status(u16, Option<(&'static str, String)>),
    /// This text with status 200.
    Text(&'static str),
    /// A body that ends before its announced length.
    Truncated,
    /// This many bytes of JSON.
    Huge(usize),
    /// [`Answer::All`], after this long.
    Slow(Duration),
}

/// One request as it came.
#[derive(Clone)]
pub struct Seen {
    pub at: Instant,
    pub chain: String,
    pub tokens: Vec<String>,
}

#[derive(Clone, Default)]
pub struct Api {
    script: Arc<Mutex<VecDeque<Answer>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    pub url: String,
}

impl Api {
    /// Answers as the script says, and after its end with [`Answer::All`].
    pub async fn start(script: impl IntoIterator<Item = Answer>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let api = Self {
            script: Arc::new(Mutex::new(script.into_iter().collect())),
            seen: Arc::default(),
            url: format!("http://{}", listener.local_addr().expect("an address")),
        };
        let router = Router::new()
            .route("/tokens/v1/{chain}/{tokens}", get(answer))
            .with_state(api.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        api
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("seen").clone()
    }
}

async fn answer(State(api): State<Api>, Path((chain, tokens)): Path<(String, String)>) -> Response<Body> {
    let tokens: Vec<String> = tokens.split(',').map(str::to_owned).collect();
    api.seen.lock().expect("seen").push(Seen {
        at: Instant::now(),
        chain: chain.clone(),
        tokens: tokens.clone(),
    });
    let answer = api
        .script
        .lock()
        .expect("script")
        .pop_front()
        .unwrap_or(Answer::All);
    let all = || {
        tokens
            .iter()
            .map(|token| pair(&chain, token, json!("2.5"), json!(1_000)))
            .collect()
    };
    match answer {
        Answer::Pairs(pairs) => text(pairs.to_string()),
        Answer::All => text(Value::Array(all()).to_string()),
        Answer::Status(status, header) => {
            let status = StatusCode::from_u16(status).expect("a status");
            let mut response = Response::builder().status(status);
            if let Some((name, value)) = header {
                response = response.header(name, value);
            }
            response
                .body(Body::from("<html>error code: 1015</html>"))
                .expect("a response")
        }
        Answer::Text(body) => text(body.to_owned()),
        Answer::Truncated => {
            let broken = futures::stream::iter([
                Ok("[{\"chainId\":\"base\","),
                Err(std::io::Error::other("the connection breaks")),
            ]);
            Response::new(Body::from_stream(broken))
        }
        Answer::Huge(bytes) => text(format!("[\"{}\"]", "x".repeat(bytes))),
        Answer::Slow(pause) => {
            let body = Value::Array(all()).to_string();
            tokio::time::sleep(pause).await;
            text(body)
        }
    }
}

fn text(body: String) -> Response<Body> {
    Response::builder()
        .header("content-type", "application/json")
        .body(Body::from(body))
        .expect("a response")
}

/// A pair in the API's own shape, with the fields that nobody reads too.
pub fn pair(chain: &str, base: &str, price_usd: Value, liquidity_usd: Value) -> Value {
    json!({
        "chainId": chain,
        "dexId": "uniswap",
        "url": format!("https://dexscreener.com/{chain}/0x1f98400000000000000000000000000000000004"),
        "pairAddress": "0x9a2e4ca8f0f7d0e4a6a6d1a3a0d6f1d9d1b5c7e3a9f4d2c6b8e0a1f3c5d7e9b2",
        "labels": ["v4"],
        "baseToken": { "address": base, "name": "Lego Intelligence", "symbol": "LGI" },
        "quoteToken": { "address": "0x4200000000000000000000000000000000000006", "name": "Wrapped Ether", "symbol": "WETH" },
        "priceNative": "0.0000004112",
        "priceUsd": price_usd,
        "txns": { "m5": { "buys": 0, "sells": 1 }, "h24": { "buys": 41, "sells": 37 } },
        "volume": { "h24": 10345.11, "h6": 2004.5, "h1": 33.02, "m5": 0 },
        "priceChange": { "h1": -0.41, "h24": 3.2 },
        "liquidity": { "usd": liquidity_usd, "base": 41_230_901, "quote": 12.8 },
        "fdv": 1_240_000,
        "marketCap": 1_240_000,
        "pairCreatedAt": 1_753_000_000_000_i64,
        "info": { "imageUrl": "https://cdn.dexscreener.com/x.png", "websites": [], "socials": [] }
    })
}
