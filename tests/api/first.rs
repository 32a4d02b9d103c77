//! Who is answered at all.

use reqwest::{Method, StatusCode};

use crate::server::{Served, TOKEN, answer};

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_listed_as_the_command_line_lists_them_and_to_holders_of_a_token_only() {
    let served = Served::new().await;
    let quiet = ["--set", "price.sources=[\"generated\"]", "--symbol", "CLAWD"];
    let start = ["start", TOKEN, "--mode", "accumulate"];
    served.cli(&[&start[..], &quiet[..]].concat());
    let viewer = served.token("viewer");

    let jobs = served.get(&viewer, "/api/v1/jobs").await;
    assert_eq!(jobs.status, StatusCode::OK, "{jobs:?}");
    assert_eq!(jobs.json(), served.cli(&["list"]));
    assert_eq!(jobs.header("cache-control"), "no-store");
    assert_eq!(jobs.header("x-content-type-options"), "nosniff");

    let nobody = answer(served.request(Method::GET, "/api/v1/jobs")).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    assert_eq!(nobody.header("content-type"), "application/problem+json");
    assert!(nobody.header("www-authenticate").starts_with("Bearer"));
    assert_eq!(nobody.json()["type"], "token");

    let problem = served.get(&viewer, "/api/v1/jobs?limit=0").await;
    assert_eq!(problem.status, StatusCode::BAD_REQUEST, "{problem:?}");
    served.cli(&["token", "revoke", "viewer"]);
    let revoked = served.get(&viewer, "/api/v1/jobs").await;
    assert_eq!(revoked.status, StatusCode::UNAUTHORIZED, "at once");
    assert!(!served.log().contains(&viewer), "a token is in the log");
}
