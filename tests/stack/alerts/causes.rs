//! One cause is one message: the shipped Alertmanager configuration, fed with the alerts that follow from one another.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use testkit::programs::free_address;

use super::{alerting, configure, receiver, until_received};

/// An alert as Prometheus sends it.
fn alert(name: &str, severity: &str, more: Value) -> Value {
    let mut labels = json!({"alertname": name, "severity": severity});
    for (key, value) in more.as_object().into_iter().flatten() {
        labels[key] = value.clone();
    }
    json!({"labels": labels, "annotations": {"summary": name, "runbook_url": "https://example.com"}})
}

/// The alerts that arrive when `alerts` are raised together. The last one is sent by its own route, after the others
/// would have been.
async fn sent(alerts: &[Value]) -> BTreeSet<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let (received, to) = receiver().await;
    let alertmanager = free_address();
    configure(dir.path(), free_address(), alertmanager, to);
    let _alerting = alerting(dir.path(), alertmanager);
    let client = reqwest::Client::new();
    let url = format!("http://{alertmanager}/api/v2/alerts");
    let raise = async |alerts: &[Value]| {
        let answer = client.post(&url).json(&alerts).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    };
    let begun = std::time::Instant::now();
    while !raise(alerts).await {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "Alertmanager does not answer"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Alertmanager sends what is raised later in the same route not before what was raised earlier.
    let last = alert("LowGasBalance", "warning", json!({"chain": "the last"}));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(raise(&[last]).await);
    until_received(&received, dir.path(), "the last alert", |path, body| {
        path == "/webhook" && body["commonLabels"]["chain"] == "the last"
    })
    .await;
    let all = received.lock().expect("what arrived");
    let webhook = all.iter().filter(|(path, _)| path == "/webhook");
    let alerts = webhook.flat_map(|(_, body)| body["alerts"].as_array().into_iter().flatten());
    let name = |alert: &Value| alert["labels"]["alertname"].as_str().expect("a name").to_owned();
    alerts.map(name).filter(|name| name != "LowGasBalance").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_do_not_answer_are_one_message_and_a_stuck_trade_is_another() {
    let base = json!({"chain": "base"});
    let alerts = [
        alert("StalePrice", "warning", json!({})),
        alert("PriceSourceErrors", "warning", json!({"source": "onchain"})),
        alert("NonceGap", "warning", base.clone()),
        alert("RpcErrors", "warning", base),
        alert("StuckTrade", "critical", json!({})),
    ];
    assert_eq!(
        sent(&alerts).await,
        ["RpcErrors", "StuckTrade"].map(str::to_owned).into()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_another_cause_is_sent_beside_it() {
    let alerts = [
        alert("RpcErrors", "warning", json!({"chain": "base"})),
        alert("NonceGap", "warning", json!({"chain": "ethereum"})),
        alert("PriceSourceErrors", "warning", json!({"source": "dexscreener"})),
        alert("JobInError", "critical", json!({})),
    ];
    let all = ["JobInError", "NonceGap", "PriceSourceErrors", "RpcErrors"];
    assert_eq!(sent(&alerts).await, all.map(str::to_owned).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_away_is_one_message_for_each_kind_of_process() {
    let alerts = [
        alert(
            "ProcessDown",
            "warning",
            json!({"job": "worker", "instance": "a"}),
        ),
        alert("QueueBacklog", "warning", json!({"queue": "ticks"})),
        alert("SlotsUnclaimed", "critical", json!({})),
        alert("CensusGone", "critical", json!({})),
        alert("NonceGap", "warning", json!({"chain": "base"})),
        alert("SchedulerGone", "critical", json!({})),
        alert("WorkerGone", "critical", json!({})),
    ];
    assert_eq!(
        sent(&alerts).await,
        ["SchedulerGone", "WorkerGone"].map(str::to_owned).into()
    );
}
