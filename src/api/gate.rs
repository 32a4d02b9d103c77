//! The gate that every request passes: who it is meant for, where it comes from, whose it is and whether they may.

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::{info, warn};

use super::{cookie, document::Needed, hosts::same_origin, problem::Problem, state::Shared};
use crate::{
    app::{
        AppError, console,
        tokens::{self, Bearer},
    },
    domain::role::{Role, TokenKind},
};

/// The address a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Lets a request through, or answers why not. What every answer has is added here.
pub(super) async fn pass(State(api): State<Shared>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut response = match admitted(&api, &parts).await {
        Ok(admitted) => {
            match admitted {
                Admitted::Bearer(bearer) => parts.extensions.insert(bearer).map(drop),
                Admitted::Nobody(address) => parts.extensions.insert(Asker(address)).map(drop),
            };
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        // Answers are of one person, and of one moment.
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        // A report has a policy of its own.
        if name != header::CONTENT_SECURITY_POLICY || !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

/// Who was let through.
enum Admitted {
    Bearer(Bearer),
    /// Someone at this address who has no session yet and asks for one, or who signs their requests.
    Nobody(IpAddr),
}

/// The address of a request that anybody may make.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker(pub(super) IpAddr);

async fn admitted(api: &Shared, request: &Parts) -> Result<Admitted, Problem> {
    let host = meant_for_us(api, request)?;
    from_no_other_site(&request.headers, host)?;
    let method = if request.method == Method::HEAD {
        &Method::GET
    } else {
        &request.method
    };
    let path = request.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    // What the document does not have is not answered, whatever the role.
    let needed = path.map(|path| api.roles.needed(method, path));
    if needed == Some(Some(Needed::Nobody)) {
        cookie::of_our_page(&request.headers)?;
        return Ok(Admitted::Nobody(client(api, request)));
    }
    if needed == Some(Some(Needed::Signature)) {
        return Ok(Admitted::Nobody(client(api, request)));
    }
    let bearer = identified(api, request).await?;
    if bearer.kind == TokenKind::Session && method != Method::GET {
        cookie::of_our_page(&request.headers)?;
    }
    match needed {
        None => Err(Problem::nowhere()),
        Some(None | Some(Needed::Nobody | Needed::Signature)) => Err(Problem::method()),
        Some(Some(Needed::Role(role))) if bearer.role < role => Err(may_not(&bearer, role)),
        Some(Some(Needed::Role(_))) => Ok(Admitted::Bearer(bearer)),
    }
}

fn may_not(bearer: &Bearer, needed: Role) -> Problem {
    let detail = format!(
        "token {} has the role {}, and this needs {needed}",
        bearer.name, bearer.role
    );
    Problem::http(
        StatusCode::FORBIDDEN,
        "role",
        "the role does not allow it",
        &detail,
    )
}

/// The `Host` of the request, if it is one of ours. A request that names two hosts is none of ours.
pub(super) fn meant_for_us<'a>(api: &Shared, request: &'a Parts) -> Result<&'a str, Problem> {
    let mut named = request.headers.get_all(header::HOST).iter();
    let host = named
        .next()
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let in_line = request.uri.authority().map(|place| place.as_str());
    if named.next().is_none() && in_line.is_none_or(|line| line == host) && api.hosts.has(host) {
        return Ok(host);
    }
    Err(Problem::http(
        StatusCode::MISDIRECTED_REQUEST,
        "host",
        "this server is called something else",
        "the Host of the request is no name of this server: use its address, or add the name to api.hosts in the settings",
    ))
}

/// No page of another site makes a request with a browser's help.
fn from_no_other_site(headers: &HeaderMap, host: &str) -> Result<(), Problem> {
    let text = |value: &'_ HeaderValue| value.to_str().unwrap_or("?").to_owned();
    let foreign = headers
        .get(header::ORIGIN)
        .is_some_and(|origin| !same_origin(&text(origin), host));
    let cross = headers
        .get("sec-fetch-site")
        .is_some_and(|site| !matches!(text(site).as_str(), "same-origin" | "none"));
    if !foreign && !cross {
        return Ok(());
    }
    Err(Problem::http(
        StatusCode::FORBIDDEN,
        "origin",
        "a page of another site asks",
        "requests from pages of other origins are refused",
    ))
}

/// Whose token the request has: in its header, or in the cookie of a session.
async fn identified(api: &Shared, request: &Parts) -> Result<Bearer, Problem> {
    let address = client(api, request);
    if request.headers.contains_key(header::AUTHORIZATION) {
        let presented = bearer_text(&request.headers);
        let presented = presented.ok_or_else(|| unknown("send `Authorization: Bearer ..` once"))?;
        return tried(api, address, presented, tokens::bearer(&api.app, presented)).await;
    }
    let presented = cookie::presented(api, &request.headers);
    let presented = presented.ok_or_else(|| unknown("no token: send `Authorization: Bearer ..`"))?;
    tried(api, address, presented, console::bearer(&api.app, presented)).await
}

/// What `known` says of a text that was presented, unless its address has presented too many wrong ones.
pub(super) async fn tried<T>(
    api: &Shared,
    address: IpAddr,
    presented: &str,
    known: impl Future<Output = Result<Option<T>, AppError>>,
) -> Result<T, Problem> {
    let (digest, now) = (tokens::digest(presented), Instant::now());
    if let Some(left) = api.lockout.remaining(address, &digest, now) {
        return Err(Problem {
            retry_after: Some(u16::try_from(left.as_secs().saturating_add(1)).unwrap_or(u16::MAX)),
            ..Problem::http(
                StatusCode::TOO_MANY_REQUESTS,
                "locked_out",
                "too many wrong tokens",
                "too many wrong tokens from this address: wait as long as Retry-After says",
            )
        });
    }
    if let Some(known) = known.await? {
        api.lockout.succeeded(&digest);
        return Ok(known);
    }
    if api.lockout.failed(address, &digest, now) {
        warn!(%address, "too many wrong tokens: this address is locked out of the API for a minute");
    } else {
        info!(%address, "a wrong token was presented to the API");
    }
    Err(unknown("this token is unknown, has expired or was revoked"))
}

fn unknown(detail: &str) -> Problem {
    Problem::http(
        StatusCode::UNAUTHORIZED,
        "token",
        "a valid token is needed",
        detail,
    )
}

fn bearer_text(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (scheme, token) = given.next()?.to_str().ok()?.split_once(' ')?;
    (given.next().is_none() && scheme.eq_ignore_ascii_case("bearer")).then(|| token.trim())
}

/// Who is on the other side. Behind a proxy that is what the proxy added last; what a client claims stands before it.
fn client(api: &Shared, request: &Parts) -> IpAddr {
    let peer = request.extensions.get::<Peer>().map(|peer| peer.0.ip());
    let peer = peer.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
    if !api.behind_proxy {
        return peer;
    }
    let forwarded = request.headers.get_all("x-forwarded-for").iter().next_back();
    let last = forwarded
        .and_then(|list| list.to_str().ok())
        .and_then(|list| list.rsplit(',').next())
        .and_then(|address| address.trim().parse().ok());
    last.unwrap_or(peer)
}
