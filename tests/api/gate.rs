//! Who may do what, from where, and under which name.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Answer, Served, Session, answer};

const ROLES: [&str; 3] = ["viewer", "operator", "owner"];

/// Method, path and least role of every operation, from the document that is served.
async fn operations(served: &Served, token: &str) -> Vec<(Method, String, String)> {
    let document = served.get(token, "/api/v1/openapi.json").await.json();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let method: Method = method.to_ascii_uppercase().parse().expect("a method");
            let role = operation["x-role"].as_str().expect("a role").to_owned();
            // No such job: whoever may ask changes nothing.
            let path = path.replace("{job}", "999999").replace("{chain}", "base");
            found.push((method, path, role));
        }
    }
    found
}

/// What a request shows.
#[derive(Debug, Clone, Copy)]
enum Shows<'a> {
    Nothing,
    Token(&'a str),
    Session(&'a Session),
}

async fn tried(served: &Served, method: &Method, path: &str, shows: Shows<'_>, key: &str) -> Answer {
    let request = match shows {
        Shows::Nothing => served.request(method.clone(), path),
        Shows::Token(token) => served.request(method.clone(), path).bearer_auth(token),
        Shows::Session(session) => served.in_session(method.clone(), path, session),
    };
    let mut request = request.header("Idempotency-Key", key);
    if *method != Method::GET {
        request = request.json(&json!({ "unknown": 1 }));
    }
    answer(request).await
}

/// Not a token, of whatever role, but a signature.
async fn needs_a_signature(served: &Served, method: &Method, path: &str, (token, session): (&str, &Session)) {
    for shows in [Shows::Nothing, Shows::Token(token), Shows::Session(session)] {
        let unsigned = tried(served, method, path, shows, "k").await;
        assert_eq!(unsigned.status, StatusCode::UNAUTHORIZED, "{method} {path}");
    }
}

/// A new operation is tried without anybody thinking of it: they come from the document.
#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_for_its_role_and_those_above_it_and_for_nobody_else() {
    let served = Served::new().await;
    let tokens = ROLES.map(|role| served.token(role));
    let mut sessions = Vec::new();
    for role in ROLES {
        sessions.push(served.session(role).await);
    }
    let operations = operations(&served, &tokens[0]).await;
    assert!(operations.len() > 15, "{operations:?}");
    let mut number = 0;
    for (method, path, least) in &operations {
        if (method, path.as_str(), least.as_str()) == (&Method::POST, "/api/v1/session", "none") {
            continue;
        }
        if least == "signature" {
            needs_a_signature(&served, method, path, (&tokens[2], &sessions[2])).await;
            continue;
        }
        let least = ROLES.iter().position(|role| role == least).expect("a role");
        let nobody = tried(&served, method, path, Shows::Nothing, "k").await;
        assert_eq!(nobody.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        let shown = tokens.iter().map(|token| Shows::Token(token)).enumerate();
        let shown = shown.chain(sessions.iter().map(Shows::Session).enumerate());
        for (rank, shows) in shown {
            // It would end the session.
            if (method, path.as_str()) == (&Method::DELETE, "/api/v1/session")
                && matches!(shows, Shows::Session(_))
            {
                continue;
            }
            number += 1;
            let answer = tried(&served, method, path, shows, &format!("k{number}")).await;
            let place = format!("{method} {path} as {} with {shows:?}: {answer:?}", ROLES[rank]);
            if rank < least {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{place}");
                assert_eq!(answer.json()["type"], "role", "{place}");
            } else {
                let let_in = ![StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED].contains(&answer.status);
                assert!(let_in && !answer.status.is_server_error(), "{place}");
            }
            assert_eq!(answer.header("cache-control"), "no-store", "{place}");
            assert!(
                answer.headers.get("access-control-allow-origin").is_none(),
                "{place}"
            );
        }
    }
    for (path, status) in [
        ("/", StatusCode::NOT_FOUND),
        ("/api/v1/policy", StatusCode::NOT_FOUND),
        ("/api/v1/jobs/", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(
            tried(&served, &Method::GET, path, Shows::Nothing, "k")
                .await
                .status,
            StatusCode::UNAUTHORIZED
        );
        assert_eq!(served.get(&tokens[2], path).await.status, status, "{path}");
    }
    let put = tried(
        &served,
        &Method::PUT,
        "/api/v1/jobs",
        Shows::Token(&tokens[2]),
        "k",
    )
    .await;
    assert_eq!(put.status, StatusCode::METHOD_NOT_ALLOWED, "{put:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_another_server_and_a_page_of_another_site_get_nothing() {
    let served = Served::with(&[("LGI_MM__API__HOSTS", "[\"trade.example.org\"]")]).await;
    let owner = served.token("owner");
    let port = served.address.port();
    let jobs = |headers: &[(&str, &str)]| {
        let request = served.request(Method::GET, "/api/v1/jobs").bearer_auth(&owner);
        let request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value));
        answer(request)
    };
    for (host, status) in [
        (format!("localhost:{port}"), StatusCode::OK),
        ("trade.example.org".to_owned(), StatusCode::OK),
        ("evil.example".to_owned(), StatusCode::MISDIRECTED_REQUEST),
        (format!("evil.example:{port}"), StatusCode::MISDIRECTED_REQUEST),
        (
            format!("localhost.evil.example:{port}"),
            StatusCode::MISDIRECTED_REQUEST,
        ),
        ("localhost:1".to_owned(), StatusCode::MISDIRECTED_REQUEST),
    ] {
        assert_eq!(jobs(&[("host", &host)]).await.status, status, "{host}");
    }
    let own = format!("http://{}", served.address);
    for (header, value, status) in [
        ("origin", own.as_str(), StatusCode::OK),
        ("origin", "http://evil.example", StatusCode::FORBIDDEN),
        ("origin", "null", StatusCode::FORBIDDEN),
        ("sec-fetch-site", "same-origin", StatusCode::OK),
        ("sec-fetch-site", "none", StatusCode::OK),
        ("sec-fetch-site", "cross-site", StatusCode::FORBIDDEN),
        ("sec-fetch-site", "same-site", StatusCode::FORBIDDEN),
    ] {
        assert_eq!(jobs(&[(header, value)]).await.status, status, "{header}: {value}");
        // A form of another site.
        let write = served
            .request(Method::POST, "/api/v1/jobs")
            .bearer_auth(&owner)
            .header("content-type", "text/plain")
            .header(header, value)
            .body("{}");
        let write = answer(write).await.status;
        assert!(write.is_client_error(), "{header}: {value}: {write}");
        assert_eq!(write == StatusCode::FORBIDDEN, status == StatusCode::FORBIDDEN);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_by_the_clock_of_the_database_or_at_once_and_stands_nowhere() {
    let served = Served::new().await;
    let (viewer, owner) = (served.token("viewer"), served.token("owner"));
    assert_eq!(served.get(&viewer, "/api/v1/jobs").await.status, StatusCode::OK);
    let past = "UPDATE api_tokens SET created_at = now() - interval '2 days', expires_at = now() - interval '1 second'
                WHERE name = 'viewer'";
    sqlx::query(past)
        .execute(&served.db.pool)
        .await
        .expect("time passes");
    let expired = served.get(&viewer, "/api/v1/jobs").await;
    assert_eq!(expired.status, StatusCode::UNAUTHORIZED);
    served.cli(&["token", "revoke", "owner"]);
    assert_eq!(
        served.get(&owner, "/api/v1/jobs").await.status,
        StatusCode::UNAUTHORIZED
    );
    let listed = served.cli(&["token", "list"]);
    assert_eq!(listed[0]["state"], "revoked");
    assert_eq!(listed[1]["state"], "expired");
    // In the URL it is no token, and no answer repeats it.
    let in_url = served.request(Method::GET, &format!("/api/v1/jobs?access_token={owner}"));
    let in_url = answer(in_url).await;
    assert_eq!(in_url.status, StatusCode::UNAUTHORIZED);
    let written: Vec<String> = sqlx::query_scalar(
        "SELECT a::text FROM audit a UNION ALL SELECT t::text FROM api_tokens t UNION ALL SELECT r::text FROM api_requests r",
    )
    .fetch_all(&served.db.pool)
    .await
    .expect("rows");
    let places = [
        served.log(),
        expired.text,
        in_url.text,
        listed.to_string(),
        written.join("\n"),
    ];
    for place in places {
        assert!(!place.contains(&viewer) && !place.contains(&owner), "{place}");
    }
    let trail: Vec<(String, String, String)> =
        sqlx::query_as("SELECT actor, action, subject FROM audit ORDER BY id")
            .fetch_all(&served.db.pool)
            .await
            .expect("the audit");
    let row = |action: &str, subject: &str| ("cli:tester".to_owned(), action.to_owned(), subject.to_owned());
    assert_eq!(
        trail,
        [
            row("token_new", "viewer"),
            row("token_new", "owner"),
            row("token_revoke", "owner")
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_tokens_is_locked_out_and_who_has_one_is_not() {
    let served = Served::new().await;
    let (viewer, other) = (served.token("viewer"), served.token("operator"));
    assert_eq!(served.get(&viewer, "/api/v1/jobs").await.status, StatusCode::OK);
    let guess = |n: usize| format!("lgimm_{n:0>43}");
    for n in 0..10 {
        let wrong = served.get(&guess(n), "/api/v1/jobs").await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED, "{n}");
    }
    let locked: Answer = served.get(&guess(10), "/api/v1/jobs").await;
    assert_eq!(locked.status, StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = locked.header("retry-after").parse().expect("seconds");
    assert!((1..=61).contains(&wait), "{wait}");
    assert_eq!(served.get(&viewer, "/api/v1/jobs").await.status, StatusCode::OK);
    // Nor is one that was never used, and a link that was made meanwhile.
    assert_eq!(served.get(&other, "/api/v1/jobs").await.status, StatusCode::OK);
    let ticket = served.ticket("viewer");
    served.get(&guess(11), "/api/v1/jobs").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(served.exchange(&ticket).await.status, StatusCode::OK);
    let said: Value = serde_json::from_str(&locked.text).expect("JSON");
    assert_eq!(said["type"], "locked_out");
    assert!(served.log().contains("too many wrong tokens"));
}
