//! Requests that schemathesis makes from the OpenAPI document, most of them malformed.

use std::path::{Path, PathBuf};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Served, TOKEN, answer, quiet_job};

/// Where `scripts/test` installed it.
fn schemathesis() -> PathBuf {
    let given = std::env::var_os("LGI_MM_SCHEMATHESIS").map(PathBuf::from);
    let usual = "target/tools/schemathesis/bin/schemathesis";
    given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(usual))
}

/// No answer is an error of the program itself, and each is as the document says.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_malformed_requests_are_answered_as_the_document_says_and_none_by_an_error_of_ours() {
    let served = Served::new().await;
    quiet_job(&served, 1);
    let (owner, dir) = (served.token("owner"), tempfile::tempdir().expect("a directory"));
    // Of a job that is there.
    let config = "[parameters]\n\"path.job\" = \"1\"\n\"path.chain\" = \"base\"\n";
    std::fs::write(dir.path().join("schemathesis.toml"), config).expect("a configuration");
    let program = schemathesis();
    let ran = tokio::process::Command::new(&program)
        .args(["--config-file", "schemathesis.toml", "run"])
        .arg(format!("http://{}/api/v1/openapi.json", served.address))
        .args(["--header", &format!("Authorization: Bearer {owner}")])
        // A stream that never ends.
        .args(["--exclude-path", "/api/v1/events"])
        .args([
            "--checks",
            "not_a_server_error,response_schema_conformance,status_code_conformance",
        ])
        .args([
            "--phases",
            "coverage,fuzzing",
            "--mode",
            "all",
            "--max-examples",
            "5",
            "--seed",
            "7",
        ])
        .args(["--no-color", "--workers", "2"])
        .current_dir(dir.path())
        .output()
        .await
        .unwrap_or_else(|error| panic!("{}: {error}; scripts/test installs it", program.display()));
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{text}");
    let made = text
        .lines()
        .find_map(|line| line.trim().split_once(" generated, "));
    let made: u32 = made.expect("how many").0.parse().expect("a number");
    assert!(made >= 1_000, "only {made} requests");
    assert!(!served.log().contains("panicked"), "{}", served.log());
}

/// Every operation of the document, with a NUL character in each part of its path, in its query and in its body.
#[tokio::test(flavor = "multi_thread")]
async fn a_nul_character_is_refused_by_name_wherever_it_is_and_is_no_failure_of_the_database() {
    let served = Served::new().await;
    quiet_job(&served, 1);
    let owner = served.token("owner");
    let document = served.get(&owner, "/api/v1/openapi.json").await.json();
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            if matches!(operation["x-role"].as_str(), Some("none" | "signature")) {
                continue;
            }
            let method: Method = method.to_ascii_uppercase().parse().expect("a method");
            let send = |path: String, body: Option<Value>| {
                let request = served.request(method.clone(), &path).bearer_auth(&owner);
                let request = request.header("Idempotency-Key", "nul").header("If-Match", "*");
                answer(match body {
                    Some(body) => request.json(&body),
                    None => request,
                })
            };
            let known = |path: &str| {
                path.replace("{job}", "1")
                    .replace("{chain}", "base")
                    .replace("{run}", "1")
                    .replace("{name}", "owner")
            };
            let mut requests = Vec::new();
            if let Some((before, rest)) = path.split_once('{') {
                let after = rest.split_once('}').expect("a parameter").1;
                requests.push((known(&format!("{before}a%00b{after}")), None, "the path"));
            }
            requests.push((format!("{}?chain=%00", known(path)), None, "`chain`"));
            if operation["requestBody"].is_object() {
                let body = json!({ "token": "a\u{0}b", "set": ["x=1"] });
                requests.push((known(path), Some(body), "`token`"));
            }
            for (path, body, named) in requests {
                let answered = send(path.clone(), body).await;
                let place = format!("{method} {path}: {answered:?}");
                assert!(answered.status.is_client_error(), "{place}");
                let detail = answered.json()["detail"].as_str().expect("a text").to_owned();
                assert!(detail.contains(named) && detail.contains("NUL"), "{place}");
                tried += 1;
            }
        }
    }
    assert!(tried > 60, "{tried}");
    // An escape of TOML writes one, too.
    let set = json!({ "set": ["price.recorded.file=\"\\u0000\""] });
    let check = served
        .request(Method::POST, "/api/v1/jobs/1/config/check")
        .bearer_auth(&owner)
        .json(&set);
    let refused = answer(check).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{refused:?}");
    assert!(
        refused.text.contains("price.recorded.file") && refused.text.contains("NUL"),
        "{refused:?}"
    );
}

