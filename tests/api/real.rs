//! Real money, on a local chain: nothing is done before a second request confirms it.

use lgi_mm::devnet::BlockTime;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{
    TestDb,
    live::{KEY, World},
};

use crate::{
    browser,
    server::{Answer, Served, answer},
};

async fn send(
    served: &Served,
    token: &str,
    (method, path): (Method, &str),
    key: &str,
    body: &Value,
) -> Answer {
    let request = served.request(method, path).bearer_auth(token);
    let request = request.header("Idempotency-Key", key).header("If-Match", "*");
    answer(request.json(body)).await
}

fn with(body: &Value, confirm: &Value) -> Value {
    let mut body = body.clone();
    body["confirm"] = confirm.clone();
    body
}

/// The first request does nothing, nor does one that confirms something else; the second one does it.
pub async fn twice(
    served: &Served,
    owner: &str,
    (method, path): (Method, &str),
    body: Value,
) -> (String, Value) {
    let ask = |key: &str, body: Value| {
        let (method, key) = (method.clone(), format!("{method}{path}{key}"));
        async move { send(served, owner, (method, path), &key, &body).await }
    };
    let proposed = ask("a", body.clone()).await;
    assert_eq!(proposed.status, StatusCode::PRECONDITION_REQUIRED, "{proposed:?}");
    let proposed = proposed.json();
    let wrong = ask("a", with(&body, &"0".repeat(64).into())).await;
    assert_eq!(wrong.status, StatusCode::PRECONDITION_REQUIRED, "{wrong:?}");
    assert_eq!(wrong.json()["confirm"], proposed["confirm"]);
    // One confirmation does it once: under another key it confirms nothing.
    let other = ask("b", with(&body, &proposed["confirm"])).await;
    assert_eq!(other.status, StatusCode::PRECONDITION_REQUIRED, "{other:?}");
    assert_ne!(other.json()["confirm"], proposed["confirm"]);
    // The same key: the first request did nothing.
    let done = ask("a", with(&body, &proposed["confirm"])).await;
    assert_eq!(done.status, StatusCode::OK, "{done:?}");
    let would = proposed["would"].as_str().expect("a sentence").to_owned();
    (would, done.json())
}

fn start(world: &World) -> Value {
    json!({
        "token": world.devnet.deployment().clanker.to_checksum(None), "mode": "ACCUMULATE", "chain": "local", "live": true,
        "set": ["price.sources=onchain", "price.single_source=true"],
    })
}

