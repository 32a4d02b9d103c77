//! Nodes that are asked too much: they are left alone for as long as they say, and asked less from then on.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::post};
use lgi_mm::chain::{ChainFile, ChainSpec, NodeFile, Rpc};
use serde_json::{Value, json};

type Refusal = fn(&Value) -> axum::response::Response;

struct Busy {
    /// What the first exchanges get.
    refusal: Refusal,
    /// How many of them.
    refusals: usize,
    asked: Mutex<Vec<(Instant, usize)>>,
}

fn result(asked: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": asked["id"], "result": asked["params"][0] })
}

fn refused(asked: &Value, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": asked["id"], "error": { "code": code, "message": message } })
}

async fn exchange(State(busy): State<Arc<Busy>>, Json(asked): Json<Value>) -> axum::response::Response {
    if asked["method"] == json!("eth_chainId") {
        return Json(json!({ "jsonrpc": "2.0", "id": asked["id"], "result": "0x7a69" })).into_response();
    }
    let size = asked.as_array().map_or(1, Vec::len);
    let refuses = {
        let mut log = busy.asked.lock().expect("a log");
        log.push((Instant::now(), size));
        log.len() <= busy.refusals
    };
    if refuses {
        return (busy.refusal)(&asked);
    }
    match asked.as_array() {
        Some(batch) => Json(batch.iter().map(result).collect::<Value>()).into_response(),
        None => Json(result(&asked)).into_response(),
    }
}

/// A node that refuses once, and our client with `rounds` tries and `pace` requests a second.
async fn busy(refusal: Refusal, rounds: u32, pace: u32) -> (Rpc, Arc<Busy>) {
    busy_for(1, refusal, rounds, pace).await
}

/// The same of a node that refuses so many times.
async fn busy_for(refusals: usize, refusal: Refusal, rounds: u32, pace: u32) -> (Rpc, Arc<Busy>) {
    let (url, busy) = serve(refusals, refusal).await;
    let keys = ChainFile {
        rpc_urls: vec![url],
        rpc_rounds: Some(rounds),
        rpc_requests_per_second: Some(pace),
        ..chain()
    };
    let rpc = Rpc::new(&ChainSpec::resolve("local", &keys).expect("a chain")).expect("nodes");
    (rpc, busy)
}

fn chain() -> ChainFile {
    ChainFile {
        chain_id: Some(31_337),
        wrapped_native: Some(alloy_primitives::Address::repeat_byte(1)),
        usdc: Some(alloy_primitives::Address::repeat_byte(2)),
        ..ChainFile::default()
    }
}

