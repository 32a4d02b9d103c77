//! End to end on loopback: a paper trade fails, Prometheus scrapes it, the shipped rule fires, the shipped routes carry
//! it to a webhook and to Telegram's API, and it resolves.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

mod causes;

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{Request, State},
};
use serde_json::{Value, json};
use testkit::programs::{free_address, program};

/// Where the runbook of this test is.
const RUNBOOK: &str = "https://wiki.example.com/lgi-mm/runbook.md";

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(90);

/// Killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A program of the monitoring stack: in PATH, or where `scripts/test` unpacked it.
fn spawn(command: &mut Command, log: &Path) -> Process {
    let log = fs::File::create(log).expect("a log");
    let process = command
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .spawn();
    Process(process.expect("a program"))
}

/// What arrived: path and body.
type Received = Arc<Mutex<Vec<(String, Value)>>>;

async fn take(State(received): State<Received>, request: Request) -> Json<Value> {
    let path = request.uri().path().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20)
        .await
        .expect("a body");
    let body = serde_json::from_slice(&body).expect("JSON");
    received.lock().expect("what arrived").push((path, body));
    // What Telegram answers to a message; a webhook's answer is not read.
    Json(
        json!({"ok": true, "result": {"message_id": 1, "date": 1, "chat": {"id": -1, "type": "group", "title": "x"}}}),
    )
}

/// Replaces text that must be there.
fn replaced(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in\n{text}");
        text.replace(from, to)
    })
}

fn shipped(path: &str) -> String {
    fs::read_to_string(root().join("deploy").join(path)).expect("a shipped file")
}

/// The shipped configurations, with addresses of this test and shorter times.
fn configure(dir: &Path, daemon: SocketAddr, alertmanager: SocketAddr, receiver: SocketAddr) {
    let file = |name: &str| dir.join(name).display().to_string();
    fs::create_dir(dir.join("rules")).expect("a directory");
    let rules = replaced(
        &shipped("prometheus/rules/lgi-mm.yml"),
        &[("5m", "10s"), ("time() - 300", "time() - 10")],
    );
    fs::write(dir.join("rules/lgi-mm.yml"), rules).expect("rules");
    let target = format!("static_configs: [{{targets: [\"{daemon}\"]}}]");
    let discovery = |name: &str| {
        format!("dns_sd_configs:\n      - {{names: [{name}], type: A, port: 9464, refresh_interval: 15s}}")
    };
    let prometheus = replaced(
        &shipped("prometheus/prometheus.yml"),
        &[
            (&discovery("scheduler"), &target),
            (&discovery("worker"), &target),
            ("15s", "1s"),
            ("alertmanager:9093", &alertmanager.to_string()),
        ],
    );
    fs::write(dir.join("prometheus.yml"), prometheus).expect("a configuration");
    fs::write(dir.join("url"), format!("http://{receiver}/webhook")).expect("a secret");
    fs::write(dir.join("switch"), format!("http://{receiver}/switch")).expect("a secret");
    fs::write(dir.join("token"), "1:token").expect("a secret");
    fs::write(dir.join("chat"), "-42").expect("a secret");
    let routes = replaced(
        &shipped("alertmanager/alertmanager.yml"),
        &[
            (
                "global:\n",
                &format!("global:\n  telegram_api_url: http://{receiver}\n"),
            ),
            ("http://scheduler:9464", &format!("http://{daemon}")),
            ("http://worker:9464", &format!("http://{daemon}")),
            ("/run/secrets/alert_webhook_url", &file("url")),
            ("/run/secrets/dead_mans_switch_url", &file("switch")),
            ("/run/secrets/telegram_bot_token", &file("token")),
            ("/run/secrets/telegram_chat_id", &file("chat")),
            ("group_wait: 30s", "group_wait: 1s"),
            ("group_wait: 10s", "group_wait: 0s"),
            ("group_interval: 1m", "group_interval: 1s"),
        ],
    );
    fs::write(dir.join("alertmanager.yml"), routes).expect("a configuration");
}

fn alerting(dir: &Path, alertmanager: SocketAddr) -> Process {
    let file = |name: &str| dir.join(name).display().to_string();
    spawn(
        Command::new(program("prometheus-alertmanager"))
            .arg(format!("--config.file={}", file("alertmanager.yml")))
            .arg(format!("--storage.path={}", file("alerts")))
            .arg(format!("--web.listen-address={alertmanager}"))
            .arg("--cluster.listen-address="),
        &dir.join("alertmanager.log"),
    )
}

fn start(dir: &Path, url: &str, daemon: SocketAddr, alertmanager: SocketAddr) -> [Process; 3] {
    let file = |name: &str| dir.join(name).display().to_string();
    let trading = spawn(
        Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
            .arg("daemon")
            .env("DATABASE_URL", url)
            .env("LGI_MM__METRICS__LISTEN", daemon.to_string())
            .env("LGI_MM__METRICS__CENSUS_EVERY", "1s")
            .current_dir(dir),
        &dir.join("daemon.log"),
    );
    let alerting = alerting(dir, alertmanager);
    let watching = spawn(
        Command::new(program("prometheus"))
            .arg(format!("--config.file={}", file("prometheus.yml")))
            .arg(format!("--storage.tsdb.path={}", file("series")))
            .arg("--rules.alert.resend-delay=1s")
            .env("LGI_MM_RUNBOOK_URL", RUNBOOK)
            .arg(format!("--web.listen-address={}", free_address()))
            .current_dir(dir),
        &dir.join("prometheus.log"),
    );
    [trading, alerting, watching]
}

