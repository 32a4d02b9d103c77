//! Live updates as server-sent events.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{
        Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::{Stream, stream};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    api::{events::Sent, problem::Problem, state::Shared},
    app::{
        changes::{self, Change, Place},
        tokens::{self, Bearer},
    },
};

/// Clients at once.
const CLIENTS_MAX: usize = 64;
/// A quiet stream says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Seconds until a listener that found no place may try again.
const RETRY: u16 = 15;
/// How long a stream outlives its token.
const TOKEN_CHECKED: Duration = Duration::from_secs(5);

/// Changes of jobs and trades as they happen, as server-sent events. Each says what changed: read that again. After
/// `reload`, read all again.
#[utoipa::path(get, path = "/api/v1/events", tag = "history", extensions(("x-role" = json!("viewer"))),
    params(("Last-Event-ID" = Option<String>, Header, description = "The last id that was received: continue from there. \
            An event may come twice then; kind and id tell")),
    responses((status = 200, description = "event: change, ready or reload; data: kind, id, at, job, trade and name as JSON",
               body = String, content_type = "text/event-stream")))]
pub(in crate::api) async fn events(
    State(api): State<Shared>,
    Extension(bearer): Extension<Bearer>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    // Before the past is read: what happens from here on is not missed.
    let receiver = api.events.subscribe(CLIENTS_MAX).await.ok_or_else(too_many)?;
    let given = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let given: Option<Place> = given.map(str::parse).transpose()?;
    let mut past = VecDeque::from([Event::default().event("ready").data("{}")]);
    if let Some(place) = given {
        match changes::since(&api.app, place).await? {
            Some(changes) => past.extend(changes.iter().map(|change| event(place, change))),
            None => past.push_back(Event::default().event("reload").data("{}")),
        }
    }
    let mut checked = tokio::time::interval(TOKEN_CHECKED);
    checked.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let listening = Listening {
        api,
        bearer,
        receiver,
        past,
        checked,
    };
    let stream = stream::unfold(listening, |mut listening| async {
        let event = listening.next().await?;
        Some((Ok(event), listening))
    });
    // An event, not a comment: a page cannot see comments, nor that its connection has vanished.
    let ping = Event::default().event("ping").data("{}");
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT).event(ping)))
}

fn too_many() -> Problem {
    let detail = format!("{CLIENTS_MAX} clients listen already; close one, or ask again later");
    Problem {
        retry_after: Some(RETRY),
        ..Problem::http(
            StatusCode::TOO_MANY_REQUESTS,
            "streams",
            "too many listeners",
            &detail,
        )
    }
}

struct Listening {
    api: Shared,
    bearer: Bearer,
    receiver: Receiver<Arc<Sent>>,
    past: VecDeque<Event>,
    checked: tokio::time::Interval,
}

impl Listening {
    /// The next event; `None`: the stream ends, since its token is not valid any more, or the server stops.
    async fn next(&mut self) -> Option<Event> {
        if let Some(event) = self.past.pop_front() {
            return Some(event);
        }
        loop {
            tokio::select! {
                () = self.api.events.stop.cancelled() => return None,
                _ = self.checked.tick() => {
                    // A database that does not answer ends no stream.
                    let valid = tokens::is_valid(&self.api.app, self.bearer.token).await;
                    if matches!(valid, Ok(false)) {
                        return None;
                    }
                }
                sent = self.receiver.recv() => return match sent {
                    Ok(sent) => Some(event(sent.place, &sent.change)),
                    // What was missed is not kept.
                    Err(RecvError::Lagged(_)) => Some(Event::default().event("reload").data("{}")),
                    Err(RecvError::Closed) => None,
                },
            }
        }
    }
}

fn event(place: Place, change: &Change) -> Event {
    // Plain data: it always serialises.
    let data = serde_json::to_string(change).unwrap_or_default();
    Event::default().event("change").id(place.to_string()).data(data)
}
