//! Sessions of browsers, and the console's files.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;

use crate::server::{Answer, Served, Session, answer, quiet_job};

async fn sql(served: &Served, statement: &'static str) {
    sqlx::query(statement)
        .execute(&served.db.pool)
        .await
        .expect("SQL");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_opens_the_console_once_and_for_five_minutes() {
    let served = Served::new().await;
    let link = served.cli(&["console", "--at", "https://trade.example.org/"]);
    let url = link["url"].as_str().expect("a link");
    assert!(
        url.starts_with("https://trade.example.org/console/#ticket=lgimm_"),
        "{url}"
    );
    assert_eq!((&link["kind"], &link["role"]), (&json!("link"), &json!("owner")));
    let (_, ticket) = url.split_once("#ticket=").expect("a ticket");
    // It is no token.
    assert_eq!(
        served.get(ticket, "/api/v1/jobs").await.status,
        StatusCode::UNAUTHORIZED
    );

    let opened = served.exchange(ticket).await;
    assert_eq!(opened.status, StatusCode::OK, "{opened:?}");
    assert_eq!(opened.json()["name"], link["name"]);
    let cookie = opened.header("set-cookie").to_owned();
    let (pair, rest) = cookie.split_once(';').expect("attributes");
    assert_eq!(
        rest, " HttpOnly; SameSite=Strict; Path=/; Max-Age=43200",
        "{cookie}"
    );
    assert!(
        pair.starts_with(&format!("lgi-mm-{}=lgimm_", served.address.port())),
        "{pair}"
    );
    assert!(
        !opened.text.contains("lgimm_"),
        "a script could read it: {opened:?}"
    );

    let again = served.exchange(ticket).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED, "{again:?}");
    assert!(again.text.contains("lgi-mm console"), "{again:?}");
    assert!(again.headers.get("set-cookie").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_revoked_or_guessed_link_opens_nothing_and_none_stands_anywhere() {
    let served = Served::new().await;
    let ticket = served.ticket("owner");
    let ticket = ticket.as_str();
    let opened = served.exchange(ticket).await;
    let cookie = opened.header("set-cookie");
    let session = cookie.split(['=', ';']).nth(1).expect("a value");
    let expired = served.ticket("viewer");
    sql(
        &served,
        "UPDATE api_tokens SET created_at = now() - interval '1 hour', expires_at = now() - interval '1 s'
                  WHERE kind = 'link'",
    )
    .await;
    let revoked_link = served.cli(&["console"]);
    served.cli(&["token", "revoke", revoked_link["name"].as_str().expect("a name")]);
    let revoked = revoked_link["url"]
        .as_str()
        .expect("a link")
        .split_once('=')
        .expect("a ticket")
        .1;
    let guess = format!("lgimm_{:0>43}", 1);
    for wrong in [expired.as_str(), revoked, &guess, session, "", "\u{0}"] {
        assert_eq!(
            served.exchange(wrong).await.status,
            StatusCode::UNAUTHORIZED,
            "{wrong}"
        );
    }
    for text in [ticket, session] {
        assert!(!served.log().contains(text), "in the log");
        let kept: Vec<String> =
            sqlx::query_scalar("SELECT a::text FROM audit a UNION ALL SELECT t::text FROM api_tokens t")
                .fetch_all(&served.db.pool)
                .await
                .expect("rows");
        assert!(!kept.join(" ").contains(text), "in the database");
    }
    let foreign = served
        .request(Method::POST, "/api/v1/session")
        .header("origin", "http://evil.example")
        .header("x-lgi-mm-console", "1")
        .json(&json!({ "ticket": served.ticket("owner") }));
    assert_eq!(answer(foreign).await.status, StatusCode::FORBIDDEN);
}

/// A pause of job 1 with this cookie, and whatever else `add` adds.
async fn pause(
    served: &Served,
    cookie: &str,
    key: &str,
    add: impl FnOnce(RequestBuilder) -> RequestBuilder,
) -> Answer {
    let request = served
        .request(Method::POST, "/api/v1/jobs/1/pause")
        .header("cookie", cookie);
    answer(add(request.header("Idempotency-Key", key))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_our_own_page_writes_with_a_session_until_it_is_closed_or_revoked() {
    let served = Served::new().await;
    quiet_job(&served, 1);
    let session = served.session("operator").await;
    let (cookie, key) = (session.cookie.as_str(), session.key.as_str());
    let own = format!("http://{}", served.address);
    let own = own.as_str();
    let refused = [
        pause(&served, cookie, "k1", |request| request).await,
        pause(&served, cookie, "k2", |request| request.header("origin", own)).await,
        pause(&served, cookie, "k3", |request| {
            request.header("x-lgi-mm-console", key)
        })
        .await,
        pause(&served, cookie, "k4", |request| {
            request
                .header("x-lgi-mm-console", key)
                .header("origin", "http://evil.example")
        })
        .await,
        pause(&served, cookie, "k5", |request| {
            request
                .header("x-lgi-mm-console", key)
                .header("origin", own)
                .header("sec-fetch-site", "same-site")
        })
        .await,
    ];
    for answer in refused {
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
        assert_eq!(answer.json()["type"], "origin");
    }
    let from_page = |request: RequestBuilder| request.header("x-lgi-mm-console", key).header("origin", own);
    let two = format!("{cookie}; {cookie}");
    assert_eq!(
        pause(&served, &two, "k6", from_page).await.status,
        StatusCode::UNAUTHORIZED
    );
    // The cookie alone, which a server at another port of this host gets, is not enough; nor is a guessed key.
    let other = served.session("operator").await;
    for wrong in ["1", &other.key, &"0".repeat(64)] {
        let with = |request: RequestBuilder| request.header("x-lgi-mm-console", wrong).header("origin", own);
        let answer = pause(&served, cookie, "k8", with).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
    }
    let read = served
        .request(Method::GET, "/api/v1/jobs")
        .header("cookie", cookie);
    assert_eq!(answer(read).await.status, StatusCode::FORBIDDEN);
    let done = pause(&served, cookie, "k7", from_page).await;
    assert_eq!(done.status, StatusCode::OK, "{done:?}");

    let shown = answer(served.in_session(Method::GET, "/api/v1/session", &session))
        .await
        .json();
    assert!(shown.get("key").is_none(), "it is answered once");
    let name = shown["name"].as_str().expect("a name").to_owned();
    let actors: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT actor FROM job_events WHERE actor LIKE 'console:%'")
            .fetch_all(&served.db.pool)
            .await
            .expect("events");
    assert_eq!(actors, [format!("console:{name}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_it_is_closed_or_revoked_or_after_twelve_hours() {
    let served = Served::new().await;
    let session = served.session("operator").await;
    let closed = answer(served.in_session(Method::DELETE, "/api/v1/session", &session)).await;
    assert_eq!(closed.status, StatusCode::NO_CONTENT, "{closed:?}");
    assert!(closed.header("set-cookie").contains("Max-Age=0"), "{closed:?}");
    let read = |session: Session| {
        let request = served.in_session(Method::GET, "/api/v1/jobs", &session);
        async move { answer(request).await }
    };
    assert_eq!(read(session).await.status, StatusCode::UNAUTHORIZED);

    let session = served.session("viewer").await;
    assert_eq!(read(session.clone()).await.status, StatusCode::OK);
    let listed = served.cli(&["token", "list"]);
    assert_eq!(listed[0]["kind"], "session");
    served.cli(&["token", "revoke", listed[0]["name"].as_str().expect("a name")]);
    assert_eq!(read(session).await.status, StatusCode::UNAUTHORIZED);

    let session = served.session("viewer").await;
    sql(
        &served,
        "UPDATE api_tokens SET created_at = now() - interval '13 hours', expires_at = now() - interval '1 s'
                  WHERE kind = 'session'",
    )
    .await;
    assert_eq!(read(session).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_console_allows_no_script_but_its_own_and_is_small() {
    let served = Served::with(&[("LGI_MM__API__BEHIND_PROXY", "true")]).await;
    let get = |path: &str| {
        answer(
            served
                .request(Method::GET, path)
                .header("accept-encoding", "gzip"),
        )
    };
    let page = answer(served.request(Method::GET, "/console/")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("script-src 'self'") && !policy.contains("unsafe"),
        "{policy}"
    );
    for path in [
        "/console/../api/v1/jobs",
        "/console/assets/",
        "/console/none",
        "/console/%2e%2e/x",
    ] {
        assert_ne!(get(path).await.status, StatusCode::OK, "{path}");
    }
    let other = served
        .request(Method::GET, "/console/")
        .header("host", "evil.example");
    assert_eq!(answer(other).await.status, StatusCode::MISDIRECTED_REQUEST);
    let mut size = 0;
    for path in page
        .text
        .split('"')
        .filter(|text| text.starts_with("/console/assets/"))
    {
        let asset = get(path).await;
        assert_eq!(asset.status, StatusCode::OK, "{path}");
        assert!(asset.header("cache-control").contains("immutable"), "{path}");
        let long: usize = asset.header("content-length").parse().expect("a length");
        assert_eq!(asset.header("content-encoding"), "gzip", "{path}");
        size += long;
    }
    // Without npm there is none.
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/console/dist/index.html");
    assert_eq!(std::path::Path::new(built).is_file(), size > 0);
    assert_eq!(page.text.contains("npm --prefix console ci"), size == 0);
    assert!(size < 300_000, "{size} bytes");

    // Behind a proxy with TLS, the cookie is for TLS alone.
    let opened = served.exchange(&served.ticket("viewer")).await;
    assert!(
        opened.header("set-cookie").starts_with("__Host-lgi-mm-"),
        "{opened:?}"
    );
    assert!(opened.header("set-cookie").ends_with("; Secure"), "{opened:?}");
}