/// Runs a command of ours.
fn run(dir: &Path, url: &str, args: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
    let output = command
        .args(args)
        .env("DATABASE_URL", url)
        .current_dir(dir)
        .output()
        .expect("our own program");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
}

/// Waits for an alert in this state, in a webhook's message or in Telegram's.
async fn until_received(received: &Received, dir: &Path, what: &str, matches: impl Fn(&str, &Value) -> bool) {
    let begun = Instant::now();
    loop {
        let found = received
            .lock()
            .expect("what arrived")
            .iter()
            .any(|(path, body)| matches(path, body));
        if found {
            return;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "never: {what}\n{}",
            story(dir, received)
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Whatever else receives alerts, they are in the log of our services.
async fn until_logged(dir: &Path, what: &str) {
    let begun = Instant::now();
    while !fs::read_to_string(dir.join("daemon.log")).is_ok_and(|log| log.contains(what)) {
        assert!(begun.elapsed() < PATIENCE, "never logged: {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn story(dir: &Path, received: &Received) -> String {
    let logs = ["daemon.log", "alertmanager.log", "prometheus.log"]
        .map(|name| fs::read_to_string(dir.join(name)).unwrap_or_default());
    format!(
        "{}\n{:#?}",
        logs.join("\n---\n"),
        received.lock().expect("what arrived")
    )
}

fn webhook_says(path: &str, body: &Value, status: &str) -> bool {
    let alerts = body["alerts"].as_array().into_iter().flatten();
    path == "/webhook"
        && alerts.into_iter().any(|alert| {
            alert["labels"]["alertname"] == "TradeFailed"
                && alert["labels"]["reason"] == "reverted"
                && alert["status"] == status
                && alert["labels"]["severity"] == "warning"
                && alert["labels"]["lgi_mm_runbook"].is_null()
                && alert["annotations"]["runbook_url"] == format!("{RUNBOOK}?viewPanel=panel-1#tradefailed")
        })
}

/// Where alerts are sent to.
async fn receiver() -> (Received, SocketAddr) {
    let received = Received::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = Router::new().fallback(take).with_state(received.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (received, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_trade_reaches_the_webhook_and_telegram_and_resolves() {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    let dir = dir.path();
    let (received, receiver) = receiver().await;
    let (daemon, alertmanager) = (free_address(), free_address());
    configure(dir, daemon, alertmanager, receiver);
    let _stack = start(dir, &db.url, daemon, alertmanager);

    until_received(&received, dir, "the dead man's switch", |path, body| {
        path == "/switch" && body["commonLabels"]["alertname"] == "DeadMansSwitch"
    })
    .await;
    run(dir, &db.url, &["paper", "fault", "revert", "--times", "1"]);
    let token = "0xbbd9ade16525acb4b336b6dad3b9762901522b07";
    let cron = "schedule.cron=* * * * * *";
    run(
        dir,
        &db.url,
        &[
            "start",
            token,
            "--mode",
            "accumulate",
            "--set",
            cron,
            "--set",
            "price.sources=[\"generated\"]",
        ],
    );
    until_received(&received, dir, "the failed trade at the webhook", |path, body| {
        webhook_says(path, body, "firing")
    })
    .await;
    until_received(&received, dir, "the failed trade at Telegram", |path, body| {
        let text = body["text"].as_str().unwrap_or_default();
        path == "/bot1:token/sendMessage"
            && body["chat_id"] == "-42"
            && text.contains("FIRING [warning] TradeFailed: A trade failed: reverted")
            && text.contains(&format!("{RUNBOOK}?viewPanel=panel-1#tradefailed"))
    })
    .await;
    until_received(&received, dir, "its end", |path, body| {
        webhook_says(path, body, "resolved")
    })
    .await;
    until_logged(dir, "alert resolved").await;
    let log = fs::read_to_string(dir.join("daemon.log")).expect("a log");
    let fired = log.lines().find(|line| line.contains("alert=TradeFailed"));
    assert!(
        fired.is_some_and(|line| line.contains("WARN") && line.contains("A trade failed: reverted")),
        "{log}"
    );
}

/// Where the shipped routes send an alert.
fn receivers(labels: &[&str]) -> String {
    let output = Command::new(program("amtool"))
        .args(["config", "routes", "test", "--config.file"])
        .arg(root().join("deploy/alertmanager/alertmanager.yml"))
        .args(labels)
        .output()
        .expect("amtool");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{labels:?}: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn the_dead_mans_switch_has_a_receiver_of_its_own_and_every_other_alert_reaches_the_operators() {
    let rules = shipped("prometheus/rules/lgi-mm.yml");
    let mut alerts = 0;
    for rule in rules.split("- alert: ").skip(1) {
        let name = rule.lines().next().expect("a name");
        let (_, severity) = rule.split_once("severity: ").expect("a severity");
        let severity = severity.split('}').next().expect("a severity");
        let labels = [
            format!("alertname={name}"),
            format!("severity={severity}"),
            "chain=base".to_owned(),
        ];
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let expected = match name {
            "DeadMansSwitch" => "dead-mans-switch",
            _ => "operators",
        };
        assert_eq!(receivers(&labels), expected, "{name}");
        alerts += 1;
    }
    assert!(alerts > 20, "{alerts} alerts");
    let routes = shipped("alertmanager/alertmanager.yml");
    let (_, switch) = routes
        .split_once("- name: dead-mans-switch")
        .expect("its receiver");
    assert!(switch.contains("/run/secrets/dead_mans_switch_url"), "{switch}");
    assert!(!switch.contains("alert_webhook_url"), "{switch}");
}
