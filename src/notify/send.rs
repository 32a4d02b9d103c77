//! Sends one request to one receiver and interprets the answer.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Response, StatusCode, header::RETRY_AFTER, redirect};
use serde_json::Value;

use super::{notice::Notice, receiver::Receiver, receivers::Target};
use crate::domain::{
    foreign::{Foreign, causes},
    secret::Secret,
    span::Span,
};

/// Longest part of an answer that is read, bytes.
const ANSWER_MAX: usize = 4 * 1024;
/// Longest part of an answer that is quoted, characters.
const QUOTE_MAX: usize = 200;
/// Longest retry-after that is obeyed.
const QUIET_MAX: Duration = Duration::from_secs(3_600);
/// Shorter secrets are not hidden: they could be any word.
const HIDDEN_MIN: usize = 6;

/// A failed delivery. The message may have arrived all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// For people, without secrets.
    pub error: String,
    /// Other messages to this receiver would fail as well.
    pub receiver_is_down: bool,
    /// The retry-after that the receiver asked for.
    pub quiet_for: Option<Duration>,
}

/// Sends messages.
#[derive(Debug, Clone)]
pub struct Sender {
    http: reqwest::Client,
}

impl Sender {
    /// A sender whose requests take no longer than `timeout`.
    ///
    /// # Errors
    /// [`reqwest::Error`] if there is no TLS.
    pub fn new(timeout: Span) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(timeout.std())
            .user_agent(concat!("lgi-mm/", env!("CARGO_PKG_VERSION")))
            // A key in a URL must not reach another server.
            .redirect(redirect::Policy::none())
            .referer(false)
            .build()?;
        Ok(Self { http })
    }

    /// Sends one message, once.
    ///
    /// # Errors
    /// [`Failed`]; the message may have arrived all the same.
    pub async fn send(&self, receiver: &Receiver, notice: &Notice) -> Result<(), Failed> {
        let target = receiver.target().await.map_err(|error| Failed {
            error: error.to_string(),
            receiver_is_down: true,
            quiet_for: None,
        })?;
        self.post(receiver, notice, &target).await
    }

    async fn post(&self, receiver: &Receiver, notice: &Notice, target: &Target) -> Result<(), Failed> {
        let body = receiver.body(notice).to_string();
        let mut request = self
            .http
            .post(target.url.clone())
            .header("content-type", "application/json");
        if let Some(key) = &target.key {
            let now = Utc::now().timestamp();
            request = request
                .header("webhook-id", &notice.id)
                .header("webhook-timestamp", now)
                .header("webhook-signature", key.sign(&notice.id, now, body.as_bytes()));
        }
        let response = request.body(body).send().await.map_err(|error| Failed {
            error: hide(&causes(&error.without_url()), &target.hidden),
            receiver_is_down: true,
            quiet_for: None,
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let header = retry_after(&response);
        // Before anything is cut: a cut secret would not be found.
        let answer = hide(&answer(response).await, &target.hidden);
        Err(Failed {
            error: format!(
                "HTTP {status}{}",
                quote(receiver.kind.messenger().error_field(), &answer)
            ),
            receiver_is_down: !concerns_the_message(status),
            quiet_for: header
                .or_else(|| body_retry_after(&answer))
                .map(|pause| pause.min(QUIET_MAX)),
        })
    }
}

/// Whether a status is about this message and says nothing about the next one.
fn concerns_the_message(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::CONFLICT
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::UNPROCESSABLE_ENTITY
    )
}

/// The header Retry-After: seconds or an HTTP date.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => {
            let until = DateTime::parse_from_rfc2822(text).ok()?;
            Some((until.to_utc() - Utc::now()).to_std().unwrap_or_default())
        }
    }
}

/// The same from the body, where Telegram and Discord put it.
fn body_retry_after(answer: &str) -> Option<Duration> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    let seconds = answer
        .pointer("/parameters/retry_after")
        .or_else(|| answer.get("retry_after"))?;
    Duration::try_from_secs_f64(seconds.as_f64()?).ok()
}

/// The beginning of an answer. Read errors are ignored: the status is known.
async fn answer(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= ANSWER_MAX {
            bytes.truncate(ANSWER_MAX);
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn quote(field: &str, answer: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(answer).ok();
    let said = parsed.as_ref().and_then(|answer| answer.get(field)?.as_str());
    let line = Foreign::within(said.unwrap_or(answer), QUOTE_MAX);
    if line.as_str().trim().is_empty() {
        String::new()
    } else {
        format!(": {}", line.as_str().trim())
    }
}

/// Masks secrets: an answer may repeat what it was sent.
fn hide(said: &str, hidden: &[Secret]) -> String {
    hidden
        .iter()
        .filter(|secret| secret.0.len() >= HIDDEN_MIN)
        .fold(said.to_owned(), |said, secret| said.replace(&secret.0, "***"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_where_each_service_puts_it() {
        for (answer, secs) in [
            (r#"{"ok":false,"parameters":{"retry_after":7}}"#, Some(7.0)),
            (r#"{"message":"slow down","retry_after":0.5}"#, Some(0.5)),
            ("slow down", None),
            (r#"{"retry_after":-1}"#, None),
        ] {
            assert_eq!(
                body_retry_after(answer).map(|wish| wish.as_secs_f64()),
                secs,
                "{answer}"
            );
        }
    }

    #[test]
    fn an_answer_that_repeats_a_secret_does_not_show_it() {
        let hidden = [Secret("hunter2hunter2".to_owned()), Secret("/".to_owned())];
        assert_eq!(hide("no /bot hunter2hunter2", &hidden), "no /bot ***");
    }
}
