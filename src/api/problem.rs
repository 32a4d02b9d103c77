//! Errors as `application/problem+json` (RFC 9457), with the command line's numbers and words.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::wording::described;
use crate::app::{AppError, ErrorKind};

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// What went wrong, as a stable name.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The same in a few words.
    pub title: &'static str,
    /// HTTP status.
    pub status: u16,
    /// What is wrong with what, what is allowed and what to do next.
    #[schema(value_type = String)]
    pub detail: Box<str>,
    /// The exit code that the command line has for it, 1 to 7; none: it is about the HTTP request itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    /// What the request would do, if it must be confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub would: Option<Box<str>>,
    /// What is known about it now, such as prices and costs.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    #[schema(value_type = Vec<String>, required = false)]
    pub shown: Box<[String]>,
    /// To confirm exactly that: send the request again with this as `confirm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub confirm: Option<Box<str>>,
    /// Seconds after which the request may be sent again.
    #[serde(skip)]
    pub retry_after: Option<u16>,
}

impl Problem {
    /// About the request itself.
    pub(super) fn http(status: StatusCode, kind: &'static str, title: &'static str, detail: &str) -> Self {
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            code: None,
            would: None,
            shown: Box::default(),
            confirm: None,
            retry_after: None,
        }
    }

    /// It must be confirmed first.
    pub(super) fn confirm(would: &str, shown: Vec<String>, digest: String) -> Self {
        Self {
            would: Some(would.into()),
            shown: shown.into(),
            confirm: Some(digest.into()),
            ..Self::http(
                StatusCode::PRECONDITION_REQUIRED,
                "confirm",
                "it must be confirmed",
                "nothing was done yet: if `would` is what you want, send the same request again with `confirm` in its body",
            )
        }
    }

    /// The request cannot be read.
    pub(super) fn malformed(status: StatusCode, detail: &str) -> Self {
        Self::http(status, "malformed", "the request cannot be read", detail)
    }

    /// No such path.
    pub(super) fn nowhere() -> Self {
        let detail = "there is no such path; /api/v1/openapi.json lists all";
        Self::http(StatusCode::NOT_FOUND, "no_such_path", "no such path", detail)
    }

    /// The path has no such method.
    pub(super) fn method() -> Self {
        let detail = "this path has no such method; /api/v1/openapi.json lists all";
        Self::http(
            StatusCode::METHOD_NOT_ALLOWED,
            "no_such_method",
            "no such method",
            detail,
        )
    }
}

/// The status and the name of a kind of error.
const fn status(kind: ErrorKind) -> (StatusCode, &'static str, &'static str) {
    match kind {
        ErrorKind::BadInput => (StatusCode::BAD_REQUEST, "bad_input", "a value cannot be used"),
        ErrorKind::NotFound => (StatusCode::NOT_FOUND, "not_found", "there is no such thing"),
        ErrorKind::Refused => (StatusCode::CONFLICT, "refused", "the state does not allow it"),
        ErrorKind::Database => (
            StatusCode::SERVICE_UNAVAILABLE,
            "database",
            "the database cannot be used",
        ),
        ErrorKind::Problems => (
            StatusCode::SERVICE_UNAVAILABLE,
            "problems",
            "a check found something that needs fixing",
        ),
        ErrorKind::Network => (
            StatusCode::BAD_GATEWAY,
            "network",
            "a price source or venue cannot be used",
        ),
        ErrorKind::Internal => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "an error of the program itself",
        ),
    }
}

impl From<&AppError> for Problem {
    fn from(error: &AppError) -> Self {
        let (status, kind, title) = status(error.kind());
        Self {
            code: Some(error.kind().code()),
            ..Self::http(status, kind, title, &described(error))
        }
    }
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        Self::from(&error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"lgi-mm\""),
            );
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
