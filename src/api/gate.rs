//! The gate that every request passes: who it is meant for, where it comes from, whose it is and whether they may.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use metrics::{counter, histogram};
use tracing::{info, warn};

use super::{
    cookie,
    document::Needed,
    hosts::same_origin,
    nul,
    problem::Problem,
    rates::{Whose, counted},
    state::Shared,
};
use crate::{
    app::{
        AppError, console,
        tokens::{self, Bearer, Digest},
    },
    domain::role::Role,
    telemetry::metric,
};

/// The address a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Lets a request through, or answers why not. What every answer has is added here.
pub(super) async fn pass(State(api): State<Shared>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let asked = Asked::new(&api, &parts);
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
    asked.answered(response.status());
    response
}

/// A request as it is counted: what the document does not have is `other`, so that nobody makes new series.
struct Asked {
    at: Instant,
    route: String,
    method: &'static str,
}

impl Asked {
    fn new(api: &Shared, request: &Parts) -> Self {
        let route = request.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
        let known = [Method::GET, Method::POST, Method::PATCH, Method::DELETE]
            .into_iter()
            .zip(["GET", "POST", "PATCH", "DELETE"])
            .find(|(method, _)| *method == request.method);
        let has = route.zip(known.as_ref()).filter(|(route, (method, _))| {
            let needed = api.roles.needed(method, route);
            needed.is_some()
        });
        Self {
            at: Instant::now(),
            route: has.map_or("other", |(route, _)| route).to_owned(),
            method: has.map_or("other", |(_, (_, name))| *name),
        }
    }

    fn answered(self, status: StatusCode) {
        histogram!(metric::API_REQUEST_DURATION).record(self.at.elapsed().as_secs_f64());
        let (route, status) = (self.route, status.as_str().to_owned());
        counter!(metric::API_REQUESTS, "method" => self.method, "route" => route, "status" => status)
            .increment(1);
    }
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
        cookie::of_our_page(&request.headers, true)?;
        return Ok(Admitted::Nobody(client(api, request)));
    }
    // It is paid for by its signal or, if none has signed it, by its address: its handler finds out.
    if needed == Some(Some(Needed::Signature)) {
        return Ok(Admitted::Nobody(client(api, request)));
    }
    let bearer = identified(api, request, method != Method::GET).await?;
    let own = Whose::Token(bearer.token);
    api.rates.take(own, Instant::now()).map_err(too_fast)?;
    nul::of_uri(&request.uri)?;
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

pub(super) fn too_fast(wait: Duration) -> Problem {
    Problem {
        retry_after: Some(whole_seconds(wait)),
        ..Problem::http(
            StatusCode::TOO_MANY_REQUESTS,
            "rate",
            "too many requests",
            "too many requests a second (api.requests_per_second of a token): wait as long as Retry-After says",
        )
    }
}

/// Rounded up.
fn whole_seconds(wait: Duration) -> u16 {
    u16::try_from(wait.as_secs().saturating_add(1)).unwrap_or(u16::MAX)
}

/// Whose token the request has: in its header, or in the cookie of a session with the key of its page.
async fn identified(api: &Shared, request: &Parts, writes: bool) -> Result<Bearer, Problem> {
    let address = client(api, request);
    // A request without a token is charged to its address.
    let unpaid = |detail: &'static str| {
        let paid = api.rates.take(Whose::Address(address), Instant::now());
        paid.map_err(too_fast).and(Err(unknown(detail)))
    };
    if request.headers.contains_key(header::AUTHORIZATION) {
        let presented = bearer_text(&request.headers);
        let Some(presented) = presented else {
            return unpaid("send `Authorization: Bearer ..` once");
        };
        let digest = tokens::digest(presented);
        return tried(api, address, &digest, tokens::bearer(&api.app, presented)).await;
    }
    let Some(presented) = cookie::presented(api, &request.headers) else {
        return unpaid("no token: send `Authorization: Bearer ..`");
    };
    cookie::of_our_page(&request.headers, writes)?;
    let key = cookie::key(&request.headers).unwrap_or_default();
    let digest = console::digest(presented, key);
    tried(api, address, &digest, console::bearer(&api.app, presented, key)).await
}

/// What `known` says of what was presented. It is not asked if the address has presented too many wrong ones, unless
/// this opens the API.
pub(super) async fn tried<T>(
    api: &Shared,
    address: IpAddr,
    digest: &Digest,
    known: impl Future<Output = Result<Option<T>, AppError>>,
) -> Result<T, Problem> {
    let now = Instant::now();
    let listed = api.valid.has(&api.app, digest).await?;
    if !listed && let Some(left) = api.lockout.remaining(address, now) {
        counter!(metric::API_LOGIN_FAILURES, "reason" => "locked_out").increment(1);
        return Err(Problem {
            retry_after: Some(whole_seconds(left)),
            ..Problem::http(
                StatusCode::TOO_MANY_REQUESTS,
                "locked_out",
                "too many wrong tokens",
                "too many wrong tokens from this address: wait as long as Retry-After says",
            )
        });
    }
    if !listed {
        api.rates.take(Whose::Address(address), now).map_err(too_fast)?;
    }
    if let Some(known) = known.await? {
        return Ok(known);
    }
    counter!(metric::API_LOGIN_FAILURES, "reason" => "wrong").increment(1);
    if api.lockout.failed(address, now) {
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

/// Who is on the other side, as they are counted. Behind a proxy that is what the proxy added last; what a client
/// claims stands before it.
fn client(api: &Shared, request: &Parts) -> IpAddr {
    let peer = request.extensions.get::<Peer>().map(|peer| peer.0.ip());
    let peer = peer.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
    if !api.behind_proxy {
        return counted(peer);
    }
    let forwarded = request.headers.get_all("x-forwarded-for").iter().next_back();
    let last = forwarded
        .and_then(|list| list.to_str().ok())
        .and_then(|list| list.rsplit(',').next())
        .and_then(|address| address.trim().parse().ok());
    counted(last.unwrap_or(peer))
}