/// Words of a list in any case of letters, decimals as numbers, and no words of a programming language.
#[tokio::test(flavor = "multi_thread")]
async fn values_are_read_as_people_write_them_and_mistakes_are_said_in_plain_words() {
    let served = Served::new().await;
    quiet_job(&served, 1);
    let owner = served.token("owner");
    for path in [
        "/api/v1/jobs?status=running",
        "/api/v1/jobs?status=Running&realm=PAPER",
        "/api/v1/pnl?by=DAY",
        "/api/v1/trades?realm=Paper",
    ] {
        let found = served.get(&owner, path).await;
        assert_eq!(found.status, StatusCode::OK, "{path}: {found:?}");
    }
    let ask =
        |path: &str, body: Value| answer(served.request(Method::POST, path).bearer_auth(&owner).json(&body));
    for mode in ["liquidity", "LIQUIDITY", "Liquidity"] {
        for budget in [json!(100), json!("100"), json!(100.0)] {
            let start = json!({ "token": TOKEN, "mode": mode, "symbol": "X", "budget": budget });
            let would = ask("/api/v1/jobs/check", start).await;
            assert_eq!(would.status, StatusCode::OK, "{mode} {budget}: {would:?}");
            let would = would.json();
            assert_eq!(would["mode"], "LIQUIDITY", "one form is answered");
            assert_eq!(would["config"]["liquidity"]["budget_usd"], "100");
        }
    }
    for (path, body, said) in [
        (
            "/api/v1/jobs/check",
            json!({ "token": 5 }),
            "token: the number 5 is given; it must be a text, in quotes",
        ),
        ("/api/v1/jobs/check", json!({}), "token is missing"),
        (
            "/api/v1/jobs/check",
            json!({ "token": TOKEN, "simbol": "X" }),
            "simbol: there is no such key; did you mean symbol?",
        ),
        (
            "/api/v1/jobs/check",
            json!({ "token": TOKEN, "mode": "gamble" }),
            "mode: gamble is not one of the allowed values",
        ),
        (
            "/api/v1/jobs/check",
            json!({ "token": TOKEN, "mode": "liquidity", "budget": "lots" }),
            "budget: the text \"lots\" is given; it must be a number such as 25",
        ),
        ("/api/v1/jobs/check", json!([1]), "it must be an object"),
    ] {
        let wrong = ask(path, body.clone()).await;
        assert_eq!(
            wrong.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{body}: {wrong:?}"
        );
        plain(&wrong, said);
    }
    queries_that_cannot_be_read(&served, &owner).await;
}

async fn queries_that_cannot_be_read(served: &Served, owner: &str) {
    for (path, said) in [
        (
            "/api/v1/jobs?status=nonsense",
            "status: nonsense is not one of the allowed values",
        ),
        ("/api/v1/jobs?limit=many", "limit: it must be a whole number"),
        ("/api/v1/jobs?colour=red", "colour: there is no such key"),
        ("/api/v1/backtests/abc", "`abc` in the path is not a whole number"),
        (
            "/api/v1/jobs?chain=bsae",
            "`chain` bsae: no such chain; did you mean base?",
        ),
    ] {
        let wrong = served.get(owner, path).await;
        assert_eq!(wrong.status, StatusCode::BAD_REQUEST, "{path}: {wrong:?}");
        plain(&wrong, said);
    }
}

fn plain(wrong: &crate::server::Answer, said: &str) {
    let detail = wrong.json()["detail"].as_str().expect("a text").to_owned();
    assert!(detail.contains(said), "{said}: {detail}");
    for word in [
        "struct",
        "enum",
        "invalid type",
        "expected",
        "variant",
        "deserialize",
        "i64",
        "u32",
        "`i",
    ] {
        assert!(!detail.contains(word), "{word}: {detail}");
    }
}
