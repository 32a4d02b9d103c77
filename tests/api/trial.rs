//! Before something is done: edits and starts that are only checked, backtests, and all that was done as a file.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Answer, Served, TOKEN, answer, quiet_job};

async fn post(served: &Served, token: &str, path: &str, body: Value) -> Answer {
    // A key of its own for each.
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let key = NUMBER.fetch_add(1, Ordering::Relaxed);
    let request = served.request(Method::POST, path).bearer_auth(token);
    answer(request.header("Idempotency-Key", key).json(&body)).await
}

async fn ask(served: &Served, token: &str, path: &str, body: Value) -> Answer {
    answer(served.request(Method::POST, path).bearer_auth(token).json(&body)).await
}

/// A difference, or each key that cannot have its value.
async fn an_edit_is_checked(served: &Served, owner: &str) {
    let check = "/api/v1/jobs/1/config/check";
    let set = json!({ "set": ["accumulate.dca_amount_usd=25", "limits.max_slippage_bps=50"] });
    let shown = ask(served, owner, check, set).await;
    assert_eq!(shown.status, StatusCode::OK, "{shown:?}");
    let shown = shown.json();
    assert_eq!(
        (&shown["changed"], &shown["config_version"]),
        (&true.into(), &2.into())
    );
    let key = &shown["keys"][0];
    assert_eq!(
        (&key["key"], &key["before"], &key["after"]),
        (&"accumulate.dca_amount_usd".into(), &"10".into(), &"25".into())
    );
    let same = ask(
        served,
        owner,
        check,
        json!({ "set": ["accumulate.dca_amount_usd=10"] }),
    )
    .await;
    assert_eq!(same.json()["changed"], false);
    let two = json!({ "set": ["accumulate.dca_amount_usd=-1", "limits.max_slippage_bps=0"] });
    let wrong = ask(served, owner, check, two).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let detail = wrong.json()["detail"].as_str().expect("text").to_owned();
    for key in [
        "accumulate.dca_amount_usd = -1 is not allowed",
        "limits.max_slippage_bps = 0 is not allowed",
    ] {
        assert!(detail.lines().any(|line| line.starts_with(key)), "{detail}");
    }
}

fn start() -> Value {
    let set = ["price.sources=generated", "accumulate.dca_amount_usd=12"];
    json!({ "token": TOKEN, "mode": "ACCUMULATE", "symbol": "CLAWD", "set": set })
}

