//! The API inside a daemon.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use reqwest::StatusCode;

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_serves_the_api_if_it_is_told_to_and_ends_with_open_streams() {
    let db = testkit::db().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let made = std::process::Command::new(testkit::lgi_mm())
        .args(["token", "new", "--role", "viewer", "--name", "v", "--json"])
        .env("DATABASE_URL", &db.url)
        .output()
        .expect("a run");
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let token = made["secret"].as_str().expect("a token");
    let mut daemon = testkit::quick_daemon(&db.url)
        .env("LGI_MM__API__LISTEN", &address)
        .stderr(Stdio::null())
        .spawn()
        .expect("a daemon");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let ask = |path: &str| {
        client
            .get(format!("http://{address}/api/v1/{path}"))
            .bearer_auth(token)
            .send()
    };
    let begun = Instant::now();
    while !ask("jobs")
        .await
        .is_ok_and(|answer| answer.status() == StatusCode::OK)
    {
        assert!(begun.elapsed() < Duration::from_secs(60), "never served");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let stream = ask("events").await.expect("a stream");
    let pid = i32::try_from(daemon.id().expect("a process")).expect("a number");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM)
        .expect("a signal");
    let ended = tokio::time::timeout(Duration::from_secs(30), daemon.wait()).await;
    assert!(ended.expect("it ends").expect("an end").success());
    drop(stream);
}
