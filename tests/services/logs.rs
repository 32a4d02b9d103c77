//! What a daemon logs of real ticks: one line per decision, ids on every line, a failure once.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{schedulers::job, support};

/// A field of a line, its own or of a span around it.
fn field<'a>(line: &'a Value, name: &str) -> Option<&'a Value> {
    let spans = line["spans"].as_array().into_iter().flatten();
    let mut places = std::iter::once(line).chain(spans);
    places
        .find_map(|place| place.get(name))
        .filter(|value| !value.is_null())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_decision_is_one_line_and_a_failed_trade_is_said_once_with_its_ids() {
    let (db, dir) = (support::db().await, tempfile::tempdir().expect("a directory"));
    let sql = "INSERT INTO paper.faults (kind, chain, remaining) VALUES ('revert', 'base', 1)";
    sqlx::query(sql).execute(&db.pool).await.expect("a fault");
    let id = job(&db.pool, 1, "* * * * * *").await;
    let log = dir.path().join("log");
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
        .arg("daemon")
        .env("DATABASE_URL", &db.url)
        .env("LGI_MM__METRICS__LISTEN", "off")
        .env("LGI_MM__LOG__FORMAT", "json")
        .env("LGI_MM__TRADING__CHECK_INTERVAL", "100ms")
        .env_remove("RUST_LOG")
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).expect("a log"))
        .spawn()
        .expect("our own program");
    let begun = Instant::now();
    let done = "SELECT (SELECT count(*) FROM trades WHERE status = 'FAILED') = 1
                   AND (SELECT sum(slots_recorded) FROM job_slots) >= 6";
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
    let said = |message: &str| -> Vec<&Value> {
        lines
            .iter()
            .filter(|line| {
                line["message"]
                    .as_str()
                    .is_some_and(|text| text.starts_with(message))
            })
            .collect()
    };
    let decisions = said("held").len() + said("trade planned").len();
    let recorded: i64 = sqlx::query_scalar("SELECT sum(slots_recorded)::bigint FROM job_slots")
        .fetch_one(&db.pool)
        .await
        .expect("slots");
    assert_eq!(i64::try_from(decisions).expect("a count"), recorded, "{text}");
    assert_eq!(said("trade failed").len(), 1, "{text}");

    let of_engine = |line: &&Value| {
        let target = line["target"].as_str().unwrap_or_default();
        target.starts_with("lgi_mm::engine") && target != "lgi_mm::engine::recover"
    };
    for line in lines.iter().filter(of_engine) {
        let job = field(line, "job").map(|job| job.to_string().replace('"', ""));
        assert_eq!(job, Some(id.to_string()), "{line}");
        assert!(
            line["message"] == "held" || field(line, "trade").is_some(),
            "{line}"
        );
    }
}
