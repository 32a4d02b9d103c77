//! What services log: one line per decision, ids on every line, a failure once, and what they find when they start.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::services::schedulers::job;

#[tokio::test(flavor = "multi_thread")]
async fn each_decision_is_one_line_and_a_failed_trade_is_said_once_with_its_ids() {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    let sql = "INSERT INTO paper.faults (kind, chain, remaining) VALUES ('revert', 'base', 1)";
    sqlx::query(sql).execute(&db.pool).await.expect("a fault");
    let id = job(&db.pool, 1, "* * * * * *").await;
    let log = dir.path().join("log");
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
        .arg("daemon")
        .env("DATABASE_URL", &db.url)
        .env("LGI_MM__METRICS__LISTEN", "off")
        .env("LGI_MM__LOG__FORMAT", "json")
        // What is said once a minute only is said at debug.
        .env(
            "LGI_MM__LOG__FILTER",
            "info,lgi_mm::engine::slice::evaluate=debug",
        )
        .env("LGI_MM__TRADING__CHECK_INTERVAL", "100ms")
        .env_remove("RUST_LOG")
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).expect("a log"))
        .spawn()
        .expect("our own program");
    let begun = Instant::now();
    let done = "SELECT (SELECT count(*) FROM trades WHERE status = 'FAILED') = 1
                   AND (SELECT sum(slots_recorded) FROM job_slots) >= 6
                   AND EXISTS (SELECT FROM ticks WHERE outcome = 'hold' AND count >= 2)";
    while !sqlx::query_scalar::<_, bool>(done)
        .fetch_one(&db.pool)
        .await
        .expect("an answer")
    {
        assert!(begun.elapsed() < Duration::from_secs(60), "no failed trade");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(daemon.id()).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("a signal");
    assert!(daemon.wait().expect("an end").success());

    let text = fs::read_to_string(&log).expect("a log");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("one JSON object a line"))
        .collect();
    let holds = said(&lines, "held");
    let decisions = holds.len() + said(&lines, "trade planned").len();
    let recorded: i64 = sqlx::query_scalar("SELECT sum(slots_recorded)::bigint FROM job_slots")
        .fetch_one(&db.pool)
        .await
        .expect("slots");
    assert_eq!(i64::try_from(decisions).expect("a count"), recorded, "{text}");
    assert_eq!(said(&lines, "trade failed").len(), 1, "{text}");
    assert_quiet(&holds, begun.elapsed(), &text);
    for (line, raw) in lines.iter().zip(text.lines()) {
        assert_whole(line, raw, id.0);
    }
}

fn said<'a>(lines: &'a [Value], message: &str) -> Vec<&'a Value> {
    let says = |line: &&Value| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.starts_with(message))
    };
    lines.iter().filter(says).collect()
}

/// Of holds that stay the same, the first of a minute is for people.
fn assert_quiet(holds: &[&Value], lasted: Duration, text: &str) {
    let of_people = holds.iter().filter(|line| line["level"] == "INFO").count();
    let mut last = None;
    for hold in holds {
        let is_new = last.replace(&hold["reason"]) != Some(&hold["reason"]);
        assert!(
            !is_new || hold["level"] == "INFO",
            "a change is said at once: {hold}"
        );
    }
    let changes = holds
        .windows(2)
        .filter(|pair| pair[0]["reason"] != pair[1]["reason"]);
    let minutes = usize::try_from(lasted.as_secs() / 60).expect("minutes");
    let most = 1 + changes.count() + minutes;
    assert!(
        (1..=most).contains(&of_people) && of_people < holds.len(),
        "{of_people} of at most {most}: {text}"
    );
}

/// A line of the engine names its job, and its trade if it has one, each once.
fn assert_whole(line: &Value, raw: &str, job: i64) {
    let target = line["target"].as_str().unwrap_or_default();
    if !target.starts_with("lgi_mm::engine") {
        return;
    }
    for key in ["job", "trade", "realm", "symbol"] {
        let times = raw.matches(&format!("\"{key}\":")).count();
        assert!(times <= 1, "{key} {times} times: {raw}");
    }
    // What a process finds when it starts is no tick.
    if target != "lgi_mm::engine::trade::recover" {
        assert_eq!(line["job"], json!(job), "{line}");
        assert_eq!(line["realm"], "paper", "{line}");
        assert!(line["symbol"].is_string(), "{line}");
        assert!(line["message"] == "held" || line["trade"].is_number(), "{line}");
    }
}

