//! Nodes that are of no use for a request: another one answers it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use alloy_primitives::Address;
use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::post};
use lgi_mm::chain::{CallError, ChainFile, ChainSpec, TokenError, token_info};
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

/// Answers `decimals()` and `symbol()`, each alone or both in one batch.
fn token(
    decimals: impl Fn() -> Value + Copy + Send + Sync + 'static,
    symbol: impl Fn() -> Value + Copy + Send + Sync + 'static,
) -> impl Fn(&Value) -> (u16, Value) + Send + Sync + 'static {
    move |asked| {
        let one = |request: &Value| {
            let data = request["params"][0]["data"].as_str().expect("a call");
            let mut answer = if data == "0x313ce567" {
                decimals()
            } else {
                symbol()
            };
            answer["jsonrpc"] = json!("2.0");
            answer["id"] = request["id"].clone();
            answer
        };
        match asked {
            Value::Array(requests) => (200, requests.iter().map(one).collect()),
            request => (200, one(request)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_no_token_only_if_it_reverts_or_returns_nothing() {
    let eighteen = || json!({ "result": format!("{:#066x}", 18) });
    let address = Address::repeat_byte(7);
    for (code, message) in [
        (-32603, "Internal error"),
        (-32000, "header not found"),
        (-32000, "missing trie node 0a0b (path )"),
        (-32601, "the method eth_call does not exist/is not available"),
        (-32007, "15/second request limit reached"),
        (-32000, "words that nobody has seen"),
    ] {
        let refused = move || json!({ "error": { "code": code, "message": message } });
        let (url, _) = node(token(refused, refused)).await;
        let found = token_info(&rpc(vec![url]), address).await;
        let TokenError::Rpc(error) = found.expect_err(message) else {
            panic!("{message}: it says nothing about the token");
        };
        assert!(error.detail.contains(message), "{error:?}");
        // Neither is it left without the name that it has.
        let (url, _) = node(token(eighteen, refused)).await;
        let found = token_info(&rpc(vec![url]), address).await;
        assert_eq!(
            found.is_err(),
            message != "words that nobody has seen",
            "{message}"
        );
    }
    for (code, message) in [
        (3, "execution reverted"),
        (-32015, "VM execution error."),
        (-32000, "invalid opcode: INVALID"),
        (-32000, "execution aborted (timeout = 5s)"),
    ] {
        let refused = move || json!({ "error": { "code": code, "message": message } });
        let (url, _) = node(token(refused, refused)).await;
        let found = token_info(&rpc(vec![url]), address).await;
        assert!(
            matches!(found, Err(TokenError::NoToken(_))),
            "{message}: {found:?}"
        );
        let (url, _) = node(token(eighteen, refused)).await;
        let found = token_info(&rpc(vec![url]), address).await.expect(message);
        assert_eq!((found.symbol, found.decimals), (None, 18));
    }
    let (url, _) = node(token(|| json!({ "result": "0x" }), || json!({ "result": "0x" }))).await;
    let found = token_info(&rpc(vec![url]), address).await;
    assert!(matches!(found, Err(TokenError::NoToken(_))), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_estimate_says_nothing_about_a_withdrawal() {
    let (world, liars) = super::world_with(1, false, Some(1)).await;
    let receiver = Address::repeat_byte(9);
    let mut entry = world.permitted();
    entry.withdraw_to = vec![receiver];
    world.permit(&entry);
    let to = receiver.to_checksum(None);
    let withdraw = ["withdraw", "ETH", "1", "--to", &to, "--chain", "local", "--yes"];
    for (code, message, refused) in [
        (-32603, "Internal error", false),
        (-32000, "header not found", false),
        (3, "execution reverted: not for you", true),
        (-32000, "gas required exceeds allowance (60000000)", true),
    ] {
        liars[0].lie(move |method, _, answer| {
            if method == "eth_estimateGas" {
                let id = answer["id"].take();
                *answer = error(code, message).1;
                answer["id"] = id;
            }
        });
        let (exit, said) = world.run(&withdraw).await;
        assert!(exit != 0 && said.contains(message), "{exit} {said}");
        assert_eq!(said.contains("the transfer would fail"), refused, "{said}");
        assert_eq!(exit == 4, refused, "{exit} {said}");
    }
    let sql = "SELECT count(*) FROM withdrawals";
    let ordered: i64 = sqlx::query_scalar(sql)
        .fetch_one(&world.db.pool)
        .await
        .expect("none");
    assert_eq!(ordered, 0);
}
