//! What all price APIs share: a client, answers of bounded size, pauses.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

use chrono::Utc;
use reqwest::{Response, header::RETRY_AFTER};

use crate::domain::{backoff::retry_after, foreign::causes, span::Span};

/// Why an attempt failed.
pub(super) enum Failed {
    /// A retry may succeed.
    ForNow(String),
    /// A retry will not help, or is not allowed.
    ForGood(String),
}

/// A client that waits for an answer this long.
pub(super) fn client(timeout: Span) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .timeout(timeout.std())
        // A redirect would lead to a host that was not configured.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("lgi-mm/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// The body of an answer, at most `bytes_max` long.
pub(super) async fn body(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, Failed> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) > bytes_max => {
                return Err(Failed::ForGood(format!(
                    "the answer is larger than {bytes_max} bytes"
                )));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(Failed::ForNow(causes(&error.without_url()))),
        }
    }
}

/// What the server asks us to wait.
pub(super) fn asked_pause(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    retry_after(text, Utc::now())
}

/// A half to the whole of `pause`, so that workers which failed together do not come back together.
pub(super) fn jittered(pause: Duration) -> Duration {
    // The keys of a RandomState are random, and that is all the randomness this needs.
    let random = RandomState::new().build_hasher().finish() % 1_000;
    let part = u32::try_from(random).unwrap_or_default();
    pause / 2 + pause / 2_000 * part
}
