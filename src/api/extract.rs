//! What a request brings, read so that an error is a problem like any other.

use axum::{
    extract::{FromRequestParts, Path, Query, path::ErrorKind, rejection::PathRejection},
    http::{StatusCode, request::Parts},
};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;

use super::problem::Problem;
use crate::{
    app::Target,
    domain::{foreign::Foreign, plain::plain_at},
};

/// Characters of a part of the path that are shown.
const SHOWN_MAX: usize = 60;

/// Parameters of the query; unknown ones are errors.
pub(super) struct Params<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => Err(Problem::malformed(
                StatusCode::BAD_REQUEST,
                &in_query(&error.body_text()),
            )),
        }
    }
}

/// What is wrong with a query, in plain words. `said`: how the framework says it.
fn in_query(said: &str) -> String {
    let said = said
        .strip_prefix("Failed to deserialize query string: ")
        .unwrap_or(said);
    let told = match said.split_once(": ") {
        Some((field, said)) if !field.contains(' ') => plain_at(field, said),
        _ => plain_at(".", said),
    };
    format!("the query cannot be used: {told}")
}

/// A part of the path.
pub(super) struct At<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        match read {
            Ok(Path(part)) => Ok(Self(part)),
            Err(error) => Err(Problem::malformed(StatusCode::BAD_REQUEST, &in_path(&error))),
        }
    }
}

fn in_path(error: &PathRejection) -> String {
    let PathRejection::FailedToDeserializePathParams(wrong) = error else {
        return error.body_text();
    };
    match wrong.kind() {
        ErrorKind::ParseError { value, .. }
        | ErrorKind::ParseErrorAtKey { value, .. }
        | ErrorKind::ParseErrorAtIndex { value, .. } => {
            let value = Foreign::within(value, SHOWN_MAX);
            format!("`{value}` in the path is not a whole number; write the number, as the list shows it")
        }
        ErrorKind::InvalidUtf8InPathParam { .. } => {
            "the path is not UTF-8 text after decoding; encode each byte of the UTF-8 text as %XX".to_owned()
        }
        _ => error.body_text(),
    }
}

/// Which of several jobs of that name.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct JobQuery {
    /// Chain of the job, if several match
    chain: Option<String>,
}

impl JobQuery {
    /// The job that the path names: by number, ticker or token address.
    pub(super) fn target(self, job: String) -> Target {
        Target {
            token: job,
            chain: self.chain,
        }
    }
}
