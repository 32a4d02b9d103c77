//! Writes: once for each key, on the version that was read, with a row in the trail.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Answer, Served, TOKEN, answer, quiet_job};

async fn send(
    served: &Served,
    token: &str,
    (method, path): (Method, &str),
    key: &str,
    body: &Value,
) -> Answer {
    let request = served.request(method, path).bearer_auth(token);
    answer(request.header("Idempotency-Key", key).json(body)).await
}

async fn post(served: &Served, token: &str, path: &str, key: &str, body: Value) -> Answer {
    send(served, token, (Method::POST, path), key, &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_started_ticked_paused_resumed_sold_and_removed() {
    let served = Served::new().await;
    let (owner, operator) = (served.token("owner"), served.token("operator"));
    let start = json!({
        "token": TOKEN, "mode": "ACCUMULATE", "symbol": "CLAWD",
        "set": ["price.sources=[\"generated\"]", "price.generated.swing_pct=0"],
    });
    let started = post(&served, &owner, "/api/v1/jobs", "s", start.clone()).await;
    assert_eq!(started.status, StatusCode::OK, "{started:?}");
    assert_eq!(started.json()["job"], 1);
    let again = post(&served, &owner, "/api/v1/jobs", "s", start).await;
    assert_eq!(
        (again.text.as_str(), again.header("idempotency-replayed")),
        (started.text.as_str(), "true")
    );
    let ticked = post(&served, &operator, "/api/v1/jobs/1/tick", "t", json!({})).await;
    assert_eq!(ticked.status, StatusCode::OK, "{ticked:?}");
    assert_eq!(
        (&ticked.json()["trade"], &ticked.json()["is_final"]),
        (&json!(1), &json!(true)),
        "{ticked:?}"
    );
    let repeated = post(&served, &operator, "/api/v1/jobs/1/tick", "t", json!({})).await;
    assert_eq!(repeated.text, ticked.text, "one key, one tick");
    let trades = served.get(&operator, "/api/v1/trades").await.json();
    assert_eq!(trades.as_array().map(Vec::len), Some(1));

    for (path, token, after) in [
        ("/api/v1/jobs/1/pause", &operator, "PAUSED"),
        ("/api/v1/jobs/1/resume", &operator, "RUNNING"),
        ("/api/v1/jobs/CLAWD/liquidate", &owner, "LIQUIDATING"),
    ] {
        let changed = post(&served, token, path, path, json!({})).await;
        assert_eq!(changed.status, StatusCode::OK, "{path}: {changed:?}");
        assert_eq!(changed.json()["after"], after);
    }
    let sold = post(&served, &operator, "/api/v1/jobs/1/tick", "t2", json!({})).await;
    assert_eq!(sold.json()["is_final"], true, "{sold:?}");
    let removed = send(
        &served,
        &owner,
        (Method::DELETE, "/api/v1/jobs/1"),
        "d",
        &json!({}),
    )
    .await;
    assert_eq!(
        (removed.status, &removed.json()["after"]),
        (StatusCode::OK, &json!("removed")),
        "{removed:?}"
    );
    let funded = post(
        &served,
        &owner,
        "/api/v1/paper/base/fund",
        "f",
        json!({ "usdc": "12.5" }),
    )
    .await;
    assert_eq!(funded.status, StatusCode::OK, "{funded:?}");

    let actors: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT actor FROM job_events WHERE actor LIKE 'api:%' ORDER BY 1")
            .fetch_all(&served.db.pool)
            .await
            .expect("the trail");
    assert_eq!(actors, ["api:operator", "api:owner"]);
    let funds: String = sqlx::query_scalar("SELECT actor FROM audit WHERE action = 'paper_fund'")
        .fetch_one(&served.db.pool)
        .await
        .expect("the trail");
    assert_eq!(funds, "api:owner");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_one_request_of_one_token_and_a_refused_one_may_be_sent_again() {
    let served = Served::new().await;
    quiet_job(&served, 1);
    let (owner, operator) = (served.token("owner"), served.token("operator"));
    let pause = "/api/v1/jobs/1/pause";
    assert_eq!(
        post(&served, &owner, pause, "k", json!({})).await.status,
        StatusCode::OK
    );
    let other = post(&served, &owner, "/api/v1/jobs/1/resume", "k", json!({})).await;
    assert_eq!(other.status, StatusCode::CONFLICT, "{other:?}");
    assert!(
        other.text.contains("Idempotency-Key k: another request"),
        "{other:?}"
    );
    let theirs = post(&served, &operator, pause, "k", json!({})).await;
    assert_eq!(
        (theirs.status, theirs.header("idempotency-replayed")),
        (StatusCode::OK, "")
    );
    for key in ["", &"k".repeat(101)] {
        let bad = post(&served, &owner, pause, key, json!({})).await;
        assert_eq!(bad.status, StatusCode::BAD_REQUEST, "{bad:?}");
    }
    let missing = served
        .request(Method::POST, pause)
        .bearer_auth(&owner)
        .json(&json!({}));
    assert_eq!(answer(missing).await.status, StatusCode::BAD_REQUEST);
    // Refused: nothing was done, so the same request may be right later.
    let path = "/api/v1/jobs/T2/pause";
    assert_eq!(
        post(&served, &owner, path, "later", json!({})).await.status,
        StatusCode::NOT_FOUND
    );
    quiet_job(&served, 2);
    assert_eq!(
        post(&served, &owner, path, "later", json!({})).await.status,
        StatusCode::OK
    );
    // Its process ended in the middle: nobody knows what it did.
    let lost = "UPDATE api_requests SET status = NULL, answer = NULL WHERE key = 'later'";
    sqlx::query(lost)
        .execute(&served.db.pool)
        .await
        .expect("a lost answer");
    let unknown = post(&served, &owner, path, "later", json!({})).await;
    assert_eq!(unknown.status, StatusCode::CONFLICT);
    assert!(unknown.text.contains("has no answer"), "{unknown:?}");
    // Ten at once are one.
    let tick = || post(&served, &operator, "/api/v1/jobs/2/resume", "race", json!({}));
    let answers = futures::future::join_all((0..10).map(|_| tick())).await;
    let done = answers.iter().filter(|answer| answer.status == StatusCode::OK);
    let texts: std::collections::BTreeSet<&str> = done.map(|answer| answer.text.as_str()).collect();
    assert_eq!(texts.len(), 1, "{answers:?}");
    let resumed: i64 =
        sqlx::query_scalar("SELECT count(*) FROM job_events WHERE job_id = 2 AND actor = 'api:operator'")
            .fetch_one(&served.db.pool)
            .await
            .expect("the trail");
    assert_eq!(resumed, 1);
    // A week later a key is forgotten, whatever became of its request.
    let old = "UPDATE api_requests SET begun_at = now() - interval '8 days' WHERE key = 'later'";
    sqlx::query(old).execute(&served.db.pool).await.expect("a week");
    served.cli(&["prune"]);
    let left: Vec<String> = sqlx::query_scalar("SELECT DISTINCT key FROM api_requests ORDER BY key")
        .fetch_all(&served.db.pool)
        .await
        .expect("keys");
    assert_eq!(left, ["k", "race"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_made_on_the_version_that_was_read_or_not_at_all() {
    let served = Served::new().await;
    quiet_job(&served, 1);
    let owner = served.token("owner");
    let config = served.get(&owner, "/api/v1/jobs/1/config").await;
    let etag = config.header("etag").to_owned();
    let edit = |key: &str, version: Option<&str>, set: &str| {
        let request = served
            .request(Method::PATCH, "/api/v1/jobs/1/config")
            .bearer_auth(&owner)
            .header("Idempotency-Key", key);
        let request = version
            .iter()
            .fold(request, |request, version| request.header("if-match", *version));
        answer(request.json(&json!({ "set": [set] })))
    };
    let twelve = "accumulate.dca_amount_usd=12";
    assert_eq!(
        edit("a", None, twelve).await.status,
        StatusCode::PRECONDITION_REQUIRED
    );
    assert_eq!(
        edit("b", Some("nonsense"), twelve).await.status,
        StatusCode::BAD_REQUEST
    );
    let first = edit("c", Some(&etag), twelve).await;
    assert_eq!(first.status, StatusCode::OK, "{first:?}");
    assert_eq!(first.json()["keys"][0]["key"], "accumulate.dca_amount_usd");
    let lost = edit("d", Some(&etag), "accumulate.dca_amount_usd=13").await;
    assert_eq!(lost.status, StatusCode::PRECONDITION_FAILED, "{lost:?}");
    let wrong = edit("e", Some("*"), "accumulate.dca_amount_usd=-1").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST, "{wrong:?}");
    assert!(wrong.text.contains("accumulate.dca_amount_usd"), "{wrong:?}");
    let unknown = edit("f", Some("*"), "accumulate.nothing=1").await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST, "{unknown:?}");
    let now = served.get(&owner, "/api/v1/jobs/1/config").await;
    assert_eq!(now.json()["accumulate"]["dca_amount_usd"], "12");
    assert_ne!(now.header("etag"), etag);
}

/// What stops nothing says so, and why: job 1 runs, two are paused.
async fn nothing_is_stopped(served: &Served, operator: &str) {
    for (key, body, matched, why) in [
        (
            "n1",
            json!({ "realm": "live" }),
            0,
            "no job fits the request; `GET /api/v1/jobs`",
        ),
        ("n2", json!({ "status": "PAUSED" }), 2, "2 jobs fit the request"),
    ] {
        let nothing = post(served, operator, "/api/v1/pause", key, body).await;
        assert_eq!(nothing.status, StatusCode::OK, "{nothing:?}");
        let nothing = nothing.json();
        assert_eq!(nothing["matched"], matched, "{nothing}");
        let said = nothing["nothing"].as_str().expect("why");
        assert!(
            said.starts_with("nothing was changed: ") && said.contains(why),
            "{said}"
        );
    }
    let nowhere = post(
        served,
        operator,
        "/api/v1/pause",
        "n3",
        json!({ "chain": "bsae" }),
    )
    .await;
    assert_eq!(nowhere.status, StatusCode::BAD_REQUEST, "{nowhere:?}");
    assert!(nowhere.text.contains("did you mean base?"), "{nowhere:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_jobs_are_paused_at_once_and_the_undo_gives_back_what_it_stopped() {
    let served = Served::new().await;
    for number in 1..=3 {
        quiet_job(&served, number);
    }
    let operator = served.token("operator");
    for (key, body) in [
        ("a", json!({})),
        ("b", json!({ "jobs": ["1"], "all": true })),
        ("c", json!({ "jobs": ["1"], "realm": "paper" })),
        ("d", json!({ "realm": "nonsense" })),
    ] {
        let vague = post(&served, &operator, "/api/v1/pause", key, body).await;
        assert_eq!(vague.status, StatusCode::UNPROCESSABLE_ENTITY, "{vague:?}");
    }
    assert_eq!(
        post(&served, &operator, "/api/v1/jobs/3/pause", "e", json!({}))
            .await
            .status,
        StatusCode::OK
    );
    let named = post(
        &served,
        &operator,
        "/api/v1/pause",
        "f",
        json!({ "jobs": ["2", "9"] }),
    )
    .await
    .json();
    assert_eq!(
        (&named["jobs"][0]["job"], &named["refused"][0]["code"]),
        (&json!(2), &json!(3)),
        "{named}"
    );
    let all = post(&served, &operator, "/api/v1/pause", "g", json!({ "all": true }))
        .await
        .json();
    let changed = |view: &Value| -> Vec<i64> {
        let jobs = view["jobs"].as_array().expect("jobs").iter();
        jobs.filter(|job| job["changed"] == true)
            .filter_map(|job| job["job"].as_i64())
            .collect()
    };
    assert_eq!(changed(&all), [1], "{all}");
    let undone = post(
        &served,
        &operator,
        "/api/v1/resume",
        "h",
        json!({ "pause": all["pause"] }),
    )
    .await
    .json();
    assert_eq!(changed(&undone), [1], "{undone}");
    nothing_is_stopped(&served, &operator).await;
    let none = post(
        &served,
        &operator,
        "/api/v1/resume",
        "i",
        json!({ "pause": 9_999 }),
    )
    .await;
    assert_eq!(none.status, StatusCode::NOT_FOUND, "{none:?}");
}
