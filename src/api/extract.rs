//! What a request brings, read so that an error is a problem like any other.

use axum::{
    extract::{FromRequestParts, Path, Query, rejection::PathRejection},
    http::{StatusCode, request::Parts},
};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;

use super::problem::Problem;
use crate::app::Target;

/// Parameters of the query; unknown ones are errors.
pub(super) struct Params<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => Err(Problem::malformed(StatusCode::BAD_REQUEST, &error.body_text())),
        }
    }
}

/// A part of the path.
pub(super) struct At<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        match read {
            Ok(Path(part)) => Ok(Self(part)),
            Err(error) => Err(Problem::malformed(StatusCode::BAD_REQUEST, &error.body_text())),
        }
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