/// The API of a world with a node, a key and a policy.
pub async fn serve(world: &World) -> Served {
    let settings = world.settings().display().to_string();
    let (policy, state) = (
        world.policy().display().to_string(),
        world.policy_state().display().to_string(),
    );
    let db = TestDb {
        pool: world.db.pool.clone(),
        url: world.db.url.clone(),
    };
    Served::on(
        db,
        &[
            ("LGI_MM_SETTINGS", &settings),
            ("LGI_MM_UNSAFE_PRIVATE_KEY", KEY),
            ("LGI_MM_POLICY", &policy),
            ("LGI_MM_POLICY_STATE", &state),
        ],
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn real_money_moves_only_after_a_second_request_that_confirms_what_the_first_proposed() {
    let world = World::new(BlockTime::OnTransaction).await;
    let served = serve(&world).await;
    let (owner, operator) = (served.token("owner"), served.token("operator"));
    let start = start(&world);
    let refused = send(&served, &operator, (Method::POST, "/api/v1/jobs"), "o", &start).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let jobs = || async { served.get(&owner, "/api/v1/jobs?realm=live").await.json() };
    let (would, started) = twice(&served, &owner, (Method::POST, "/api/v1/jobs"), start).await;
    assert!(
        would.contains("real money: LIVE on local, wallet 0x9d8A62f6"),
        "{would}"
    );
    assert_eq!(
        (&started["realm"], &started["status"]),
        (&json!("live"), &json!("RUNNING"))
    );
    assert_eq!(jobs().await.as_array().map(Vec::len), Some(1));

    let edit = json!({ "set": ["limits.max_daily_spend_usd=77"] });
    let (would, edited) = twice(&served, &owner, (Method::PATCH, "/api/v1/jobs/1/config"), edit).await;
    assert!(
        would.contains("limits.max_daily_spend_usd: ") && would.contains("-> \"77\""),
        "{would}"
    );
    assert_eq!(edited["changed"], true);
    // What one job's confirmation says is of no use for another edit.
    let other = json!({ "set": ["limits.max_daily_spend_usd=78"] });
    let first = send(
        &served,
        &owner,
        (Method::PATCH, "/api/v1/jobs/1/config"),
        "x",
        &other,
    )
    .await
    .json();
    let more = with(
        &json!({ "set": ["limits.max_daily_spend_usd=79"] }),
        &first["confirm"],
    );
    let more = send(
        &served,
        &owner,
        (Method::PATCH, "/api/v1/jobs/1/config"),
        "y",
        &more,
    )
    .await;
    assert_eq!(more.status, StatusCode::PRECONDITION_REQUIRED, "{more:?}");

    resumed_and_evaluated(&served, &operator).await;
    let (would, sold) = twice(
        &served,
        &owner,
        (Method::POST, "/api/v1/jobs/1/liquidate"),
        json!({}),
    )
    .await;
    assert!(
        would.starts_with("sell with real money: job 1 (CLAWDIA, LIVE on local)"),
        "{would}"
    );
    assert_eq!(sold["before"], "RUNNING");
    let actor: Vec<String> = sqlx::query_scalar("SELECT DISTINCT actor FROM job_events WHERE job_id = 1")
        .fetch_all(&world.db.pool)
        .await
        .expect("the trail");
    assert_eq!(actor, ["api:operator", "api:owner"]);
}

/// A job that continues, or is evaluated at once, may trade: an operator confirms that too. Stopping needs nothing.
async fn resumed_and_evaluated(served: &Served, operator: &str) {
    let pause = async |path: &str, key: &str, body: Value| {
        let paused = send(served, operator, (Method::POST, path), key, &body).await;
        assert_eq!(paused.status, StatusCode::OK, "{paused:?}");
        paused.json()
    };
    pause("/api/v1/jobs/1/pause", "p1", json!({})).await;
    let resume = (Method::POST, "/api/v1/jobs/1/resume");
    let (would, resumed) = twice(served, operator, resume, json!({})).await;
    assert!(
        would.starts_with("continue with real money: job 1 (CLAWDIA, LIVE on local), from wallet 0x"),
        "{would}"
    );
    assert_eq!(resumed["after"], "RUNNING");
    let tick = (Method::POST, "/api/v1/jobs/1/tick");
    let (would, _) = twice(served, operator, tick, json!({})).await;
    assert!(
        would.starts_with("evaluate a slot with real money: job 1"),
        "{would}"
    );
    let several = pause("/api/v1/pause", "p2", json!({ "realm": "live" })).await;
    let undo = json!({ "pause": several["pause"] });
    let (would, resumed) = twice(served, operator, (Method::POST, "/api/v1/resume"), undo).await;
    assert!(would.starts_with("continue with real money: job 1"), "{would}");
    assert_eq!(resumed["jobs"][0]["after"], "RUNNING");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_console_a_live_job_is_started_edited_and_liquidated_after_its_ticker_is_typed_back() {
    if !browser::is_there() {
        return;
    }
    let world = World::new(BlockTime::OnTransaction).await;
    let served = serve(&world).await;
    let at = format!("http://{}", served.address);
    let link = |role: &str| served.cli(&["console", "--at", &at, "--role", role]);
    let (owner, operator, viewer) = (link("owner"), link("operator"), link("viewer"));
    let token = world.devnet.deployment().clanker.to_checksum(None);
    let url = |link: &Value| link["url"].as_str().expect("a link").to_owned();
    let (operator, viewer) = (url(&operator), url(&viewer));
    let variables = [
        ("OPERATOR", operator.as_str()),
        ("VIEWER", &viewer),
        ("TOKEN", &token),
    ];
    browser::walk("live.mjs", &owner, &variables, async |wish| panic!("{wish}")).await;
    let name = owner["name"].as_str().expect("a name");
    let trail: Vec<(String, String)> =
        sqlx::query_as("SELECT action, actor FROM job_events WHERE job_id = 1 ORDER BY id")
            .fetch_all(&world.db.pool)
            .await
            .expect("the trail");
    assert!(
        trail.len() >= 3 && trail.iter().all(|(_, actor)| *actor == format!("console:{name}")),
        "{trail:?}"
    );
}
