//! Sends one request to one receiver and interprets the answer.

use std::time::Duration;

use chrono::Utc;
use reqwest::{
    Response, StatusCode,
    header::{LOCATION, RETRY_AFTER},
    redirect,
};
use serde_json::Value;

use super::{
    notice::Notice,
    receiver::Receiver,
    receivers::{Answer, Target},
};
use crate::domain::{
    backoff::retry_after,
    foreign::{Foreign, causes},
    secret::Secret,
    span::Span,
};

/// Longest part of an answer that is read, bytes.
const ANSWER_MAX: usize = 4 * 1024;
/// Longest part of an answer that is quoted, characters.
const QUOTE_MAX: usize = 200;
/// Longest retry-after that is obeyed.
pub(super) const QUIET_MAX: Duration = Duration::from_secs(3_600);
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
    /// Retries do not help: the owner must change what `error` says.
    pub needs_owner: bool,
    /// Nothing helps: the receiver refuses this message at every try, and takes others.
    pub refused_for_good: bool,
}

impl Failed {
    fn down(error: String) -> Self {
        Self {
            error,
            receiver_is_down: true,
            quiet_for: None,
            needs_owner: false,
            refused_for_good: false,
        }
    }
}

/// A delivered message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// It arrived, but the settings should be changed: the receiver has moved.
    pub advice: Option<String>,
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
    pub async fn send(&self, receiver: &Receiver, notice: &Notice) -> Result<Delivered, Failed> {
        let target = receiver.target().await;
        let target = target.map_err(|error| Failed::down(error.to_string()))?;
        let Err(refusal) = self.post(receiver, notice, &target).await? else {
            return Ok(Delivered { advice: None });
        };
        // Once: where a moved receiver has moved again, the next try follows.
        let Some((moved, advice)) = receiver.moved(&refusal.answer) else {
            return Err(refusal.failed(receiver));
        };
        match self.post(&moved, notice, &target).await? {
            Ok(()) => Ok(Delivered { advice: Some(advice) }),
            Err(refusal) => {
                let mut failed = refusal.failed(&moved);
                failed.error = format!("{advice}; there: {}", failed.error);
                Err(failed)
            }
        }
    }

    /// Posts once. The inner error is what the receiver answered.
    async fn post(
        &self,
        receiver: &Receiver,
        notice: &Notice,
        target: &Target,
    ) -> Result<Result<(), Refusal>, Failed> {
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
        let response = request
            .body(body)
            .send()
            .await
            .map_err(|error| Failed::down(hide(&causes(&error.without_url()), &target.hidden)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(Ok(()));
        }
        let (retry_after, location) = (header_retry_after(&response), location(&response));
        // Before anything is cut: a cut secret would not be found.
        let text = hide(&answer(response).await, &target.hidden);
        Ok(Err(Refusal {
            status,
            retry_after,
            location: location.map(|to| hide(&to, &target.hidden)),
            answer: Answer {
                status: status.as_u16(),
                text,
            },
        }))
    }
}

/// An answer other than success.
struct Refusal {
    status: StatusCode,
    retry_after: Option<Duration>,
    location: Option<String>,
    answer: Answer,
}

impl Refusal {
    fn failed(&self, receiver: &Receiver) -> Failed {
        let asked = self.retry_after.or_else(|| body_retry_after(&self.answer.text));
        let remedy = receiver.remedy(&self.answer).or_else(|| self.redirected());
        let said = quote(receiver.kind.messenger().error_field(), &self.answer.text);
        let refused_for_good = receiver.refuses_for_good(&self.answer);
        let needs_owner = remedy.is_some() && !refused_for_good;
        let advice = match remedy.filter(|_| needs_owner) {
            Some(remedy) => format!("; {remedy}"),
            None if refused_for_good => "; this message is refused at every try, and is given up".to_owned(),
            None => String::new(),
        };
        let about_the_message = refused_for_good || concerns_the_message(self.status);
        Failed {
            error: format!("HTTP {}{said}{advice}", self.status),
            receiver_is_down: needs_owner || !about_the_message,
            quiet_for: asked.map(|pause| pause.min(QUIET_MAX)),
            needs_owner,
            refused_for_good,
        }
    }

    /// A redirect is not followed: the URL contains a key.
    fn redirected(&self) -> Option<String> {
        let redirect = matches!(self.status.as_u16(), 300..=303 | 305..=308);
        redirect.then(|| match &self.location {
            Some(to) => format!(
                "redirects are not followed: set the final address, {}",
                Foreign::within(to, QUOTE_MAX).as_str().trim()
            ),
            None => "redirects are not followed: set the final address".to_owned(),
        })
    }
}

fn location(response: &Response) -> Option<String> {
    let text = response.headers().get(LOCATION)?.to_str().ok()?;
    Some(text.to_owned())
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

/// The header Retry-After.
fn header_retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    retry_after(text, Utc::now())
}

/// The same from the body, where Telegram and Discord put it.
fn body_retry_after(answer: &str) -> Option<Duration> {
    asked_pause(&serde_json::from_str(answer).ok()?)
}

/// How long an answer of Telegram, Discord or Slack asks to be left alone.
pub(super) fn asked_pause(answer: &Value) -> Option<Duration> {
    let seconds = answer
        .pointer("/parameters/retry_after")
        .or_else(|| answer.get("retry_after"))?;
    let text = seconds
        .as_str()
        .map_or_else(|| seconds.to_string(), ToOwned::to_owned);
    retry_after(&text, Utc::now())
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
pub(super) fn hide(said: &str, hidden: &[Secret]) -> String {
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
            (r#"{"retry_after":"7"}"#, Some(7.0)),
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
