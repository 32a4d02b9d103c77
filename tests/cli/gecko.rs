//! A local server that answers in the shape of the GeckoTerminal API, and misbehaves on request.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{Response, StatusCode, Uri},
    routing::get,
};
use serde_json::{Value, json};

/// How one request for candles is answered.
#[derive(Clone)]
pub enum Answer {
    /// This status, this header, and this body.
    Status(u16, Option<(&'static str, &'static str)>, &'static str),
    /// This list of candles as it stands, whatever was asked.
    Rows(&'static str),
    /// This many bytes.
    Huge(usize),
}

#[derive(Clone)]
pub struct Gecko {
    pub url: String,
    pub pools: Arc<Mutex<Value>>,
    /// Beginning, and the row as it is written.
    pub rows: Arc<Mutex<Vec<(i64, String)>>>,
    pub script: Arc<Mutex<VecDeque<Answer>>>,
    /// Path and query of each request.
    pub seen: Arc<Mutex<Vec<String>>>,
}

pub const TOKEN: &str = "0x4ed4e862860bed51a9570b96d89af5e1b0efefed";
pub const POOL: &str = "0xc9034c3e7f58003e6ae0c8438e7c8f4598d5acaa";

/// One pool of the list.
pub fn pool(address: &str, depth: &str, created: &str, base: &str) -> Value {
    json!({
        "id": format!("base_{address}"), "type": "pool",
        "attributes": {
            "address": address, "name": "DEGEN / WETH 0.3%", "reserve_in_usd": depth, "pool_created_at": created,
            "base_token_price_usd": "0.00412", "quote_token_price_usd": "3120.5",
        },
        "relationships": {
            "base_token": {"data": {"id": format!("base_{base}"), "type": "token"}},
            "quote_token": {"data": {"id": "base_0x4200000000000000000000000000000000000006", "type": "token"}},
            "dex": {"data": {"id": "uniswap-v3-base", "type": "dex"}},
        },
    })
}

impl Gecko {
    /// With one pool, and these candles.
    pub fn start(rows: Vec<(i64, String)>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let gecko = Self {
            url: format!("http://{}/api/v2", listener.local_addr().expect("an address")),
            pools: Arc::new(Mutex::new(json!([pool(
                POOL,
                "5123456.78",
                "2024-01-08T03:00:09Z",
                TOKEN
            )]))),
            rows: Arc::new(Mutex::new(rows)),
            script: Arc::default(),
            seen: Arc::default(),
        };
        let router = Router::new()
            .route("/api/v2/networks/{network}/tokens/{token}/pools", get(pools))
            .route(
                "/api/v2/networks/{network}/pools/{pool}/ohlcv/{timeframe}",
                get(candles),
            )
            .with_state(gecko.clone());
        // The programs that ask it block the test's own thread.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
                axum::serve(listener, router).await
            })
        });
        gecko
    }

    /// Requests for candles so far.
    pub fn asked(&self) -> Vec<String> {
        let seen = self.seen.lock().expect("seen").clone();
        seen.into_iter().filter(|one| one.contains("/ohlcv/")).collect()
    }
}

async fn pools(State(gecko): State<Gecko>, Path((network, token)): Path<(String, String)>) -> Response<Body> {
    gecko
        .seen
        .lock()
        .expect("seen")
        .push(format!("{network}/{token}/pools"));
    if network != "base" {
        return reply(
            404,
            None,
            r#"{"errors":[{"status":"404","title":"Not Found"}]}"#.to_owned(),
        );
    }
    let included = json!([
        {"id": format!("base_{token}"), "type": "token", "attributes":
            {"address": token, "name": "Degen", "symbol": "DEGEN", "decimals": 18}},
        {"id": "base_0x4200000000000000000000000000000000000006", "type": "token", "attributes":
            {"address": "0x4200000000000000000000000000000000000006", "name": "Wrapped Ether", "symbol": "WETH", "decimals": 18}},
    ]);
    let data = gecko.pools.lock().expect("pools").clone();
    reply(200, None, json!({"data": data, "included": included}).to_string())
}

async fn candles(
    State(gecko): State<Gecko>,
    Path((network, pool, timeframe)): Path<(String, String, String)>,
    uri: Uri,
) -> Response<Body> {
    let asked: std::collections::HashMap<&str, &str> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let (before, limit, aggregate) = (asked["before_timestamp"], asked["limit"], asked["aggregate"]);
    gecko.seen.lock().expect("seen").push(format!(
        "{network}/{pool}/ohlcv/{timeframe} {aggregate} {before} {limit} {} {}",
        asked["currency"], asked["token"]
    ));
    let list = |rows: &str| {
        format!(
            r#"{{"data":{{"id":"x","type":"ohlcv_request_response","attributes":{{"ohlcv_list":[{rows}]}}}},"meta":{{"base":{{"address":"{TOKEN}","symbol":"DEGEN"}},"quote":{{"address":"0x4200000000000000000000000000000000000006","symbol":"WETH"}}}}}}"#
        )
    };
    match gecko.script.lock().expect("script").pop_front() {
        Some(Answer::Status(status, header, body)) => return reply(status, header, body.to_owned()),
        Some(Answer::Rows(rows)) => return reply(200, None, list(rows)),
        Some(Answer::Huge(bytes)) => return reply(200, None, " ".repeat(bytes)),
        None => {}
    }
    let (before, limit): (i64, usize) = (before.parse().expect("a time"), limit.parse().expect("a number"));
    let rows = gecko.rows.lock().expect("rows");
    // Newest first, as the API answers.
    let mut page: Vec<&(i64, String)> = rows.iter().filter(|(begin, _)| *begin < before).collect();
    page.sort_by_key(|(begin, _)| std::cmp::Reverse(*begin));
    page.truncate(limit);
    let page: Vec<&str> = page.into_iter().map(|(_, row)| row.as_str()).collect();
    reply(200, None, list(&page.join(",")))
}

fn reply(status: u16, header: Option<(&'static str, &'static str)>, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    if let Some((name, value)) = header {
        response
            .headers_mut()
            .insert(name, value.parse().expect("a header"));
    }
    response
}
