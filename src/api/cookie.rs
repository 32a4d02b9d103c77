//! The cookie of a session.
//!
//! A browser sends a cookie with every request, also with those that pages of other sites make. So it is
//! `SameSite=Strict`, the gate refuses what other origins ask, and a write needs a header that no form and no page of
//! another origin can send.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{problem::Problem, state::Api};

/// What our page sends with every write.
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
pub(super) fn set(api: &Api, value: &str, seconds: u64) -> Result<HeaderValue, Problem> {
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
