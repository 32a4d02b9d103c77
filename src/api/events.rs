//! Live updates. One watch asks the database for all clients; a client that cannot keep up is dropped, and resumes from
//! the last id that it got.

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
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{problem::Problem, state::Shared};
use crate::app::{
    App, AppError,
    changes::{self, Change, Place, Watch},
    tokens::{self, Bearer},
};

/// Pause between two looks for changes.
const EVERY: Duration = Duration::from_millis(500);
/// Changes that a client may be behind.
const BEHIND_MAX: usize = 1_024;
/// Clients at once.
const CLIENTS_MAX: usize = 64;
/// A quiet stream says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a stream outlives its token.
const TOKEN_CHECKED: Duration = Duration::from_secs(5);

/// A change as it is sent, and the place to resume from.
#[derive(Debug)]
pub(super) struct Told {
    place: Place,
    change: Change,
}

/// Where changes are told.
#[derive(Debug, Clone)]
pub(super) struct Events {
    sender: Sender<Arc<Told>>,
    stop: CancellationToken,
}

impl Events {
    /// Until `stop`.
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            sender: broadcast::channel(BEHIND_MAX).0,
            stop,
        }
    }

    /// Looks for changes until stopped. A database that does not answer delays them.
    pub(super) async fn watch(&self, app: &App) {
        let mut watch = None;
        let mut failed = false;
        while !self.stop.is_cancelled() {
            let looked = match &mut watch {
                None => Watch::begin(app).await.map(|begun| watch = Some(begun)),
                Some(watch) => self.look(app, watch).await,
            };
            if let Err(error) = &looked
                && !failed
            {
                warn!(%error, "live updates of the HTTP API wait for the database");
            }
            failed = looked.is_err();
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    async fn look(&self, app: &App, watch: &mut Watch) -> Result<(), AppError> {
        let changes = watch.look(app).await?;
        let place = watch.place();
        for change in changes {
            // Fails only while nobody listens.
            let _ = self.sender.send(Arc::new(Told { place, change }));
        }
        Ok(())
    }
}

/// Changes of jobs and trades as they happen, as server-sent events. Each says what changed: read that again. After
/// `reload`, read all again.
#[utoipa::path(get, path = "/api/v1/events", tag = "history", extensions(("x-role" = json!("viewer"))),
    params(("Last-Event-ID" = Option<String>, Header, description = "The last id that was received: continue from there. \
            An event may come twice then; kind and id tell")),
    responses((status = 200, description = "event: change, ready or reload; data: kind, id, at, job, trade and name as JSON",
               body = String, content_type = "text/event-stream")))]
pub(super) async fn events(
    State(api): State<Shared>,
    Extension(bearer): Extension<Bearer>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    if api.events.sender.receiver_count() >= CLIENTS_MAX {
        let detail = format!("{CLIENTS_MAX} clients listen already; close one, or ask again later");
        return Err(Problem {
            retry_after: Some(HEARTBEAT.as_secs()),
            ..Problem::http(
                StatusCode::TOO_MANY_REQUESTS,
                "streams",
                "too many listeners",
                &detail,
            )
        });
    }
    // Before the past is read: what happens from here on is not missed.
    let receiver = api.events.sender.subscribe();
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
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

struct Listening {
    api: Shared,
    bearer: Bearer,
    receiver: Receiver<Arc<Told>>,
    past: VecDeque<Event>,
    checked: tokio::time::Interval,
}

impl Listening {
    /// The next event; `None`: the stream ends, since the client is too slow, its token is not valid any more, or the
    /// server stops.
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
                told = self.receiver.recv() => {
                    let told = told.ok()?;
                    return Some(event(told.place, &told.change));
                }
            }
        }
    }
}

fn event(place: Place, change: &Change) -> Event {
    // Plain data: it always serialises.
    let data = serde_json::to_string(change).unwrap_or_default();
    Event::default().event("change").id(place.to_string()).data(data)
}
