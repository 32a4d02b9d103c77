//! Baskets: all members are started, paused, resumed and sold by one request.

use lgi_mm::devnet::BlockTime;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::live::World;

use crate::{
    real::{serve, twice},
    server::{Answer, Served, answer},
    trial::{ended, prices},
};

async fn post(served: &Served, token: &str, path: &str, key: &str, body: Value) -> Answer {
    let request = served.request(Method::POST, path).bearer_auth(token);
    answer(request.header("Idempotency-Key", key).json(&body)).await
}

fn token(number: u8) -> String {
    format!("0x{number:040x}")
}

/// A paper basket of two at prices that never move.
fn basket(name: &str, numbers: [u8; 2]) -> Value {
    let member = |number| json!({ "token": token(number), "symbol": format!("T{number}"), "weight": number });
    json!({ "file": {
        "basket": { "name": name, "budget_usd": 100.5 },
        "price": { "sources": ["generated"], "generated": { "swing_pct": 0 } },
        "member": numbers.map(member),
    } })
}

/// What became of each member.
fn after(view: &Value) -> Vec<&str> {
    let jobs = view["jobs"].as_array().expect("jobs");
    jobs.iter().filter_map(|job| job["after"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basket_is_started_paused_resumed_and_sold_as_a_whole() {
    let served = Served::new().await;
    let (owner, operator) = (served.token("owner"), served.token("operator"));
    let all = "/api/v1/baskets";
    let started = post(&served, &owner, all, "s", basket("index", [1, 2])).await;
    assert_eq!(started.status, StatusCode::OK, "{started:?}");
    let again = post(&served, &owner, all, "s", basket("index", [1, 2])).await;
    assert_eq!(again.text, started.text, "one key, one basket");
    let config = served.get(&owner, "/api/v1/jobs/2/config").await.json();
    assert_eq!(
        [
            &config["basket"]["weight"],
            &config["basket"]["budget_usd"],
            &config["basket"]["members"]
        ],
        [&json!("2"), &json!("100.5"), &json!(2)]
    );
    // A second basket is not meant.
    let other = post(&served, &owner, all, "o", basket("other", [3, 4])).await;
    assert_eq!(other.status, StatusCode::OK, "{other:?}");

    for (what, token, expected) in [
        ("pause", &operator, "PAUSED"),
        ("resume", &operator, "RUNNING"),
        ("liquidate", &owner, "LIQUIDATING"),
    ] {
        let path = format!("{all}/index/{what}");
        let changed = post(&served, token, &path, what, json!({})).await;
        assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
        assert_eq!(after(&changed.json()), [expected; 2], "{changed:?}");
        // Another request for the same changes nothing.
        let repeated = post(&served, token, &path, &format!("{what} again"), json!({})).await;
        let repeated = repeated.json();
        let jobs = repeated["jobs"].as_array().expect("jobs");
        assert_eq!(jobs.len(), 2, "{repeated}");
        assert!(jobs.iter().all(|job| job["changed"] == false), "{repeated}");
    }
    let left = served.get(&owner, "/api/v1/jobs?status=RUNNING").await.json();
    let left: Vec<_> = left
        .as_array()
        .expect("jobs")
        .iter()
        .map(|job| &job["job"])
        .collect();
    assert_eq!(left, [3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basket_that_cannot_be_started_or_is_not_there_is_named() {
    let served = Served::new().await;
    let (owner, operator) = (served.token("owner"), served.token("operator"));
    let all = "/api/v1/baskets";
    let with = |change: fn(&mut Value)| {
        let mut body = basket("index", [1, 2]);
        change(&mut body);
        body
    };
    for (key, body, status, said) in [
        ("a", json!({}), StatusCode::UNPROCESSABLE_ENTITY, "file"),
        (
            "b",
            with(|body| body["file"]["member"] = json!([{ "token": token(1) }])),
            StatusCode::BAD_REQUEST,
            "1 members; a basket has 2 to 100",
        ),
        (
            "c",
            with(|body| body["file"]["member"][1]["weigth"] = json!(2)),
            StatusCode::BAD_REQUEST,
            "member 2: weigth",
        ),
        (
            "d",
            with(|body| body["file"]["basket"]["band"] = json!(2)),
            StatusCode::BAD_REQUEST,
            "basket.band",
        ),
        (
            "e",
            with(|body| body["file"]["member"][1]["token"] = json!(token(1))),
            StatusCode::BAD_REQUEST,
            "another member has this token",
        ),
        (
            "f",
            with(|body| body["file"]["basket"] = json!(null)),
            StatusCode::BAD_REQUEST,
            "basket",
        ),
    ] {
        let refused = post(&served, &owner, all, key, body).await;
        assert_eq!(refused.status, status, "{key}: {refused:?}");
        assert!(refused.text.contains(said), "{key}: {refused:?}");
    }
    let jobs = served.get(&owner, "/api/v1/jobs").await.json();
    assert_eq!(jobs, json!([]), "all of them, or none");
    for (key, what) in [("g", "pause"), ("h", "resume"), ("i", "liquidate")] {
        let nowhere = post(&served, &owner, &format!("{all}/nothing/{what}"), key, json!({})).await;
        assert_eq!(nowhere.status, StatusCode::NOT_FOUND, "{nowhere:?}");
        let realm = format!("{all}/nothing/{what}?realm=nonsense");
        let nonsense = post(&served, &owner, &realm, &format!("{key}2"), json!({})).await;
        assert_eq!(nonsense.status, StatusCode::BAD_REQUEST, "{nonsense:?}");
    }
    let sale = post(
        &served,
        &operator,
        &format!("{all}/index/liquidate"),
        "j",
        json!({}),
    )
    .await;
    assert_eq!(sale.status, StatusCode::FORBIDDEN, "{sale:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_basket_is_started_resumed_and_sold_after_a_second_request_that_names_each_member() {
    let world = World::new(BlockTime::OnTransaction).await;
    let served = serve(&world).await;
    let owner = served.token("owner");
    let deployed = world.devnet.deployment();
    let practice = deployed.practice.values().next();
    let tokens = [deployed.clanker, *practice.expect("a practice token")];
    let members = tokens.map(|token| json!({ "token": token.to_checksum(None) }));
    let body = json!({
        "file": { "basket": { "name": "index", "budget_usd": 20 }, "limits": { "max_slippage_bps": 300 }, "member": members },
        "set": ["price.sources=onchain", "price.single_source=true"], "chain": "local", "live": true,
    });
    let path = |what: &str| format!("/api/v1/baskets/index/{what}");
    let (would, started) = twice(&served, &owner, (Method::POST, "/api/v1/baskets"), body).await;
    let wallets = would.matches("LIVE on local, wallet 0x9d8A62f6").count();
    assert!(
        would.starts_with("trade with real money: ") && wallets == 2,
        "{would}"
    );
    assert_eq!(started.as_array().map(Vec::len), Some(2), "{started}");
    // Stopping needs nothing.
    let paused = post(&served, &owner, &path("pause"), "p", json!({})).await.json();
    assert_eq!(after(&paused), ["PAUSED"; 2], "{paused}");
    for (what, would_begin, expected) in [
        ("resume", "continue with real money: job 1", "RUNNING"),
        ("liquidate", "sell with real money: job 1", "LIQUIDATING"),
    ] {
        let path = path(what);
        let (would, done) = twice(&served, &owner, (Method::POST, &path), json!({})).await;
        assert!(
            would.starts_with(would_begin) && would.contains("; job 2"),
            "{would}"
        );
        assert_eq!(after(&done), [expected; 2], "{done}");
    }
    told_apart(&served, &owner).await;
    idle_ones_are_asked_about(&served, &owner).await;
}

/// A paper basket has the name of the live one.
async fn told_apart(served: &Served, owner: &str) {
    let started = post(served, owner, "/api/v1/baskets", "two", basket("index", [1, 2])).await;
    assert_eq!(started.status, StatusCode::OK, "{started:?}");
    let path = "/api/v1/baskets/index/pause";
    let both = post(served, owner, path, "both", json!({})).await;
    assert_eq!(both.status, StatusCode::BAD_REQUEST, "{both:?}");
    let text =
        "2 baskets have the name index (paper on base, LIVE on local): choose one by `realm` or `chain`";
    assert!(both.text.contains(text), "{both:?}");
    let one = post(served, owner, &format!("{path}?realm=paper"), "one", json!({})).await;
    let one = one.json();
    let jobs = one["jobs"].as_array().expect("jobs").iter();
    assert_eq!(jobs.map(|job| &job["job"]).collect::<Vec<_>>(), [3, 4], "{one}");
}

/// A job that had sold all holds tokens again if a reorg gave them back: it sells them, and that is confirmed too.
async fn idle_ones_are_asked_about(served: &Served, owner: &str) {
    sqlx::query(
        "UPDATE jobs SET status = 'IDLE', liquidation = NULL, token_balance = CASE id WHEN 2 THEN 1000 ELSE 0 END,
                cost_basis = CASE id WHEN 2 THEN 1 ELSE 0 END
         WHERE realm = 'live'",
    )
    .execute(&served.db.pool)
    .await
    .expect("as a reorg leaves it");
    let statuses = "SELECT array_agg(status ORDER BY id) FROM jobs WHERE realm = 'live'";
    let status = async || -> Vec<String> {
        sqlx::query_scalar(statuses)
            .fetch_one(&served.db.pool)
            .await
            .expect("statuses")
    };
    let path = "/api/v1/baskets/index/liquidate?chain=local";
    let (would, _) = twice(served, owner, (Method::POST, path), json!({ "over": "6h" })).await;
    assert!(
        would.starts_with("sell with real money: job 2 (")
            && would.contains(": 0.000000000000001 ")
            && !would.contains("; job")
            && would.ends_with(", in 12 sells over 6h"),
        "{would}"
    );
    assert_eq!(status().await, ["IDLE", "LIQUIDATING"]);
}

/// Hours at one price.
fn steady(hours: u32) -> String {
    let from = 1_767_225_600_u64;
    let rows = (0..u64::from(hours)).map(|hour| format!("{},7\n", from + hour * 3_600));
    format!("time,price\n{}", rows.collect::<String>())
}

/// What cannot be run is refused, and says what to change.
async fn no_backtest(served: &Served, operator: &str, body: &Value) {
    for (number, (change, said)) in [
        (
            json!({ "csvs": [prices(9)] }),
            "`csvs`: 1 for the 2 members of the basket",
        ),
        (
            json!({ "csv": prices(9) }),
            "`csv`: it is for one token, and `file` is a basket",
        ),
        (json!({ "mode": "BASKET" }), "`mode`: it is for one token"),
        (
            json!({ "from": "2026-01-01" }),
            "`from`: it chooses candles of the members",
        ),
        (
            json!({ "file": null }),
            "`csvs`: they are the prices of a basket's members",
        ),
        (
            json!({ "sweep": ["basket.band_pct=5..20:5"] }),
            "basket.band_pct: it has both a value and a range",
        ),
        (json!({ "set": ["basket.band_pct=0"] }), "basket.band_pct"),
        (
            json!({ "csvs": [prices(9), "time,price\n2026-01-01T00:00:00Z,none\n"] }),
            "`csv`: the given prices of T2: 1 rows cannot be used",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = body.clone();
        for (key, value) in change.as_object().expect("fields") {
            body[key] = value.clone();
        }
        let key = format!("no{number}");
        let refused = post(served, operator, "/api/v1/backtests", &key, body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{change}: {refused:?}");
        let detail = refused.json()["detail"].as_str().expect("why").to_owned();
        assert!(
            detail.starts_with(said) && !detail.contains("/tmp"),
            "{change}: {detail}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backtest_of_a_basket_is_as_the_command_lines_and_has_its_report() {
    let served = Served::new().await;
    let (operator, viewer) = (served.token("operator"), served.token("viewer"));
    let mut body = basket("index", [1, 2]);
    body["csvs"] = json!([prices(600), steady(500)]);
    body["set"] = json!(["basket.band_pct=5"]);
    let run = post(&served, &operator, "/api/v1/backtests", "run", body.clone()).await;
    let run = ended(&served, &viewer, &run).await;
    assert_eq!(
        (&run["state"], &run["symbol"]),
        (&json!("done"), &json!("T1 T2")),
        "{run}"
    );

    let folder = tempfile::tempdir().expect("a directory");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let file = format!(
        "basket.name = \"index\"\nbasket.budget_usd = \"100.5\"\n\
         [[member]]\ntoken = \"{}\"\nsymbol = \"T1\"\nweight = 1\n\
         [[member]]\ntoken = \"{}\"\nsymbol = \"T2\"\nweight = 2\n",
        token(1),
        token(2)
    );
    std::fs::write(path("index.toml"), file).expect("a file");
    std::fs::write(path("1.csv"), prices(600)).expect("prices");
    std::fs::write(path("2.csv"), steady(500)).expect("prices");
    let (file, one, two) = (path("index.toml"), path("1.csv"), path("2.csv"));
    let command = [
        "backtest",
        "--config",
        &file,
        "--prices",
        &one,
        "--prices",
        &two,
        "--set",
        "basket.band_pct=5",
    ];
    let printed = served.cli(&command);
    assert!(printed["summary"]["sells"].as_u64() > Some(0), "{printed}");
    assert_eq!(run["summary"], printed["summary"]);
    let shown = &run["basket"];
    assert_eq!(shown["kept"], printed["kept"]);
    for place in [0, 1] {
        let (shown, printed) = (&shown["members"][place], &printed["members"][place]);
        assert_eq!(shown["summary"], printed["summary"]);
        assert_eq!(shown["trades"], json!([]), "they are in the report");
        assert_eq!(
            shown["series"]["name"],
            format!("the given prices of T{}", place + 1)
        );
    }

    let report = format!("/api/v1/backtests/{}/report", run["run"]);
    let report = served.get(&viewer, &report).await;
    assert_eq!(report.status, StatusCode::OK);
    assert!(report.text.contains("T1") && !report.text.contains("/tmp"));

    let mut sweep = body.clone();
    sweep["set"] = json!([]);
    sweep["sweep"] = json!(["basket.band_pct=5..20:5"]);
    sweep["walk_forward"] = json!(2);
    let swept = post(&served, &operator, "/api/v1/backtests", "sweep", sweep).await;
    let swept = ended(&served, &viewer, &swept).await;
    assert_eq!(
        (&swept["state"], &swept["done"]),
        (&json!("done"), &json!(12)),
        "{swept}"
    );
    let ranked = &swept["swept"]["configurations"];
    assert_eq!(ranked.as_array().map(Vec::len), Some(4));
    assert_eq!(ranked[0]["net_usd"], swept["summary"]["net_usd"], "{ranked}");
    no_backtest(&served, &operator, &body).await;
}