/// For the newest `max_jobs` jobs without a trade.
const OPEN_TRADES: &str = "
INSERT INTO trades (job_id, slot, cycle, side, reason, status, amount_in, amount_out_expected, amount_out_min, value_usd,
                    config_version, expires_at, base_amount, quote_amount, price_usd, plan_price_usd, next_check_at)
SELECT id, '2026-01-01', 1, 'BUY', 'DCA', 'PENDING', 1, 1, 1, 1, 1, now(), 1, 1, 1, 1, now()
FROM jobs WHERE NOT EXISTS (SELECT FROM trades WHERE job_id = jobs.id) ORDER BY id DESC LIMIT $1";

/// What a worker says of what it found when it started.
fn found(url: &str, filter: &str) -> Vec<Value> {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("log");
    let mut worker = Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
        .arg("worker")
        .env("DATABASE_URL", url)
        .env("LGI_MM__METRICS__LISTEN", "off")
        .env("LGI_MM__LOG__FORMAT", "json")
        .env("LGI_MM__LOG__FILTER", filter)
        .env_remove("RUST_LOG")
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).expect("a log"))
        .spawn()
        .expect("our own program");
    let begun = Instant::now();
    while !fs::read_to_string(&log).expect("a log").contains("found jobs") {
        assert!(begun.elapsed() < Duration::from_secs(60), "it says nothing");
        std::thread::sleep(Duration::from_millis(50));
    }
    // It says the rest before it looks whether it is to stop.
    let pid = nix::unistd::Pid::from_raw(i32::try_from(worker.id()).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("a signal");
    assert!(worker.wait().expect("an end").success());
    let text = fs::read_to_string(&log).expect("a log");
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("one JSON object a line"))
        .filter(|line| line["target"] == "lgi_mm::engine::trade::recover")
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_starts_says_how_much_it_found_and_each_only_if_they_are_few() {
    let db = testkit::db().await;
    let mut newest = 0;
    for number in 1..=20 {
        newest = job(&db.pool, number, "0 0 1 1 *").await.0;
    }
    let open_trades = async |count: i64| {
        let made = sqlx::query(OPEN_TRADES).bind(count).execute(&db.pool).await;
        made.expect("open trades");
    };
    open_trades(1).await;
    let found_by = async |filter: &'static str| {
        let url = db.url.clone();
        let found = tokio::task::spawn_blocking(move || found(&url, filter));
        found.await.expect("lines")
    };
    let counts = |lines: &[Value]| {
        let said = |what: &str| lines.iter().filter(|line| line["message"] == what).count();
        (said("found job"), said("found open trade, carrying it on"))
    };
    let few = found_by("info").await;
    assert_eq!((few.len(), counts(&few)), (22, (20, 1)), "{few:?}");
    assert_eq!((&few[0]["jobs"], &few[0]["open_trades"]), (&json!(20), &json!(1)));
    let (job_line, trade_line) = (&few[1], &few[21]);
    for key in [
        "job",
        "realm",
        "symbol",
        "status",
        "last_dca_buy",
        "balance",
        "spent_usd",
    ] {
        assert!(!job_line[key].is_null(), "no {key}: {job_line}");
    }
    assert_eq!(trade_line["job"], json!(newest), "{trade_line}");
    for key in ["trade", "realm", "symbol"] {
        assert!(!trade_line[key].is_null(), "no {key}: {trade_line}");
    }

    job(&db.pool, 21, "0 0 1 1 *").await;
    let many = found_by("info").await;
    assert_eq!((many.len(), counts(&many)), (2, (0, 1)), "{many:?}");
    assert_eq!(many[0]["jobs"], json!(21));
    open_trades(20).await;
    let many = found_by("info").await;
    assert_eq!((many.len(), &many[0]["open_trades"]), (1, &json!(21)), "{many:?}");
    let all = found_by("info,lgi_mm::engine::trade::recover=debug").await;
    assert_eq!((all.len(), counts(&all)), (43, (21, 21)), "{all:?}");
}
