//! Nodes that are of no use for a request: another one answers it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::post};
use lgi_mm::chain::{CallError, ChainFile, ChainSpec};
use serde_json::{Value, json};

use super::bodies::rpc;

type Answer = dyn Fn(&Value) -> (u16, Value) + Send + Sync;

struct Stub {
    answer: Box<Answer>,
    asked: AtomicUsize,
}

/// A node that answers the chain id as it should, and everything else as `answer` says.
async fn node(answer: impl Fn(&Value) -> (u16, Value) + Send + Sync + 'static) -> (String, Arc<Stub>) {
    let stub = Arc::new(Stub {
        answer: Box::new(answer),
        asked: AtomicUsize::new(0),
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let router = Router::new().route("/", post(exchange)).with_state(stub.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.expect("a server") });
    (url, stub)
}

async fn exchange(State(stub): State<Arc<Stub>>, Json(asked): Json<Value>) -> axum::response::Response {
    if asked["method"] == json!("eth_chainId") {
        return Json(json!({ "jsonrpc": "2.0", "id": asked["id"], "result": "0x7a69" })).into_response();
    }
    stub.asked.fetch_add(1, Ordering::SeqCst);
    let (status, mut body) = (stub.answer)(&asked);
    if body.is_object() && body.get("id").is_none() {
        body["id"] = asked["id"].clone();
    }
    let status = StatusCode::from_u16(status).expect("a status");
    (status, Json(body)).into_response()
}

fn good(asked: &Value) -> (u16, Value) {
    let answer =
        |request: &Value| json!({ "jsonrpc": "2.0", "id": request["id"], "result": request["method"] });
    match asked {
        Value::Array(requests) => (200, requests.iter().rev().map(answer).collect()),
        request => (200, answer(request)),
    }
}

fn error(code: i64, message: &'static str) -> (u16, Value) {
    (
        200,
        json!({ "jsonrpc": "2.0", "error": { "code": code, "message": message } }),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_node_is_no_answer_while_another_has_one() {
    for (status, code, message) in [
        (
            200,
            -32601,
            "the method eth_simulateV1 does not exist/is not available",
        ),
        (200, -32603, "Internal error"),
        (200, -32000, "header not found"),
        (200, -32000, "missing trie node 0a0b (path )"),
        (200, -32007, "15/second request limit reached"),
        (200, -32001, "rpc method is not whitelisted"),
        (200, -32600, "eth_simulateV1 is not available on this plan"),
        (402, -32000, "payment required"),
        (500, -32000, "execution reverted"),
    ] {
        let (bad, asked) = node(move |_| (status, error(code, message).1)).await;
        let (fine, _) = node(good).await;
        let rpc = rpc(vec![bad, fine]);
        let answer: Result<String, _> = rpc.request("eth_simulateV1", json!([])).await;
        assert_eq!(answer.expect(message), "eth_simulateV1");
        assert_eq!(asked.asked.load(Ordering::SeqCst), 1, "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revert_is_an_answer_and_a_lacking_method_is_remembered() {
    let (reverting, _) = node(|_| {
        let error = json!({ "code": 3, "message": "execution reverted: no\u{0}", "data": "0xdeadbeef" });
        (200, json!({ "jsonrpc": "2.0", "error": error }))
    })
    .await;
    let (fine, untouched) = node(good).await;
    let of_both = rpc(vec![reverting, fine.clone()]);
    let answer: Result<Value, CallError> = of_both.request("eth_call", json!([])).await;
    match answer.expect_err("a revert") {
        CallError::Node {
            code: 3,
            message,
            data: Some(data),
            ..
        } => {
            assert_eq!(data.to_string(), "0xdeadbeef");
            assert!(!message.contains('\0'), "{message:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(untouched.asked.load(Ordering::SeqCst), 0);
    let (lacking, asked) = node(|asked| match asked["method"].as_str() {
        Some("eth_simulateV1") => error(-32601, "Method not found"),
        _ => good(asked),
    })
    .await;
    let rpc = rpc(vec![lacking, fine]);
    for _ in 0..3 {
        let answer: Result<String, _> = rpc.request("eth_simulateV1", json!([])).await;
        assert_eq!(answer.expect("the other has it"), "eth_simulateV1");
    }
    assert_eq!(
        asked.asked.load(Ordering::SeqCst),
        1,
        "it is not asked again for what it lacks"
    );
    let answer: Result<String, _> = rpc.request("eth_gasPrice", json!([])).await;
    assert_eq!(answer.expect("an answer"), "eth_gasPrice");
    assert_eq!(
        asked.asked.load(Ordering::SeqCst),
        2,
        "for all else it is still the first"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_newest_block_is_passed_over() {
    let (empty, _) = node(|_| (200, json!({ "jsonrpc": "2.0", "result": null }))).await;
    let (fine, _) = node(good).await;
    let rpc = rpc(vec![empty, fine]);
    let block: Result<Value, _> = rpc
        .request("eth_getBlockByNumber", json!(["latest", false]))
        .await;
    assert_eq!(block.expect("a block"), json!("eth_getBlockByNumber"));
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_read_in_any_order_and_made_smaller_for_a_node_that_refuses_them() {
    let requests = [
        ("eth_gasPrice", json!([])),
        ("eth_blockNumber", json!([])),
        ("net_version", json!([])),
    ];
    let repeated: Vec<_> = requests.iter().cycle().take(20).cloned().collect();
    for most in [usize::MAX, 10, 3, 1] {
        let (picky, _) = node(move |asked| match asked.as_array() {
            Some(batch) if batch.len() > most => (500, json!({ "error": "3 in a batch" })),
            _ => good(asked),
        })
        .await;
        let answers = rpc(vec![picky]).batch(&repeated).await.expect("answers");
        let methods: Vec<_> = answers
            .into_iter()
            .map(|answer| answer.expect("an answer"))
            .collect();
        let expected: Vec<_> = repeated.iter().map(|(method, _)| json!(method)).collect();
        assert_eq!(methods, expected, "at most {most}");
    }
}

/// How a node refuses a batch.
type Refuses = fn(&[Value]) -> (u16, Value);

#[tokio::test(flavor = "multi_thread")]
async fn however_a_node_refuses_a_batch_each_request_is_answered_and_none_is_asked_twice() {
    let ways: [(&str, Refuses); 6] = [
        ("the first alone, with an error", |batch| {
            let error = json!({ "code": -32600, "message": "batch too large" });
            (
                200,
                json!([{ "jsonrpc": "2.0", "id": batch[0]["id"], "error": error }]),
            )
        }),
        ("each with an error", |batch| {
            let error = json!({ "code": -32003, "message": "response too large" });
            let refused = |asked: &Value| json!({ "jsonrpc": "2.0", "id": asked["id"], "error": error });
            (200, batch.iter().map(refused).collect())
        }),
        ("one left out", |batch| {
            let (status, mut answers) = good(&Value::Array(batch.to_vec()));
            answers.as_array_mut().map(Vec::pop);
            (status, answers)
        }),
        ("an empty list", |_| (200, json!([]))),
        ("one object", |_| {
            (
                200,
                json!({ "error": { "code": -32600, "message": "no batches here" } }),
            )
        }),
        ("HTTP 429 about the batch", |_| {
            (
                429,
                json!({ "error": { "code": 31, "message": "Batch of more than 2 are not allowed" } }),
            )
        }),
    ];
    let requests: Vec<_> = (0..7).map(|number| ("eth_getBalance", json!([number]))).collect();
    for (way, refuse) in ways {
        let (picky, stub) = node(move |asked| match asked.as_array() {
            Some(batch) if batch.len() > 2 => refuse(batch),
            Some(batch) => {
                let echo = |asked: &Value| json!({ "id": asked["id"], "result": asked["params"][0] });
                (200, batch.iter().map(echo).collect())
            }
            None => (200, json!({ "id": asked["id"], "result": asked["params"][0] })),
        })
        .await;
        let rpc = rpc(vec![picky]);
        for most in [9, 7] {
            let before = stub.asked.load(Ordering::SeqCst);
            let answers = rpc.batch(&requests).await.expect(way);
            let numbers: Vec<Value> = answers.into_iter().map(|answer| answer.expect(way)).collect();
            assert_eq!(Value::from(numbers), json!([0, 1, 2, 3, 4, 5, 6]), "{way}");
            // 7 is refused, then 3, then 1 is answered; what is learned counts from the second time on.
            let requests = stub.asked.load(Ordering::SeqCst) - before;
            assert!(requests <= most, "{way}: {requests}");
        }
    }
}

#[test]
fn a_quorum_is_between_one_and_the_number_of_hosts() {
    let of = |urls: &[&str], quorum| {
        let keys = ChainFile {
            rpc_urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            quorum,
            ..ChainFile::default()
        };
        ChainSpec::resolve("base", &keys).map(|spec| spec.quorum)
    };
    let (a, b) = ("https://a.example/one", "https://b.example/two");
    assert_eq!(of(&[a], None).expect("one"), 1);
    assert_eq!(of(&[a, "https://a.example/other"], None).expect("one host"), 1);
    assert_eq!(of(&[a, b], None).expect("two"), 2);
    assert_eq!(of(&[a, b, "https://c.example"], None).expect("two of three"), 2);
    assert_eq!(of(&[a, b, "https://c.example"], Some(3)).expect("three"), 3);
    for wrong in [Some(0), Some(3)] {
        let said = of(&[a, b], wrong).expect_err("refused").to_string();
        assert!(
            said.contains("chains.base.quorum") && said.contains("1 to 2"),
            "{said}"
        );
    }
}
