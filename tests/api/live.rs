//! Live updates.

use std::time::Duration;

use futures::StreamExt as _;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::server::{Served, quiet_job};

/// A stream, and what of it was read and not looked at.
struct Stream {
    response: reqwest::Response,
    text: String,
}

/// One event: its name, id and data.
#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

impl Stream {
    async fn open(served: &Served, token: &str, last: Option<&str>) -> Self {
        let request = served.request(Method::GET, "/api/v1/events").bearer_auth(token);
        let request = last
            .iter()
            .fold(request, |request, id| request.header("last-event-id", *id));
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            text: String::new(),
        }
    }

    /// The next event; `None`: the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event
                        .lines()
                        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    line.unwrap_or_default().to_owned()
                };
                let read = Event {
                    name: field("event"),
                    id: field("id"),
                    data: serde_json::from_str(&field("data")).unwrap_or_default(),
                };
                self.text = rest.to_owned();
                if !read.name.is_empty() {
                    return Some(read);
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(30), self.response.chunk()).await;
            let chunk = chunk.expect("an event in time").ok().flatten()?;
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
    }

    async fn until(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await.expect("an event");
            if event.data["name"] == name {
                return event;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_as_they_happen_resumed_where_they_were_left_and_end_with_the_token() {
    let served = Served::new().await;
    quiet_job(&served, 1);
    let viewer = served.token("viewer");
    let mut stream = Stream::open(&served, &viewer, None).await;
    assert_eq!(stream.next().await.expect("a beginning").name, "ready");
    served.cli(&["pause", "1"]);
    let paused = stream.until("pause").await;
    assert_eq!(
        (&paused.data["kind"], &paused.data["job"]),
        (&"order".into(), &1.into())
    );
    drop(stream);
    served.cli(&["resume", "1"]);
    served.cli(&["tick", "1"]);
    // What happened while nobody listened is told first.
    let mut stream = Stream::open(&served, &viewer, Some(&paused.id)).await;
    stream.until("resume").await;
    let filled = stream.until("trade.filled").await;
    assert_eq!(
        (&filled.data["trade"], &filled.data["job"]),
        (&1.into(), &1.into())
    );
    served.cli(&["token", "revoke", "viewer"]);
    while stream.next().await.is_some() {}

    let owner = served.token("owner");
    for wrong in ["x", "-1-1", "1"] {
        let request = served.request(Method::GET, "/api/v1/events").bearer_auth(&owner);
        let answer = request
            .header("last-event-id", wrong)
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{wrong}");
    }
    // Clients that never read cost nobody else anything.
    let lazy = (0..64).map(|_| Stream::open(&served, &owner, None));
    let lazy: Vec<Stream> = futures::stream::iter(lazy).buffer_unordered(16).collect().await;
    let one_more = served.request(Method::GET, "/api/v1/events").bearer_auth(&owner);
    let one_more = one_more.send().await.expect("an answer");
    assert_eq!(one_more.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(served.get(&owner, "/api/v1/jobs").await.status, StatusCode::OK);
    drop(lazy);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_falls_behind_is_told_to_read_everything_again_and_stays_connected() {
    let served = Served::new().await;
    quiet_job(&served, 1);
    let viewer = served.token("viewer");
    let mut stream = Stream::open(&served, &viewer, None).await;
    assert_eq!(stream.next().await.expect("a beginning").name, "ready");
    // More at once than is kept for a client.
    let many = "INSERT INTO outbox (job_id, event, payload) SELECT 1, 'trade.stuck', '{}' FROM generate_series(1, 3000)";
    sqlx::query(many).execute(&served.db.pool).await.expect("events");
    while stream.next().await.expect("it is not dropped").name != "reload" {}
    served.cli(&["pause", "1"]);
    stream.until("pause").await;
}
