//! The body of a request, read whole and in time.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{StatusCode, header, request::Parts},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{nul, problem::Problem, state::Shared};
use crate::domain::plain::plain_at;

/// Longest time for a whole body.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// Reads a JSON body; an empty one is `{}`.
pub(super) async fn read(parts: &Parts, request: Request, api: &Shared) -> Result<Value, Problem> {
    let reading = Bytes::from_request(request, api);
    let bytes = tokio::time::timeout(BODY_PATIENCE, reading).await;
    let slow = |_| Problem::malformed(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time");
    let bytes = bytes
        .map_err(slow)?
        .map_err(|error| Problem::malformed(error.status(), &error.body_text()))?;
    if bytes.is_empty() {
        return Ok(serde_json::json!({}));
    }
    if !has_json(parts) {
        let detail = "the body must be JSON: Content-Type: application/json";
        return Err(Problem::malformed(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let given: Value = serde_json::from_slice(&bytes).map_err(|error| {
        Problem::malformed(
            StatusCode::BAD_REQUEST,
            &format!("the body is not valid JSON: {error}"),
        )
    })?;
    nul::of_body(&given)?;
    if !given.is_object() {
        let detail = "the body cannot be used: it must be an object: keys and values in braces";
        return Err(Problem::malformed(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    Ok(given)
}

fn has_json(parts: &Parts) -> bool {
    let kind = parts.headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// The body as the operation wants it.
pub(super) fn typed<T: DeserializeOwned>(given: &Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(given).map_err(|error| {
        let problem = plain_at(&error.path().to_string(), &error.inner().to_string());
        let detail = format!("the body cannot be used: {problem}");
        Problem::malformed(StatusCode::UNPROCESSABLE_ENTITY, &detail)
    })
}

/// The body of a question: it changes nothing, so it needs no key.
pub(super) struct Question<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Shared> for Question<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Shared) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let given = read(&parts, Request::from_parts(parts.clone(), body), api).await?;
        Ok(Self(typed(&given)?))
    }
}
