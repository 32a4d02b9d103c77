//! A client of the metrics port tries to keep it, and the process, busy.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use lgi_mm::{
    config::Settings,
    monitor::{self, Served},
};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

async fn served(pool: sqlx::PgPool, stop: &CancellationToken) -> SocketAddr {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("its address");
    drop(free);
    let served = Served {
        prometheus: PrometheusBuilder::new().build_recorder().handle(),
        pool,
        nodes: monitor::Nodes::new(),
        census: Settings::default().census(),
    };
    tokio::spawn(monitor::serve(address, served, stop.clone()));
    while TcpStream::connect(address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    address
}

/// Status line and body, over a connection of its own.
async fn get(address: SocketAddr, path: &str) -> String {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(Duration::from_secs(3), asked).await;
    answer.expect("an answer in time").expect("an answer")
}

/// Whether the server has ended the connection.
async fn ended(stream: &mut TcpStream) -> bool {
    let mut rest = [0; 64];
    let read = tokio::time::timeout(Duration::from_millis(20), stream.read(&mut rest)).await;
    matches!(read, Ok(Ok(0) | Err(_)))
}

/// Of this test's database.
async fn connections(own: &mut sqlx::PgConnection) -> i64 {
    let counted = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()";
    sqlx::query_scalar(counted).fetch_one(own).await.expect("a count")
}

/// Sends a letter now and then, and never a whole header.
async fn trickle(mut stream: TcpStream) {
    while stream.write_all(b"X").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_and_slow_clients_keep_nobody_out_and_are_gone_soon() {
    let test = testkit::db().await;
    let stop = CancellationToken::new();
    let address = served(test.pool.clone(), &stop).await;
    let mut silent = Vec::new();
    for n in 0..300 {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        if n % 3 == 0 {
            stream
                .write_all(b"GET /metrics HTTP/1.1\r\nx: ")
                .await
                .expect("sent");
            tokio::spawn(trickle(stream));
        } else {
            silent.push(stream);
        }
        if n % 50 == 0 {
            assert!(
                get(address, "/healthz").await.starts_with("HTTP/1.1 200"),
                "after {n}"
            );
        }
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert!(get(address, path).await.starts_with("HTTP/1.1 200"), "{path}");
    }
    let mut held = 0;
    for stream in &mut silent {
        held += usize::from(!ended(stream).await);
    }
    assert!(held <= 32, "{held} connections are held");
    let begun = Instant::now();
    for stream in &mut silent {
        while !ended(stream).await {
            assert!(begun.elapsed() < Duration::from_secs(8), "a silent client stays");
        }
    }
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_good_for_one_request() {
    let test = testkit::db().await;
    let stop = CancellationToken::new();
    let address = served(test.pool.clone(), &stop).await;
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    let mut answer = String::new();
    // Ends, since the server closes it: nobody can sit on it.
    let read = tokio::time::timeout(Duration::from_secs(3), stream.read_to_string(&mut answer)).await;
    read.expect("the end of the connection").expect("an answer");
    assert!(answer.ends_with("alive\n"), "{answer}");
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_takes_no_connection_of_trading_and_one_at_most() {
    let test = testkit::db().await;
    let stop = CancellationToken::new();
    let address = served(test.pool.clone(), &stop).await;
    let mut all = Vec::new();
    while let Some(connection) = test.pool.try_acquire() {
        all.push(connection);
    }
    while all.len() < 8 {
        all.push(test.pool.acquire().await.expect("a connection"));
    }
    let mut own = all.pop().expect("one of them");
    let before = connections(&mut own).await;
    // All connections are at work for longer than readiness waits: no slot could be claimed now, and it says so.
    let asking = (0..30).map(|_| get(address, "/readyz"));
    for answer in futures::future::join_all(asking).await {
        let says = answer.starts_with("HTTP/1.1 503") && answer.contains("work waits for a connection");
        assert!(says, "{answer}");
    }
    let after = connections(&mut own).await;
    assert!(after <= before + 1, "{before} connections became {after}");
    // One is free again: ready as soon as the last answer is older than a second.
    all.pop();
    let begun = Instant::now();
    while !get(address, "/readyz").await.starts_with("HTTP/1.1 200") {
        assert!(begun.elapsed() < Duration::from_secs(20), "still not ready");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let asking = (0..30).map(|_| get(address, "/readyz"));
    for answer in futures::future::join_all(asking).await {
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let after = connections(&mut own).await;
    assert!(after <= before + 1, "{before} connections became {after}");
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_may_open_as_many_files_as_the_system_allows() {
    let test = testkit::db().await;
    let script = "ulimit -S -n 128; exec \"$0\" scheduler --until-stdin-closes";
    let mut scheduler = tokio::process::Command::new("/bin/sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_lgi-mm")])
        .env("DATABASE_URL", &test.url)
        .env("LGI_MM__METRICS__LISTEN", "off")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("our own program starts");
    let limits = format!("/proc/{}/limits", scheduler.id().expect("it runs"));
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(&limits).expect("limits");
        let line = text
            .lines()
            .find(|line| line.starts_with("Max open files"))
            .expect("the line");
        let numbers: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
        if numbers.first() == numbers.last() {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{line}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    scheduler.kill().await.expect("it runs");
}
