//! What runs, wallets and tokens: read as the command line prints them; a token's text is kept nowhere.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Served, answer, quiet_job};

#[tokio::test(flavor = "multi_thread")]
async fn the_installation_is_read_as_the_command_line_prints_it() {
    let served = Served::new().await;
    quiet_job(&served, 1);
    quiet_job(&served, 2);
    served.cli(&["tick", "1"]);
    let viewer = served.token("viewer");
    let read = async |path: &str| {
        let answer = served.get(&viewer, path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        answer.json()
    };
    assert_eq!(read("/api/v1/wallets").await, served.cli(&["wallet", "list"]));
    assert_eq!(read("/api/v1/receivers").await, served.cli(&["notify", "list"]));
    let names = |checks: &Value| -> Vec<(String, String)> {
        let each = checks.as_array().expect("checks").iter();
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        each.map(|check| (text(&check["status"]), text(&check["what"])))
            .collect()
    };
    let checks = read("/api/v1/doctor").await;
    assert_eq!(names(&checks), names(&served.cli(&["doctor"])));
    assert_eq!(checks[0]["status"], "WARN", "what needs its owner comes first");
    let health = read("/api/v1/health").await;
    assert_eq!(
        (&health["workers"], &health["jobs"]["RUNNING"]),
        (&0.into(), &2.into())
    );
    let queues: Vec<&Value> = health["queues"]
        .as_array()
        .expect("queues")
        .iter()
        .map(|queue| &queue["name"])
        .collect();
    assert_eq!(queues, ["ticks", "settles"]);
    let signers = read("/api/v1/signers").await;
    assert_eq!(
        (&signers[0]["realm"], &signers[0]["halted"]),
        (&"paper".into(), &Value::Null)
    );
    assert!(
        signers[0]["next_nonce"].as_i64().is_some_and(|nonce| nonce > 0),
        "{signers}"
    );
    let halt = "UPDATE signers SET halted_at = now(), halted_reason = 'its nonce is used'";
    sqlx::query(halt).execute(&served.db.pool).await.expect("a halt");
    assert_eq!(read("/api/v1/signers").await[0]["halted"], "its nonce is used");
    // No policy is an answer, and says what to do.
    let policy = read("/api/v1/wallets/policy").await;
    assert_eq!(policy["policy"], Value::Null);
    assert!(
        policy["problem"]
            .as_str()
            .is_some_and(|why| why.contains("policy")),
        "{policy}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_sees_no_path_of_the_machine_and_the_console_is_found_without_its_slash() {
    let served = Served::new().await;
    quiet_job(&served, 1);
    let viewer = served.token("viewer");
    // Where things are on the machine is for those who work on it.
    let owner = served.token("owner");
    let home = std::env::temp_dir().display().to_string();
    let mut seen = 0;
    for path in [
        "/api/v1/doctor",
        "/api/v1/wallets/policy",
        "/api/v1/wallets",
        "/api/v1/receivers",
    ] {
        let (all, some) = (
            served.get(&owner, path).await.text,
            served.get(&viewer, path).await.text,
        );
        seen += all.matches(&home).count();
        assert!(!some.contains(&home), "{path}: {some}");
    }
    assert!(seen > 0, "an owner sees them");
    let console = answer(served.request(Method::GET, "/console")).await;
    assert_eq!(
        console.status,
        StatusCode::OK,
        "it leads to /console/: {console:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overview_adds_up_what_the_list_of_jobs_shows() {
    let served = Served::new().await;
    for job in 1..=3 {
        quiet_job(&served, job);
        served.cli(&["tick", &job.to_string()]);
    }
    // A gain whose last digits are rounded, tokens without a price, and an error.
    for change in [
        "UPDATE job_slots SET last_price = 1.0000000000000000000000000007 WHERE job_id = 1",
        "UPDATE job_slots SET last_price = NULL, last_price_at = NULL WHERE job_id = 2",
        "UPDATE jobs SET status = 'ERROR', status_before_stop = 'RUNNING', last_error = 'x' WHERE id = 3",
        "UPDATE job_slots SET next_slot = NULL, due_at = NULL WHERE job_id = 3",
        "UPDATE job_slots SET next_slot = now() - interval '1 h', due_at = now() - interval '1 h' WHERE job_id = 1",
    ] {
        sqlx::query(change).execute(&served.db.pool).await.expect(change);
    }
    let viewer = served.token("viewer");
    let overview = served.get(&viewer, "/api/v1/overview").await.json();
    let jobs = served.get(&viewer, "/api/v1/jobs").await.json();
    let jobs = jobs.as_array().expect("jobs");
    let sum = |name: &str| -> rust_decimal::Decimal {
        let known = jobs.iter().filter_map(|job| job[name].as_str());
        known
            .map(|text| text.parse::<rust_decimal::Decimal>().expect("a number"))
            .sum()
    };
    let total = &overview["totals"][0];
    for name in ["spent_usd", "gas_usd", "net_usd"] {
        let shown: rust_decimal::Decimal = total[name].as_str().expect("USD").parse().expect("a number");
        assert_eq!(shown, sum(name), "{name}: {overview}");
    }
    assert_eq!((&total["jobs"], &total["unknown"]), (&3.into(), &1.into()));
    assert_eq!(overview["statuses"], json!({ "RUNNING": 2, "ERROR": 1 }));
    let named: Vec<&Value> = overview["attention"].as_array().expect("jobs").iter().collect();
    assert_eq!(named, [&jobs[0], &jobs[2]]);
    assert_eq!(overview["dead"]["missing"], "worker");
    assert_eq!(overview["dead"]["late_since"], jobs[0]["late_since"]);
}

/// What owner has ordered about the token.
async fn trail_of_phone(served: &Served) -> Vec<String> {
    let rows = "SELECT action FROM audit WHERE subject = 'phone' AND actor = 'api:owner' ORDER BY id";
    let rows = sqlx::query_scalar(rows).fetch_all(&served.db.pool).await;
    rows.expect("the audit")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_once_it_is_confirmed_shown_once_and_revoked() {
    let served = Served::new().await;
    let owner = served.token("owner");
    let write = async |path: &str, key: &str, body: Value| {
        let request = served.request(Method::POST, path).bearer_auth(&owner);
        answer(request.header("Idempotency-Key", key).json(&body)).await
    };
    let mut body = json!({ "name": "phone", "role": "viewer", "expires": "30d" });
    let asked = write("/api/v1/tokens", "a", body.clone()).await;
    assert_eq!(asked.status, StatusCode::PRECONDITION_REQUIRED, "{asked:?}");
    assert_eq!(
        served.get(&owner, "/api/v1/tokens").await.json()[0]["name"],
        "owner"
    );
    body["confirm"] = asked.json()["confirm"].clone();
    let made = write("/api/v1/tokens", "a", body.clone()).await;
    assert_eq!(made.status, StatusCode::OK, "{made:?}");
    let secret = made.json()["secret"].as_str().expect("its text").to_owned();
    assert_eq!(served.get(&secret, "/api/v1/jobs").await.status, StatusCode::OK);
    // A repetition makes no other one, and nobody can read its text again.
    let again = write("/api/v1/tokens", "a", body).await;
    assert_eq!(
        (again.status, again.header("idempotency-replayed")),
        (StatusCode::OK, "true")
    );
    assert_eq!(
        (&again.json()["name"], &again.json()["secret"]),
        (&"phone".into(), &Value::Null)
    );
    let rows = "SELECT r::text FROM api_requests r UNION ALL SELECT t::text FROM api_tokens t
                UNION ALL SELECT a::text FROM audit a";
    let rows: Vec<String> = sqlx::query_scalar(rows)
        .fetch_all(&served.db.pool)
        .await
        .expect("rows");
    assert!(
        rows.len() > 3 && rows.iter().all(|row| !row.contains(&secret)),
        "{rows:?}"
    );
    assert!(!served.log().contains(&secret));
    assert_eq!(
        served.get(&owner, "/api/v1/tokens").await.json(),
        served.cli(&["token", "list"])
    );
    let revoked = write("/api/v1/tokens/phone/revoke", "b", json!({})).await;
    assert_eq!(
        (revoked.status, &revoked.json()["state"]),
        (StatusCode::OK, &"revoked".into())
    );
    assert_eq!(
        served.get(&secret, "/api/v1/jobs").await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(trail_of_phone(&served).await, ["token_new", "token_revoke"]);
    for (wrong, problem) in [
        (
            json!({ "name": "Phone!", "role": "viewer", "expires": "30d" }),
            StatusCode::BAD_REQUEST,
        ),
        (
            json!({ "name": "phone", "role": "viewer", "expires": "10y" }),
            StatusCode::BAD_REQUEST,
        ),
        (
            json!({ "name": "phone", "role": "god", "expires": "30d" }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    ] {
        let refused = write("/api/v1/tokens", "c", wrong.clone()).await;
        assert_eq!(refused.status, problem, "{wrong}: {refused:?}");
    }
}
