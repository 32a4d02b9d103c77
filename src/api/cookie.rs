//! The cookie of a session.
//!
//! A browser sends a cookie with every request, also with those that pages of other sites make. So it is
//! `SameSite=Strict`, the gate refuses what other origins ask, and each request needs a header that no form and no page
//! of another origin can send: it has the page's key, which a server at another port of this host does not get with the
//! cookie.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{problem::Problem, state::Api};

/// What our page sends with every request: its key, or anything to open a session.
const OF_OUR_PAGE: &str = "x-lgi-mm-console";

/// The name of the cookie of a server at this port. With `__Host-` a browser takes it from TLS and this host alone.
pub(super) fn name(port: u16, encrypted: bool) -> String {
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

/// What our own page sent with the cookie.
pub(super) fn key(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(OF_OUR_PAGE).iter();
    let key = given.next()?.to_str().ok().filter(|key| !key.is_empty())?;
    given.next().is_none().then_some(key)
}

/// Refuses what our own page did not send. The gate has compared the origin, if there is one; a write must have one.
pub(super) fn of_our_page(headers: &HeaderMap, writes: bool) -> Result<(), Problem> {
    if key(headers).is_some() && (!writes || headers.contains_key(header::ORIGIN)) {
        return Ok(());
    }
    Err(Problem::http(
        StatusCode::FORBIDDEN,
        "origin",
        "a page of another site asks",
        "with the cookie of a session, a request needs X-Lgi-Mm-Console with the key that opening the session answered, and a \
         write also the Origin of this server",
    ))
}

/// A cookie that a browser keeps for `seconds`, or drops at once.
pub(super) fn set(api: &Api, value: &str, seconds: u64) -> Result<HeaderValue, Problem> {
    let secure = if api.encrypted { "; Secure" } else { "" };
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
