//! Signed messages from outside (Standard Webhooks). A signature takes the place of a token.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tracing::{debug, info};
use utoipa::ToSchema;

use super::{
    extract::At,
    gate::{Asker, too_fast},
    problem::Problem,
    rates::Whose,
    state::Shared,
};
use crate::app::{
    AppError,
    signals::{self, Answer, Delivery, SignalError},
};

/// Longest time for a body.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// What a signal asks; other members are not read.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Asked {
    /// pause, resume, tick or order
    #[expect(dead_code, reason = "the application reads the body, as it was signed")]
    action: String,
}

/// A message as it came.
struct Message {
    name: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Message {
    fn delivery(&self) -> Delivery<'_> {
        Delivery {
            name: &self.name,
            id: one(&self.headers, "webhook-id"),
            timestamp: one(&self.headers, "webhook-timestamp"),
            signature: one(&self.headers, "webhook-signature"),
            body: &self.body,
        }
    }
}

/// Carries a signed message out, once for each webhook-id: the settings say for which job it is, and what it may do.
#[utoipa::path(post, path = "/api/v1/signals/{name}", tag = "jobs",
    params(("name" = String, Path, description = "Name of the signal in the settings"),
           ("webhook-id" = String, Header, description = "Of this message; the same when it is delivered again"),
           ("webhook-timestamp" = i64, Header, description = "Time of this delivery, seconds since 1970, within 5 minutes"),
           ("webhook-signature" = String, Header,
            description = "v1, and the base64 of HMAC-SHA256 over id, timestamp and body with dots between")),
    request_body = Asked, extensions(("x-role" = json!("signature"))),
    responses((status = 200, description = "What it did", body = serde_json::Value)))]
pub(super) async fn receive(
    State(api): State<Shared>,
    At(name): At<String>,
    request: Request,
) -> Result<Response, Problem> {
    let asker = request.extensions().get::<Asker>().copied();
    let headers = request.headers().clone();
    let reading = tokio::time::timeout(BODY_PATIENCE, Bytes::from_request(request, &api)).await;
    let slow = |_| Problem::malformed(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time");
    let body = reading
        .map_err(slow)?
        .map_err(|error| Problem::malformed(error.status(), &error.body_text()))?;
    let message = Message { name, headers, body };
    // What no signal has signed recently is charged to its address, and nothing of it to a signal.
    let whose = match (api.signals.place(&message.delivery(), chrono::Utc::now()), asker) {
        (Some(place), _) => Some(Whose::Signal(place)),
        (None, Some(Asker(address))) => Some(Whose::Address(address)),
        (None, None) => None,
    };
    if let Some(whose) = whose {
        api.rates.take(whose, Instant::now()).map_err(too_fast)?;
    }
    let shared = Arc::clone(&api);
    // It is carried out whole, also if its sender does not wait for the answer.
    let work =
        tokio::spawn(async move { signals::receive(&shared.app, &shared.signals, message.delivery()).await });
    let received = work
        .await
        .unwrap_or_else(|error| Err(AppError::Internal(error.to_string()).into()));
    match received {
        Ok(answer) => answered(&answer),
        Err(error) => {
            match (&error, asker) {
                // Anybody can send such ones, and as many as they like.
                (SignalError::Unknown, Some(Asker(address))) => {
                    debug!(%address, "a message that no signal has signed was refused");
                }
                (SignalError::Stale(off), Some(Asker(address))) => {
                    info!(%address, %off, "a signal was refused: it was signed at another time");
                }
                _ => {}
            }
            Err(error.into())
        }
    }
}

/// The text of a header that is there once.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let mut given = headers.get_all(name).iter();
    let text = given.next().and_then(|value| value.to_str().ok());
    match given.next() {
        None => text.unwrap_or_default(),
        Some(_) => "",
    }
}

fn answered(answer: &Answer) -> Result<Response, Problem> {
    let text = serde_json::to_string(answer).map_err(|error| AppError::Internal(error.to_string()))?;
    let mut response = ([(header::CONTENT_TYPE, "application/json")], text).into_response();
    if answer.again {
        response
            .headers_mut()
            .insert("idempotency-replayed", HeaderValue::from_static("true"));
    }
    Ok(response)
}

impl From<SignalError> for Problem {
    fn from(error: SignalError) -> Self {
        let detail = error.to_string();
        match error {
            SignalError::Unknown | SignalError::Stale(_) => Self::http(
                StatusCode::UNAUTHORIZED,
                "signature",
                "a valid signature is needed",
                &detail,
            ),
            SignalError::Malformed(_) => Self::malformed(StatusCode::UNPROCESSABLE_ENTITY, &detail),
            SignalError::App(error) => error.into(),
        }
    }
}
