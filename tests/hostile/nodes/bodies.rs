//! Bodies that do not end, and bodies that are nothing.

use std::{sync::Arc, time::Duration};

use lgi_mm::chain::{ChainFile, ChainSpec, Rpc};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Answers every connection with the same bytes, the last of them without end if `endless`.
async fn server(head: String, body: Vec<u8>, endless: bool) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (head, body) = (Arc::new(head), Arc::new(body));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (head, body) = (head.clone(), body.clone());
            tokio::spawn(async move {
                let mut asked = vec![0; 65_536];
                let _ = stream.read(&mut asked).await;
                let _ = stream.write_all(head.as_bytes()).await;
                loop {
                    if stream.write_all(&body).await.is_err() || !endless {
                        break;
                    }
                }
            });
        }
    });
    url
}

pub fn rpc(urls: Vec<String>) -> Rpc {
    let keys = ChainFile {
        rpc_urls: urls,
        chain_id: Some(31_337),
        rpc_rounds: Some(1),
        rpc_requests_per_second: Some(10_000),
        rpc_timeout: Some("10s".parse().expect("a span")),
        wrapped_native: Some(alloy_primitives::Address::repeat_byte(1)),
        usdc: Some(alloy_primitives::Address::repeat_byte(2)),
        ..ChainFile::default()
    };
    Rpc::new(&ChainSpec::resolve("local", &keys).expect("a chain")).expect("nodes")
}

async fn refusal(rpc: &Rpc) -> String {
    let answer: Result<Value, _> = rpc.request("eth_gasPrice", json!([])).await;
    answer.expect_err("no answer").to_string()
}

/// Resident memory of this process, kB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("its memory");
    line.split_whitespace()
        .nth(1)
        .expect("a number")
        .parse()
        .expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_body_costs_no_more_than_the_cap() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n".to_owned();
    let url = server(head, vec![b'['; 1 << 16], true).await;
    let before = resident();
    let begun = std::time::Instant::now();
    let said = refusal(&rpc(vec![url])).await;
    assert!(said.contains("longer than 1048576 bytes"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    let grown = resident().saturating_sub(before);
    assert!(grown < 300_000, "{grown} kB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_body_is_refused_by_what_it_says_of_itself() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999999999999\r\n\r\n"
        .to_owned();
    let said = refusal(&rpc(vec![server(head, vec![], false).await])).await;
    assert!(said.contains("longer than"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_body_that_is_no_answer_little_is_shown_and_nothing_that_a_terminal_obeys() {
    let mut garbage = b"<html>\x1b]0;pwned\x07\0".to_vec();
    garbage.resize(900_000, b'x');
    for status in ["200 OK", "500 Internal Server Error"] {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", garbage.len());
        let said = refusal(&rpc(vec![server(head, garbage.clone(), false).await])).await;
        assert!(
            said.len() < 700 && said.contains("<html>"),
            "{}: {said}",
            said.len()
        );
        assert!(!said.chars().any(char::is_control), "{said:?}");
    }
}
