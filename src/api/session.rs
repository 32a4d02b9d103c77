//! Sessions of the console: a link brings a ticket, which is exchanged for a cookie.

use std::time::Duration;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{FromRequest, Request, State},
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    cookie,
    gate::{self, Asker},
    problem::Problem,
    state::Shared,
};
use crate::{
    app::{
        console::{self, Opened, SESSION_LASTS},
        tokens::{self, Bearer},
    },
    domain::{
        Timestamp,
        role::{Role, TokenKind},
        secret::Secret,
    },
};

/// Longest time for a body.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// What a link of `lgi-mm console` brought.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ticket {
    /// The text behind `#ticket=`
    ticket: String,
}

/// Whose session it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionView {
    /// Its name in the list of tokens and in the audit trail
    name: String,
    /// What it may do
    #[schema(value_type = String)]
    role: Role,
    /// When it ends
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl From<console::Session> for SessionView {
    fn from(session: console::Session) -> Self {
        Self {
            name: session.name,
            role: session.role,
            expires_at: session.expires_at,
        }
    }
}

/// A session that has just begun.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OpenedView {
    /// What every request with the cookie has in X-Lgi-Mm-Console. It is not answered again
    #[schema(value_type = String)]
    key: Secret,
    #[serde(flatten)]
    session: SessionView,
}

/// Who asks, what they may do and until when.
#[utoipa::path(get, path = "/api/v1/session", tag = "api", extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "The token or session", body = SessionView)))]
pub(super) async fn show(
    State(api): State<Shared>,
    Extension(bearer): Extension<Bearer>,
) -> Result<Json<SessionView>, Problem> {
    Ok(Json(console::session(&api.app, &bearer).await?.into()))
}

/// Opens a link of the console, once: the answer sets the cookie of a session.
#[utoipa::path(post, path = "/api/v1/session", tag = "api", extensions(("x-role" = json!("none"))),
    request_body = Ticket,
    responses((status = 200, description = "The session", body = OpenedView,
               headers(("Set-Cookie" = String, description = "HttpOnly, SameSite=Strict")))))]
pub(super) async fn open(
    State(api): State<Shared>,
    Extension(Asker(address)): Extension<Asker>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let reading = tokio::time::timeout(BODY_PATIENCE, Bytes::from_request(request, &api)).await;
    let slow = |_| Problem::malformed(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time");
    let bytes = reading
        .map_err(slow)?
        .map_err(|error| Problem::malformed(error.status(), &error.body_text()))?;
    let Ticket { ticket } = serde_json::from_slice(&bytes).map_err(|_| {
        let detail = "the body must be {\"ticket\": \"..\"}";
        Problem::malformed(StatusCode::BAD_REQUEST, detail)
    })?;
    let digest = tokens::digest(&ticket);
    let opened = gate::tried(&api, address, &digest, console::open(&api.app, &ticket)).await;
    let Opened { secret, key, session } = opened.map_err(of_a_link)?;
    tracing::info!(%address, name = %session.name, "a session of the console begins");
    let cookie = cookie::set(&api, &secret.0, SESSION_LASTS.std().as_secs())?;
    let session = SessionView::from(session);
    Ok(([(header::SET_COOKIE, cookie)], Json(OpenedView { key, session })))
}

/// A wrong link in its own words.
fn of_a_link(problem: Problem) -> Problem {
    match problem.status {
        401 => Problem {
            title: "a valid link is needed",
            detail: "this link was opened before, has expired or was revoked: print another one with `lgi-mm console`".into(),
            ..problem
        },
        _ => problem,
    }
}

/// Ends the session that asks. A token is revoked on the command line.
#[utoipa::path(delete, path = "/api/v1/session", tag = "api", extensions(("x-role" = json!("viewer"))),
    responses((status = 204, description = "It is over")))]
pub(super) async fn close(
    State(api): State<Shared>,
    Extension(bearer): Extension<Bearer>,
) -> Result<impl IntoResponse, Problem> {
    if bearer.kind != TokenKind::Session {
        return Err(Problem::http(
            StatusCode::CONFLICT,
            "refused",
            "the state does not allow it",
            "this is a token, not a session: the command line revokes it",
        ));
    }
    console::close(&api.app, &bearer).await?;
    Ok((
        StatusCode::NO_CONTENT,
        [(header::SET_COOKIE, cookie::set(&api, "", 0)?)],
    ))
}
