//! Signals: done once for each id, and never more than the job allows.

mod refused;
mod sender;

use std::process::Stdio;

use reqwest::StatusCode;
use serde_json::json;

use self::sender::{Signed, asked, count, is_final, secret, serve, status};
use crate::server::{Served, TOKEN, quiet_job};

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_pauses_resumes_and_ticks_its_job_once_for_each_id_and_leaves_its_name_in_the_trail() {
    let served = serve(r#"["pause","resume","tick"]"#).await;
    quiet_job(&served, 1);
    quiet_job(&served, 2);
    let ticked = asked(&served, "breakout", "t1", "tick").await;
    assert_eq!(ticked.status, StatusCode::OK, "{ticked:?}");
    let view = ticked.json();
    assert_eq!(
        (&view["job"], &view["signal"], &view["ticked"]["trade"]),
        (&json!(1), &json!("breakout"), &json!(1)),
        "{view}"
    );
    let paused = asked(&served, "breakout", "p1", "pause").await.json();
    assert_eq!(
        (&paused["before"], &paused["after"]),
        (&json!("RUNNING"), &json!("PAUSED"))
    );
    assert_eq!(
        (status(&served, 1).await, status(&served, 2).await),
        ("PAUSED".into(), "RUNNING".into())
    );
    let resumed = asked(&served, "breakout", "r1", "resume").await;
    assert_eq!(
        (resumed.status, status(&served, 1).await),
        (StatusCode::OK, "RUNNING".into())
    );
    // The pause is delivered again, late: its answer again, and the job goes on.
    let again = asked(&served, "breakout", "p1", "pause").await;
    assert_eq!(
        (again.status, again.header("idempotency-replayed")),
        (StatusCode::OK, "true")
    );
    assert_eq!(
        (again.json()["after"].clone(), status(&served, 1).await),
        (json!("PAUSED"), "RUNNING".into())
    );
    // So is the tick: its trade again, and no second one.
    let again = asked(&served, "breakout", "t1", "tick").await.json();
    assert_eq!(again["ticked"]["trade"], 1, "{again}");
    assert_eq!(count(&served, "SELECT count(*) FROM trades").await, 1);
    // Another message under the same id is an error of its sender.
    let other = asked(&served, "breakout", "p1", "tick").await;
    assert_eq!(other.status, StatusCode::CONFLICT, "{other:?}");
    let trail: Vec<String> = sqlx::query_scalar(
        "SELECT action FROM job_events WHERE actor = 'signal:breakout' AND job_id = 1 ORDER BY id",
    )
    .fetch_all(&served.db.pool)
    .await
    .expect("the trail");
    assert_eq!(trail, ["tick", "pause", "resume"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_deliveries_of_one_signal_at_once_are_one_and_twenty_signals_are_twenty() {
    let served = serve(r#"["tick"]"#).await;
    quiet_job(&served, 1);
    let message = Signed::new("breakout", "same", &json!({ "action": "tick" }));
    let answers = futures::future::join_all((0..20).map(|_| message.send(&served))).await;
    for answer in &answers {
        assert_eq!(
            (answer.status, &answer.json()["ticked"]["trade"]),
            (StatusCode::OK, &json!(1)),
            "{answer:?}"
        );
    }
    let events = "SELECT count(*) FROM job_events WHERE actor = 'signal:breakout'";
    assert_eq!(
        (
            count(&served, events).await,
            count(&served, "SELECT count(*) FROM trades").await
        ),
        (1, 1)
    );
    let ids: Vec<String> = (0..20).map(|n| format!("id{n}")).collect();
    let answers =
        futures::future::join_all(ids.iter().map(|id| asked(&served, "breakout", id, "tick"))).await;
    assert!(
        answers.iter().all(|answer| answer.status == StatusCode::OK),
        "{answers:?}"
    );
    // The rules say when to buy, however often they are asked: dca_interval has not passed.
    assert_eq!(
        (
            count(&served, events).await,
            count(&served, "SELECT count(*) FROM trades").await
        ),
        (21, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_placed_again_by_each_signal_within_the_limits_of_its_job() {
    let served = serve(r#"["order","tick"]"#).await;
    // It settles what the signals traded, and ticks nothing this year.
    let _daemon = testkit::quick_daemon(&served.db.url)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("a daemon");
    served.cli(&[
        "order",
        "buy",
        TOKEN,
        "--amount",
        "100",
        "--symbol",
        "CLAWD",
        "--set",
        "price.sources=[\"generated\"]",
        "--set",
        "price.generated.swing_pct=0",
        "--set",
        "limits.max_daily_spend_usd=250",
        "--set",
        "schedule.cron=\"0 0 1 1 *\"",
    ]);
    let placed = asked(&served, "breakout", "early", "order").await;
    assert_eq!(placed.status, StatusCode::CONFLICT, "{placed:?}");
    assert!(placed.text.contains("RUNNING, not IDLE"), "{placed:?}");
    let tick = |id: &'static str| asked(&served, "breakout", id, "tick");
    assert_eq!(tick("t1").await.json()["ticked"]["trade"], 1);
    assert_eq!(status(&served, 1).await, "IDLE", "filled");
    is_final(&served).await;
    let message = Signed::new("breakout", "o2", &json!({ "action": "order" }));
    let answers = futures::future::join_all((0..10).map(|_| message.send(&served))).await;
    for answer in answers {
        let after = answer.json()["after"].clone();
        assert_eq!(
            (answer.status, after),
            (StatusCode::OK, json!("RUNNING")),
            "{answer:?}"
        );
    }
    assert_eq!(tick("t2").await.json()["ticked"]["trade"], 2);
    assert_eq!(status(&served, 1).await, "IDLE", "one order was placed, not ten");
    is_final(&served).await;
    // The third one passes what the job may spend in a day: it buys what is left, and waits.
    assert_eq!(
        asked(&served, "breakout", "o3", "order").await.status,
        StatusCode::OK
    );
    for id in ["t3", "t4", "t5"] {
        tick(id).await;
    }
    let spent: rust_decimal::Decimal = sqlx::query_scalar("SELECT sum(quote_usd)::numeric FROM fills")
        .fetch_one(&served.db.pool)
        .await
        .expect("a sum");
    assert!(spent <= 250.into(), "{spent} USD in a day");
    assert!(spent > 150.into(), "{spent} USD in a day");
    assert_eq!(status(&served, 1).await, "RUNNING", "it waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_block_of_the_page_on_signals_works_as_written() {
    let page = include_str!("../../../docs/signals.md");
    let served = serve(r#"["pause"]"#).await;
    quiet_job(&served, 1);
    let blocks = page
        .split("```sh tried\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let mut tried = 0;
    for block in blocks {
        let ran = std::process::Command::new("timeout")
            .args(["60", "bash", "-euo", "pipefail", "-c", block])
            .env("SECRET", secret())
            .env("API", format!("http://{}/api/v1", served.address))
            .output()
            .expect("bash");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        tried += 1;
    }
    assert_eq!((tried, status(&served, 1).await), (1, "PAUSED".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_whose_server_was_killed_is_done_once_when_it_is_delivered_again() {
    let secret = secret();
    let settings = [
        ("LGI_MM__SIGNALS__BREAKOUT__JOB", "1"),
        ("LGI_MM__SIGNALS__BREAKOUT__ALLOW", "[\"tick\"]"),
        ("LGI_MM__SIGNALS__BREAKOUT__SECRET", secret.as_str()),
    ];
    for place in [lgi_mm::failpoint::SIGNALLED, "frozen", "recorded", "filled"] {
        let mut killed = settings.to_vec();
        killed.push((lgi_mm::failpoint::VARIABLE, place));
        let mut served = Served::with(&killed).await;
        quiet_job(&served, 1);
        let message = Signed::new("breakout", "t", &json!({ "action": "tick" }));
        let lost = message.request(&served).send().await;
        assert!(lost.is_err(), "{place}: it was answered: {lost:?}");
        served.again(&settings).await;
        for _ in 0..2 {
            let again = message.send(&served).await;
            assert_eq!(again.status, StatusCode::OK, "{place}: {again:?}");
            assert_eq!(again.json()["ticked"]["trade"], 1, "{place}: {again:?}");
        }
        assert_eq!(count(&served, "SELECT count(*) FROM trades").await, 1, "{place}");
        let events = "SELECT count(*) FROM job_events WHERE actor = 'signal:breakout'";
        assert_eq!(count(&served, events).await, 1, "{place}");
    }
}
