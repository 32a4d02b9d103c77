//! Real processes: killed at the worst moment, side by side, and trading while a receiver hangs.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use lgi_mm::failpoint;
use serde_json::Value;
use testkit::clawd;

use crate::notify::{
    inbox::{Answer, Inbox},
    world::{SECRET, World},
};

/// A service; killed when dropped.
struct Service(Child);

impl Service {
    fn start(command: &str, world: &World, dir: &Path, receivers: &str, failpoint: Option<&str>) -> Self {
        let settings = dir.join("lgi-mm.toml");
        std::fs::write(&settings, receivers).expect("settings");
        let mut process = Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
        process
            .arg(command)
            .arg("--settings")
            .arg(&settings)
            .env("DATABASE_URL", &world.db.url)
            .env("LGI_MM__METRICS__LISTEN", "off")
            .env("LGI_MM__TRADING__CHECK_INTERVAL", "100ms")
            .env("LGI_MM__PAPER__BLOCK_TIME", "50ms")
            .current_dir(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(place) = failpoint {
            process.env(failpoint::VARIABLE, place);
        }
        Self(process.spawn().expect("our own program"))
    }

    fn until_dead(&mut self) {
        let begun = Instant::now();
        while self.0.try_wait().expect("a process").is_none() {
            assert!(begun.elapsed() < Duration::from_secs(30), "it was never killed");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn hook(name: &str, inbox: &Inbox) -> String {
    format!(
        "[notify.receivers.{name}]\nkind = \"webhook\"\nurl = \"{}\"\nsecret = \"{SECRET}\"\n",
        inbox.url()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_sending_and_noting_it_is_sent_again_with_the_same_id() {
    let (world, inbox) = (World::new().await, Inbox::start().await);
    let dir = tempfile::tempdir().expect("a directory");
    let text = format!("[notify]\ntimeout = \"100ms\"\n{}", hook("hook", &inbox));
    let mut doomed = Service::start("scheduler", &world, dir.path(), &text, Some(failpoint::NOTIFIED));
    world.until_registered(1).await;
    let job = world.job(Value::Null).await;
    let event = world.filled(job).await;
    inbox.until(1).await;
    tokio::task::block_in_place(|| doomed.until_dead());
    assert_eq!(world.count("waiting").await, 1, "it took it, and nobody knows");

    let _another = Service::start("scheduler", &world, dir.path(), &text, None);
    let received = inbox.until(2).await;
    world
        .until(
            "it is noted",
            "SELECT count(*) = 1 FROM deliveries WHERE status = 'delivered' AND attempts = 2",
        )
        .await;
    for received in received {
        assert_eq!(received.id(), format!("{event}-hook"));
    }
    assert_eq!(inbox.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_deliver_each_event_once_while_all_is_well() {
    let (world, inbox) = (World::new().await, Inbox::start().await);
    let dir = tempfile::tempdir().expect("a directory");
    let text = hook("hook", &inbox);
    let _both = [(); 2].map(|()| Service::start("scheduler", &world, dir.path(), &text, None));
    world.until_registered(1).await;
    let job = world.job(Value::Null).await;
    let mut expected = BTreeMap::new();
    for _ in 0..100 {
        expected.insert(format!("{}-hook", world.filled(job).await), 1);
    }
    world
        .until(
            "all are noted",
            "SELECT count(*) = 100 FROM deliveries WHERE status = 'delivered'",
        )
        .await;
    let mut times: BTreeMap<String, i32> = BTreeMap::new();
    for received in inbox.received() {
        *times.entry(received.id()).or_default() += 1;
    }
    assert_eq!(times, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_keeps_no_trade_waiting_and_a_real_trade_reaches_the_other() {
    let world = World::new().await;
    let (hanging, quick) = (Inbox::answering(|_, _| Answer::Hang).await, Inbox::start().await);
    let dir = tempfile::tempdir().expect("a directory");
    let text = format!(
        "[notify]\ntimeout = \"1m\"\n{}{}",
        hook("hangs", &hanging),
        hook("quick", &quick)
    );
    clawd::start(&world.db.url, dir.path(), &["accumulate.dca_interval=1s"]);
    let _daemon = Service::start("daemon", &world, dir.path(), &text, None);
    hanging.until(1).await;
    // Three more trades, while the first message hangs.
    world
        .until(
            "trades continue",
            "SELECT count(*) >= 4 FROM trades WHERE status = 'EXECUTED'",
        )
        .await;
    let received = quick.until(3).await;
    assert_eq!(hanging.received().len(), 1);
    let body = received[0].json();
    assert_eq!(body["type"], "trade.filled");
    assert!(
        body["text"]
            .as_str()
            .expect("a text")
            .starts_with("paper base - Bought"),
        "{body}"
    );
}

/// Reads a page of metrics until it has this line.
async fn until_scraped(port: u16, line: &str) {
    let (begun, url) = (Instant::now(), format!("http://127.0.0.1:{port}/metrics"));
    loop {
        let page = match reqwest::get(&url).await {
            Ok(page) => page.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        };
        if page.lines().any(|found| found.starts_with(line)) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "never: {line}\n{page}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_log_say_once_that_a_receiver_is_down_and_once_that_it_is_back() {
    let world = World::new().await;
    let inbox = Inbox::answering(|place, _| match place {
        0..3 => Answer::Status(500, None, String::new()),
        _ => Answer::Ok,
    })
    .await;
    let dir = tempfile::tempdir().expect("a directory");
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = port.local_addr().expect("an address");
    drop(port);
    // An event without receivers is not kept waiting.
    world.event(None, "signer.halted", serde_json::json!({})).await;
    let run = |receivers: &str, log: &str| {
        std::fs::write(dir.path().join("lgi-mm.toml"), receivers).expect("settings");
        let process = Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
            .arg("scheduler")
            .env("DATABASE_URL", &world.db.url)
            .env("LGI_MM__METRICS__LISTEN", address.to_string())
            .env("LGI_MM__METRICS__CENSUS_EVERY", "1s")
            .env_remove("RUST_LOG")
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(dir.path().join(log)).expect("a log"))
            .spawn();
        Service(process.expect("our own program"))
    };
    let nobody = run("", "log");
    until_scraped(address.port(), "lgi_mm_outbox_pending 0").await;
    drop(nobody);

    let _scheduler = run(&hook("hook", &inbox), "log");
    world.until_registered(1).await;
    let job = world.job(Value::Null).await;
    world.filled(job).await;
    until_scraped(address.port(), "lgi_mm_outbox_pending 1").await;
    until_scraped(
        address.port(),
        "lgi_mm_notifications_total{receiver=\"hook\",outcome=\"failed\"} 3",
    )
    .await;
    until_scraped(
        address.port(),
        "lgi_mm_notifications_total{receiver=\"hook\",outcome=\"delivered\"} 1",
    )
    .await;
    until_scraped(address.port(), "lgi_mm_outbox_pending 0").await;
    let log = std::fs::read_to_string(dir.path().join("log")).expect("a log");
    let said = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    assert_eq!(
        (said("receiver is down"), said("receiver is up again")),
        (1, 1),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_tells_nobody_of_its_invented_trades() {
    let inbox = Inbox::start().await;
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("lgi-mm.toml"), hook("hook", &inbox)).expect("settings");
    let demo = Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
        .args(["demo", "--for", "8s", "--json"])
        .env_remove("DATABASE_URL")
        .current_dir(dir.path())
        .output()
        .expect("our own program");
    let said = String::from_utf8_lossy(&demo.stdout);
    assert!(
        demo.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&demo.stderr)
    );
    let summary: Value = serde_json::from_str(&said).expect("JSON");
    assert!(
        summary["trades"]["DCA"].as_u64().unwrap_or_default() > 0,
        "{summary}"
    );
    assert_eq!(inbox.received().len(), 0);
}
