//! Sessions of the console: a link brings a ticket, which is exchanged for a cookie.
//!
//! A browser sends a cookie with every request, whoever made the page that asks. So it is `SameSite=Strict`, the gate
//! refuses what other origins ask, and a write needs a header that no form and no page of another origin can send.

use std::time::Duration;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{FromRequest, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    gate::{self, Asker},
    problem::Problem,
    state::{Api, Shared},
};
use crate::{
    app::{
        console::{self, Opened, SESSION_LASTS},
        tokens::Bearer,
    },
    domain::{
        Timestamp,
        role::{Role, TokenKind},
    },
};

/// What our page sends with every write.
const OF_OUR_PAGE: &str = "x-lgi-mm-console";
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

/// The name of the cookie of a server at this port. With `__Host-` a browser takes it from TLS and this host alone.
pub(super) fn cookie_name(port: u16, encrypted: bool) -> String {
    format!("{}lgi-mm-{port}", if encrypted { "__Host-" } else { "" })
}

/// The cookie's value. One that is given twice is none.
pub(super) fn presented<'a>(api: &Api, headers: &'a HeaderMap) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let pairs = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut ours = pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == api.cookie);
    let (_, value) = ours.next()?;
    ours.next().is_none().then_some(value)
}

/// Refuses what our own page did not send. The gate has compared the origin, if there is one: here there must be one.
pub(super) fn of_our_page(headers: &HeaderMap) -> Result<(), Problem> {
    let marked = headers.get(OF_OUR_PAGE).is_some_and(|value| value == "1");
    if marked && headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    Err(Problem::http(
        StatusCode::FORBIDDEN,
        "origin",
        "a page of another site asks",
        "with the cookie of a session, a write needs the Origin of this server and X-Lgi-Mm-Console: 1",
    ))
}

/// A cookie that a browser keeps for `seconds`, or drops at once.
fn set_cookie(api: &Api, value: &str, seconds: u64) -> Result<HeaderValue, Problem> {
    let secure = if api.behind_proxy { "; Secure" } else { "" };
    let text = format!(
        "{}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}",
        api.cookie
    );
    let mut value = HeaderValue::try_from(text).map_err(|_| {
        Problem::http(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "an error of the program itself",
            "no cookie",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

async fn view(api: &Shared, bearer: &Bearer) -> Result<SessionView, Problem> {
    let console::Session {
        name,
        role,
        expires_at,
    } = console::session(&api.app, bearer).await?;
    Ok(SessionView {
        name,
        role,
        expires_at,
    })
}

/// Who asks, what they may do and until when.
#[utoipa::path(get, path = "/api/v1/session", tag = "api", extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "The token or session", body = SessionView)))]
pub(super) async fn show(
    State(api): State<Shared>,
    Extension(bearer): Extension<Bearer>,
) -> Result<Json<SessionView>, Problem> {
    Ok(Json(view(&api, &bearer).await?))
}

/// Opens a link of the console, once: the answer sets the cookie of a session.
#[utoipa::path(post, path = "/api/v1/session", tag = "api", extensions(("x-role" = json!("none"))),
    request_body = Ticket,
    responses((status = 200, description = "The session", body = SessionView,
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
    let opened = gate::tried(&api, address, &ticket, console::open(&api.app, &ticket)).await;
    let Opened { secret, bearer } = opened.map_err(of_a_link)?;
    tracing::info!(%address, name = %bearer.name, "a session of the console begins");
    let cookie = set_cookie(&api, &secret.0, SESSION_LASTS.std().as_secs())?;
    Ok(([(header::SET_COOKIE, cookie)], Json(view(&api, &bearer).await?)))
}

/// A wrong link in its own words.
fn of_a_link(problem: Problem) -> Problem {
    match problem.status {
        401 => Problem {
            title: "a valid link is needed",
            detail: "this link was opened before, has expired or was revoked: print another one with `lgi-mm console`".to_owned(),
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
            "this is a token, not a session: `lgi-mm token revoke` ends it",
        ));
    }
    console::close(&api.app, &bearer).await?;
    Ok((
        StatusCode::NO_CONTENT,
        [(header::SET_COOKIE, set_cookie(&api, "", 0)?)],
    ))
}