async fn serve(refusals: usize, refusal: Refusal) -> (String, Arc<Busy>) {
    let busy = Arc::new(Busy {
        refusal,
        refusals,
        asked: Mutex::default(),
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let router = Router::new().route("/", post(exchange)).with_state(busy.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.expect("a server") });
    (url, busy)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_for_load_is_waited_out_and_the_request_is_sent_once_more() {
    let refusals: [(Refusal, u64); 4] = [
        (
            |_| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "2")], "slow down").into_response(),
            2_000,
        ),
        (
            |asked| {
                Json(refused(
                    asked,
                    -32005,
                    "request rate limited; retry after 1500 ms",
                ))
                .into_response()
            },
            1_500,
        ),
        (
            |asked| Json(refused(asked, -32007, "9/second request limit reached")).into_response(),
            1_000,
        ),
        (|_| StatusCode::PAYMENT_REQUIRED.into_response(), 1_000),
    ];
    for (refusal, millis) in refusals {
        let (rpc, busy) = busy(refusal, 3, 20).await;
        let answer: Value = rpc
            .request("eth_getBalance", json!(["mine"]))
            .await
            .expect("an answer");
        assert_eq!(answer, json!("mine"));
        let log = busy.asked.lock().expect("a log").clone();
        assert_eq!(log.len(), 2, "once refused, once answered");
        let waited = log[1].0 - log[0].0;
        assert!(
            waited >= Duration::from_millis(millis),
            "{waited:?} of {millis} ms"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_asked_within_its_own_budget_of_compute_units() {
    // What would be refused is answered: the node counts only.
    let answer: Refusal = |asked| {
        Json(
            asked
                .as_array()
                .expect("a batch")
                .iter()
                .map(result)
                .collect::<Value>(),
        )
        .into_response()
    };
    let (url, busy) = serve(1, answer).await;
    let keys = ChainFile {
        rpc: vec![NodeFile {
            url,
            requests_per_second: Some(1_000),
            compute_units_per_second: Some(520),
        }],
        ..chain()
    };
    let rpc = Rpc::new(&ChainSpec::resolve("local", &keys).expect("a chain")).expect("nodes");
    // 26 units each: twenty fit into a second.
    let requests: Vec<(&'static str, Value)> = (0..50).map(|index| ("eth_call", json!([index]))).collect();
    let answers = rpc.batch(&requests).await.expect("answers");
    let read: Vec<u64> = answers
        .into_iter()
        .map(|one| one.expect("one").as_u64().expect("a number"))
        .collect();
    assert_eq!(read, (0..50).collect::<Vec<u64>>());
    let log = busy.asked.lock().expect("a log").clone();
    let sizes: Vec<usize> = log.iter().map(|(_, size)| *size).collect();
    assert_eq!(sizes, [20, 20, 10]);
    let took = log[2].0 - log[0].0;
    assert!(took >= Duration::from_millis(1_500), "1040 units in {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_pause_fails_at_once_and_sends_nothing() {
    let (rpc, busy) = busy(
        |_| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3600")], "").into_response(),
        3,
        20,
    )
    .await;
    for _ in 0..3 {
        let refused: Result<Value, _> = rpc.request("eth_getBalance", json!(["mine"])).await;
        let said = refused.expect_err("it rests").to_string();
        assert!(said.contains("asked again in"), "{said}");
    }
    assert_eq!(busy.asked.lock().expect("a log").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_refused_requests_of_a_batch_are_asked_again() {
    let (rpc, busy) = busy(
        |asked| {
            let answers = asked.as_array().expect("a batch").iter().enumerate();
            let answers = answers.map(|(index, asked)| match index {
                1 | 3 => refused(asked, 429, "compute units per second exceeded"),
                _ => result(asked),
            });
            Json(answers.collect::<Value>()).into_response()
        },
        1,
        20,
    )
    .await;
    let requests: Vec<_> = (0..5).map(|number| ("eth_getBalance", json!([number]))).collect();
    let answers = rpc.batch(&requests).await.expect("answers");
    let numbers: Vec<Value> = answers
        .into_iter()
        .map(|answer| answer.expect("an answer"))
        .collect();
    assert_eq!(Value::from(numbers), json!([0, 1, 2, 3, 4]));
    let sizes: Vec<usize> = busy
        .asked
        .lock()
        .expect("a log")
        .iter()
        .map(|(_, size)| *size)
        .collect();
    assert_eq!(sizes, [5, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_batch_is_larger_than_a_second_of_the_pace() {
    let (rpc, busy) = busy(
        |asked| {
            Json(
                asked
                    .as_array()
                    .expect("a batch")
                    .iter()
                    .map(result)
                    .collect::<Value>(),
            )
            .into_response()
        },
        1,
        4,
    )
    .await;
    let requests: Vec<_> = (0..6).map(|number| ("eth_getBalance", json!([number]))).collect();
    let answers = rpc.batch(&requests).await.expect("answers");
    assert_eq!(answers.len(), 6);
    let log = busy.asked.lock().expect("a log").clone();
    let sizes: Vec<usize> = log.iter().map(|(_, size)| *size).collect();
    assert_eq!(sizes, [4, 2]);
    assert!(log[1].0 - log[0].0 >= Duration::from_millis(950), "{log:?}");
}

/// Asks for forty answers one after the other of a node that refuses three times, and says how long the second half
/// took: it is slowed to an eighth of its pace, which would take eight seconds for twenty.
async fn recovered(refusal: Refusal) -> Duration {
    let (rpc, busy) = busy_for(3, refusal, 6, 20).await;
    for number in 0..40 {
        let answer: Value = rpc
            .request("eth_getBalance", json!([number]))
            .await
            .expect("an answer");
        assert_eq!(answer, json!(number));
    }
    let log = busy.asked.lock().expect("a log").clone();
    assert_eq!(log.len(), 43, "three refused, forty answered");
    log[42].0 - log[22].0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_limit_is_over_is_soon_asked_as_fast_as_it_bears() {
    let refusals: [(&str, Refusal); 4] = [
        ("Retry-After", |_| {
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")], "slow down").into_response()
        }),
        ("JSON with a pause", |asked| {
            Json(refused(asked, -32005, "request rate limited; retry after 100 ms")).into_response()
        }),
        ("JSON", |asked| {
            Json(refused(asked, -32007, "15/second request limit reached")).into_response()
        }),
        ("HTTP 429 alone", |_| {
            StatusCode::TOO_MANY_REQUESTS.into_response()
        }),
    ];
    let took = refusals.map(|(name, refusal)| async move { (name, recovered(refusal).await) });
    for (name, took) in futures::future::join_all(took).await {
        // At 15 a second; with room for a busy machine.
        assert!(took < Duration::from_secs(3), "{name}: {took:?}");
        // And never faster than just below what was refused.
        assert!(took >= Duration::from_millis(1_250), "{name}: {took:?}");
    }
}
