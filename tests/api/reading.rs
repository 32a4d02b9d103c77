//! What is read is what the command line prints.

use reqwest::StatusCode;
use serde_json::Value;

use crate::server::{Served, quiet_job};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_is_what_the_command_line_prints_as_json() {
    let served = Served::new().await;
    quiet_job(&served, 1);
    served.cli(&["tick", "1"]);
    let viewer = served.token("viewer");
    for (path, args) in [
        ("/api/v1/jobs/1/config", vec!["config", "show", "1"]),
        ("/api/v1/config/keys", vec!["config", "keys"]),
        ("/api/v1/trades", vec!["trades"]),
        ("/api/v1/trades?job=1", vec!["trades", "1"]),
        ("/api/v1/pnl?by=month", vec!["pnl", "--by", "month"]),
        ("/api/v1/paper/base", vec!["paper", "wallet"]),
    ] {
        let answer = served.get(&viewer, path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        let mut printed = served.cli(&args);
        let mut read = answer.json();
        // When it was asked.
        for value in [&mut printed, &mut read] {
            if let Some(members) = value.as_object_mut() {
                members.remove("now");
            }
        }
        assert_eq!(read, printed, "{path}");
    }
    let status = served.get(&viewer, "/api/v1/jobs/1").await.json();
    let printed = served.cli(&["status", "1"]);
    for key in [
        "job",
        "status",
        "position",
        "config",
        "trades",
        "config_version",
        "next_slot",
    ] {
        assert_eq!(status[key], printed[key], "{key}");
    }
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().expect("members").keys().cloned().collect() };
    assert_eq!(keys(&status), keys(&printed));
    let logs = served.get(&viewer, "/api/v1/logs?since=1h").await.json();
    assert!(logs.as_array().is_some_and(|lines| lines.len() > 1), "{logs}");
    for (path, status) in [
        ("/api/v1/jobs/2", StatusCode::NOT_FOUND),
        ("/api/v1/jobs?realm=none", StatusCode::BAD_REQUEST),
        ("/api/v1/jobs?wrong=1", StatusCode::BAD_REQUEST),
        ("/api/v1/trades?from=yesterday", StatusCode::BAD_REQUEST),
        ("/api/v1/logs?limit=5000", StatusCode::BAD_REQUEST),
        ("/api/v1/paper/nowhere", StatusCode::BAD_REQUEST),
        ("/api/v1/jobs/%FF", StatusCode::BAD_REQUEST),
    ] {
        let answer = served.get(&viewer, path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_each_other_without_gap_or_double_whatever_is_added_meanwhile() {
    let served = Served::new().await;
    for n in 1..=5 {
        quiet_job(&served, n);
    }
    let viewer = served.token("viewer");
    let (mut path, mut seen) = ("/api/v1/jobs?limit=2&realm=paper".to_owned(), Vec::new());
    loop {
        let page = served.get(&viewer, &path).await;
        let jobs = page.json();
        seen.extend(
            jobs.as_array()
                .expect("jobs")
                .iter()
                .map(|job| job["job"].as_i64().expect("a number")),
        );
        if seen.len() == 2 {
            quiet_job(&served, 6);
        }
        let Some(next) = page.header("link").strip_prefix('<') else {
            break;
        };
        path = next.split('>').next().expect("a path").to_owned();
        assert!(path.contains("realm=paper"), "{path}");
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6]);
    let by_name = served.get(&viewer, "/api/v1/jobs?token=t3").await.json();
    assert_eq!(by_name[0]["job"], 3);
    assert_eq!(by_name.as_array().map(Vec::len), Some(1));
}