/// What it would do; and what is known of a token.
async fn a_start_is_checked(served: &Served, owner: &str) {
    let would = ask(served, owner, "/api/v1/jobs/check", start()).await;
    assert_eq!(would.status, StatusCode::OK, "{would:?}");
    let would = would.json();
    assert_eq!(
        (&would["job"], &would["symbol"], &would["realm"]),
        (&Value::Null, &"CLAWD".into(), &"paper".into())
    );
    assert!(
        would["spends"]
            .as_str()
            .is_some_and(|spends| spends.starts_with("buys 12 USD every 4h")),
        "{would}"
    );
    assert_eq!(would["config"]["accumulate"]["dca_amount_usd"], "12");
    assert_eq!(would["costs"]["amount_usd"], "12");
    let wrong = json!({ "token": TOKEN, "mode": "ACCUMULATE", "set": ["accumulate.dca_amount=12"] });
    let wrong = ask(served, owner, "/api/v1/jobs/check", wrong).await;
    assert!(
        wrong.text.contains("did you mean accumulate.dca_amount_usd"),
        "{wrong:?}"
    );
    // Where no price site answers, it is said; a token that a job knows is found by its name.
    let found = ask(
        served,
        owner,
        "/api/v1/look",
        json!({ "token": "t1", "amount_usd": "50" }),
    )
    .await;
    assert_eq!(found.status, StatusCode::OK, "{found:?}");
    let found = found.json();
    assert_eq!(
        (&found["chain"], &found["costs"]["amount_usd"]),
        (&"base".into(), &"50".into())
    );
    assert!(
        found["remarks"][0]
            .as_str()
            .is_some_and(|why| why.contains("were not found")),
        "{found}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_and_a_start_are_checked_in_the_words_of_the_command_line_and_change_nothing() {
    let served = Served::new().await;
    quiet_job(&served, 1);
    let owner = served.token("owner");
    let count = async || -> (i64, i64, i64) {
        let rows = "SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM job_events),
                           (SELECT count(*) FROM api_requests)";
        sqlx::query_as(rows)
            .fetch_one(&served.db.pool)
            .await
            .expect("counts")
    };
    let before = count().await;
    an_edit_is_checked(&served, &owner).await;
    a_start_is_checked(&served, &owner).await;
    assert_eq!(count().await, before);

    let started = post(&served, &owner, "/api/v1/jobs", start()).await;
    assert_eq!(started.status, StatusCode::OK, "{started:?}");
    let again = ask(&served, &owner, "/api/v1/jobs/check", start()).await.json();
    assert_eq!(
        (&again["job"], &again["does"]),
        (&2.into(), &"is already running".into())
    );
}

/// Hourly prices that swing.
pub fn prices(hours: u32) -> String {
    let rows = (0..hours).map(|hour| {
        let day = hour / 24 + 1;
        let price = 100 + (hour % 48).abs_diff(24);
        format!("2026-01-{day:02}T{:02}:00:00Z,{price}\n", hour % 24)
    });
    format!("time,price\n{}", rows.collect::<String>())
}

pub async fn ended(served: &Served, token: &str, started: &Answer) -> Value {
    assert_eq!(started.status, StatusCode::OK, "{started:?}");
    let begun = Instant::now();
    let path = format!("/api/v1/backtests/{}", started.json()["run"]);
    loop {
        let run = served.get(token, &path).await.json();
        if run["state"] == "done" || run["state"] == "failed" {
            return run;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{run}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What cannot be run at all is refused, wrong prices too.
async fn refusals(served: &Served, operator: &str, body: &Value) {
    let mut broken = body.clone();
    broken["csv"] = "time,price\n2026-01-01T00:00:00Z,1\n2026-01-01T01:00:00Z,none\n".into();
    let refused = post(served, operator, "/api/v1/backtests", broken).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{refused:?}");
    let error = refused.json()["detail"].as_str().expect("why").to_owned();
    assert!(
        error.starts_with("`csv`: swings.csv") && error.contains("line 3") && !error.contains("/tmp"),
        "{error}"
    );
    for (change, said) in [
        (json!({ "csv": "no prices at all\n1;2;3\n" }), "`csv`: swings.csv"),
        (json!({ "csv": "" }), "`csv`: swings.csv"),
        (
            json!({ "walk_forward": 2 }),
            "`walk_forward` 2: it tests the best of a sweep",
        ),
        (json!({ "sort_by": "net" }), "`sort_by`: it ranks"),
        (
            json!({ "from": "2026-01-01" }),
            "`from`: it chooses candles of `token`",
        ),
    ] {
        let mut body = body.clone();
        for (key, value) in change.as_object().expect("members") {
            body[key] = value.clone();
        }
        let refused = post(served, operator, "/api/v1/backtests", body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{change}: {refused:?}");
        let detail = refused.json()["detail"].as_str().expect("why").to_owned();
        assert!(detail.starts_with(said), "{change}: {detail}");
    }
    for (wrong, said) in [
        (json!({ "mode": "ACCUMULATE" }), "`csv` or `token`"),
        (
            json!({ "csv": "x", "mode": "ACCUMULATE", "set": ["accumulate.dca_amount_usd=0"] }),
            "accumulate.dca_amount_usd",
        ),
        (
            json!({ "csv": "x", "mode": "ACCUMULATE", "sweep": ["accumulate.dca_amount_usd=9..1:1"] }),
            "`sweep`",
        ),
        (
            json!({
                "csv": "x", "mode": "ACCUMULATE", "set": ["accumulate.dca_amount_usd=5"],
                "sweep": ["accumulate.dca_amount_usd=1..9:1"],
            }),
            "both a value and a range",
        ),
    ] {
        let refused = post(served, operator, "/api/v1/backtests", wrong.clone()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{wrong}: {refused:?}");
        assert!(refused.text.contains(said), "{wrong}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn backtests_run_one_after_the_other_are_as_the_command_lines_and_have_their_report() {
    let served = Served::new().await;
    let (operator, viewer) = (served.token("operator"), served.token("viewer"));
    let body = json!({
        "csv": prices(600), "name": "swings.csv", "mode": "ACCUMULATE", "symbol": "SWING",
        "set": ["accumulate.dca_interval=1d"],
    });
    let forbidden = post(&served, &viewer, "/api/v1/backtests", body.clone()).await;
    assert_eq!(forbidden.status, StatusCode::FORBIDDEN);
    let run = post(&served, &operator, "/api/v1/backtests", body.clone()).await;
    let run = ended(&served, &viewer, &run).await;
    assert_eq!(run["state"], "done", "{run}");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), prices(600)).expect("prices");
    let path = file.path().to_str().expect("a path");
    let set = "accumulate.dca_interval=1d";
    let printed = served.cli(&["backtest", "--prices", path, "--mode", "accumulate", "--set", set]);
    assert_eq!(run["summary"], printed["summary"]);
    assert_eq!(run["series"]["name"], "swings.csv");

    let mut sweep = body.clone();
    sweep["sweep"] = json!([
        "accumulate.take_profit_pct=10..30:10",
        "accumulate.dip_buy_threshold_pct=5..10:5"
    ]);
    sweep["walk_forward"] = 2.into();
    let swept = post(&served, &operator, "/api/v1/backtests", sweep).await;
    let swept = ended(&served, &viewer, &swept).await;
    assert_eq!(
        (&swept["state"], &swept["done"], &swept["total"]),
        (&"done".into(), &18.into(), &18.into()),
        "{swept}"
    );
    assert_eq!(swept["swept"]["configurations"].as_array().map(Vec::len), Some(6));
    let listed = served.get(&viewer, "/api/v1/backtests").await.json();
    assert_eq!(
        (&listed[0]["run"], &listed[1]["run"]),
        (&swept["run"], &run["run"])
    );

    let report = served
        .get(&viewer, &format!("/api/v1/backtests/{}/report", run["run"]))
        .await;
    assert_eq!(report.status, StatusCode::OK);
    assert!(report.text.contains("Accumulating SWING over swings.csv"));
    let policy = report.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "sandbox allow-scripts",
        "frame-ancestors 'self'",
        "script-src 'sha256-",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    refusals(&served, &operator, &body).await;
    let gone = served.get(&viewer, "/api/v1/backtests/1").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert!(gone.text.contains("end with the server"), "{gone:?}");
}

/// Many configurations over many prices: it takes a while.
fn long() -> Value {
    let rows = (0..40_000_u32).map(|minute| {
        let at = 1_767_225_600 + u64::from(minute) * 60;
        format!("{at},{}\n", 100 + (minute % 480).abs_diff(240))
    });
    json!({
        "csv": format!("time,price\n{}", rows.collect::<String>()), "mode": "ACCUMULATE",
        "set": ["schedule.cron=* * * * *"],
        "sweep": ["accumulate.dca_amount_usd=1..40:1", "accumulate.dip_buy_threshold_pct=1..40:1"],
    })
}

async fn state(served: &Served, token: &str, run: &Value) -> String {
    let path = format!("/api/v1/backtests/{run}");
    let seen = served.get(token, &path).await.json();
    seen["state"].as_str().expect("a state").to_owned()
}

/// One that runs for long, and those that wait behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_backtest_can_be_cancelled_and_nobody_s_queue_blocks_another() {
    let served = Served::new().await;
    let (operator, owner, viewer) = (
        served.token("operator"),
        served.token("owner"),
        served.token("viewer"),
    );
    let cancel = async |token: &str, run: &Value| {
        let path = format!("/api/v1/backtests/{run}");
        let request = served.request(Method::DELETE, &path).bearer_auth(token);
        answer(
            request
                .header("Idempotency-Key", format!("cancel {run}"))
                .json(&json!({})),
        )
        .await
    };
    let mut runs = Vec::new();
    for _ in 0..5 {
        let started = post(&served, &operator, "/api/v1/backtests", long()).await;
        assert_eq!(started.status, StatusCode::OK, "{started:?}");
        runs.push(started.json()["run"].clone());
    }
    let sixth = post(&served, &operator, "/api/v1/backtests", long()).await;
    assert_eq!(sixth.status, StatusCode::CONFLICT, "{sixth:?}");
    assert!(sixth.text.contains("5 backtests of yours"), "{sixth:?}");
    // Somebody else starts one all the same, and comes up next: they have had no turn yet.
    let small = json!({ "csv": prices(48), "mode": "ACCUMULATE" });
    let theirs = post(&served, &owner, "/api/v1/backtests", small).await;
    assert_eq!(theirs.status, StatusCode::OK, "{theirs:?}");
    assert_eq!(theirs.json()["by"], "api:owner");
    assert_eq!(cancel(&viewer, &runs[0]).await.status, StatusCode::FORBIDDEN);
    let not_theirs = cancel(&operator, &theirs.json()["run"]).await;
    assert_eq!(not_theirs.status, StatusCode::CONFLICT, "{not_theirs:?}");
    assert!(
        not_theirs.text.contains("was started by api:owner"),
        "{not_theirs:?}"
    );
    let cancelled = cancel(&operator, &runs[0]).await;
    assert_eq!(
        (cancelled.status, &cancelled.json()["state"]),
        (StatusCode::OK, &"cancelled".into()),
        "{cancelled:?}"
    );
    let ended = ended(&served, &viewer, &theirs).await;
    assert_eq!(ended["state"], "done", "{ended}");
    // One that waits is cancelled before its turn; an owner cancels anybody's.
    for run in &runs[1..] {
        let cancelled = cancel(&owner, run).await;
        assert_eq!(cancelled.json()["state"], "cancelled", "{cancelled:?}");
    }
    let over = cancel(&owner, &theirs.json()["run"]).await;
    assert_eq!(over.status, StatusCode::CONFLICT, "{over:?}");
    assert!(over.text.contains("is done"), "{over:?}");
    for run in &runs {
        assert_eq!(state(&served, &viewer, run).await, "cancelled");
    }
    let next = post(
        &served,
        &operator,
        "/api/v1/backtests",
        json!({ "csv": prices(48), "mode": "ACCUMULATE" }),
    )
    .await;
    let next = self::ended(&served, &viewer, &next).await;
    assert_eq!(next["state"], "done", "the queue is free: {next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_was_moved_is_a_file_as_the_command_line_writes_it() {
    let served = Served::new().await;
    quiet_job(&served, 1);
    served.cli(&["tick", "1"]);
    let viewer = served.token("viewer");
    let table = served.get(&viewer, "/api/v1/export?format=csv").await;
    assert_eq!(table.status, StatusCode::OK, "{table:?}");
    assert!(table.header("content-disposition").contains("lgi-mm.csv"));
    let lines: Vec<&str> = table.text.lines().collect();
    assert_eq!(lines.len(), 2, "{table:?}");
    assert!(lines[0].starts_with("kind,at,realm,chain") && lines[1].contains(",paper,base,"));
    let rows = served
        .get(&viewer, "/api/v1/export?format=json&realm=paper")
        .await
        .json();
    assert_eq!(rows, served.cli(&["export", "--paper"]));
    let live = served.get(&viewer, "/api/v1/export?realm=live").await;
    assert_eq!(live.text.lines().count(), 1, "the heading alone: {live:?}");
}
