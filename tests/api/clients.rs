//! Clients that take long, send without end or take all places.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::server::{Served, answer};

/// What the server says to these bytes before it closes.
async fn said(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(40), stream.read_to_end(&mut bytes)).await;
    // A reset after the answer is an end, too.
    let _ = read.expect("the server waits for ever");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_headers_and_bodies_are_cut_off_and_silent_clients_keep_no_one_out() {
    let served = Served::new().await;
    let owner = served.token("owner");
    // More silent connections than there are places.
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(served.address).await.expect("a connection"));
    }
    let begun = Instant::now();
    assert_eq!(served.get(&owner, "/api/v1/jobs").await.status, StatusCode::OK);
    assert!(begun.elapsed() < Duration::from_secs(5), "kept out");

    let mut headers = TcpStream::connect(served.address).await.expect("a connection");
    let line = format!("X-Long: {}\r\n", "x".repeat(1_000));
    let _ = headers.write_all(b"GET / HTTP/1.1\r\n").await;
    for _ in 0..100 {
        if headers.write_all(line.as_bytes()).await.is_err() {
            break;
        }
    }
    let refused = said(&mut headers).await;
    assert!(
        refused.is_empty() || refused.starts_with("HTTP/1.1 431"),
        "{refused}"
    );

    let large = served
        .request(Method::POST, "/api/v1/jobs")
        .bearer_auth(&owner)
        .header("Idempotency-Key", "large")
        .header("content-type", "application/json")
        .body(format!("{{\"token\": \"{}\"}}", "x".repeat(200_000)));
    assert_eq!(answer(large).await.status, StatusCode::PAYLOAD_TOO_LARGE);

    // A body of which nothing comes, and a header that stops in the middle: both in their time, side by side.
    let mut slow_body = TcpStream::connect(served.address).await.expect("a connection");
    let head = format!(
        "POST /api/v1/jobs HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {owner}\r\nIdempotency-Key: slow\r\n\
         Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{{",
        served.address
    );
    slow_body.write_all(head.as_bytes()).await.expect("a head");
    let mut slow_head = TcpStream::connect(served.address).await.expect("a connection");
    slow_head.write_all(b"GET / HT").await.expect("a part");
    let begun = Instant::now();
    let (body, head) = tokio::join!(said(&mut slow_body), said(&mut slow_head));
    assert!(body.starts_with("HTTP/1.1 408"), "{body}");
    assert!(!head.contains("200 OK"), "{head}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    drop(silent);
}
