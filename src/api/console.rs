//! The console's files, as they were built into the program. They are the same for everybody and say nothing about this
//! installation, so they need no session.

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};

use super::{gate, state::Shared};
use crate::report;

// `FILES`: path below /console/, content and the same compressed; no files if the console was not built.
include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// A file of the console.
struct File {
    path: &'static str,
    plain: &'static [u8],
    /// With gzip; empty: it is not compressed.
    gzip: &'static [u8],
}

/// What is served while the console is not part of the program.
const NOT_BUILT: &str = include_str!("not_built.html");

/// The page runs its own scripts, and talks to this server alone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What a report of a backtest is written into: a page that can do nothing in the name of the session. It takes the
/// report from the page that frames it, which has asked for it with the session's key.
const FRAME: &str = "addEventListener('message', ({ source, data }) => { if (source === parent) { document.open(); \
                     document.write(data); document.close(); } }, { once: true });";

/// The console below `/console/`.
pub(super) fn router(api: Shared) -> Router<Shared> {
    Router::new()
        .route(
            "/console",
            get(|| std::future::ready(Redirect::permanent("/console/"))),
        )
        .route("/console/", get(file))
        .route("/console/report", get(frame))
        .route("/console/{*path}", get(file))
        .with_state(api)
}

async fn frame(State(api): State<Shared>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    if let Err(problem) = gate::meant_for_us(&api, &parts) {
        return problem.into_response();
    }
    let policy = format!(
        "{}; frame-ancestors 'self'; sandbox allow-scripts",
        report::policy(&[FRAME])
    );
    let said = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, policy.as_str()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let page = format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Report</title>\n<script>{FRAME}</script>\n"
    );
    (said, page).into_response()
}

async fn file(State(api): State<Shared>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    if let Err(problem) = gate::meant_for_us(&api, &parts) {
        return problem.into_response();
    }
    let path = parts.uri.path().strip_prefix("/console/").unwrap_or_default();
    let path = if path.is_empty() { "index.html" } else { path };
    let mut response = match FILES.iter().find(|file| file.path == path) {
        Some(file) => content(file, &parts.headers),
        None if FILES.is_empty() && path == "index.html" => {
            ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], NOT_BUILT).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    };
    // The name of an asset is a digest of its content.
    let cached = match path.starts_with("assets/") && response.status().is_success() {
        true => "public, max-age=31536000, immutable",
        false => "no-store",
    };
    let said: [(HeaderName, &'static str); 6] = [
        (header::CACHE_CONTROL, cached),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    let headers = response.headers_mut();
    for (name, value) in said {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn content(file: &File, asked: &HeaderMap) -> Response {
    let kind = match file.path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let kind = (header::CONTENT_TYPE, kind);
    let gzip = asked
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    if !file.gzip.is_empty() && gzip.is_some_and(|taken| taken.contains("gzip")) {
        let vary = (header::VARY, "Accept-Encoding");
        return ([kind, (header::CONTENT_ENCODING, "gzip"), vary], file.gzip).into_response();
    }
    ([kind], file.plain).into_response()
}
