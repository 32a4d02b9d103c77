//! A write: its body and its key, carried out once.

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    api::{body, problem::Problem, state::Shared},
    app::{
        Actor, AppError,
        repeats::{self, Turn},
        tokens::Bearer,
    },
    domain::role::Role,
};

/// What a write is about. `T`: its body; an empty one is `{}`.
pub(in crate::api) struct Write<T> {
    pub(in crate::api) body: T,
    order: Order,
}

/// Whose order it is, and what tells it from another one.
#[derive(Debug, Clone)]
pub(in crate::api) struct Order {
    bearer: Bearer,
    key: String,
    method: String,
    path: String,
    /// The version that an edit is based on.
    pub(in crate::api) if_match: Option<String>,
    /// All of the body.
    given: Value,
}

/// Why a write was not carried out.
#[derive(Debug)]
pub(in crate::api) enum Failed {
    /// The application says so.
    App(AppError),
    /// The request must be another one; nothing was changed.
    Http(Box<Problem>),
}

impl From<AppError> for Failed {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Http(Box::new(problem))
    }
}

impl<T: DeserializeOwned> FromRequest<Shared> for Write<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Shared) -> Result<Self, Problem> {
        let (parts, bytes) = request.into_parts();
        let key = key(&parts)?;
        let bearer = parts.extensions.get::<Bearer>().cloned();
        // The gate lets nobody through without one.
        let bearer = bearer.ok_or_else(|| AppError::Internal("a request without a token".to_owned()))?;
        let (method, path) = (parts.method.to_string(), parts.uri.to_string());
        let if_match = text(&parts, header::IF_MATCH.as_str());
        let given = body::read(&parts, Request::from_parts(parts.clone(), bytes), api).await?;
        let body = body::typed(&given)?;
        Ok(Self {
            body,
            order: Order {
                bearer,
                key,
                method,
                path,
                if_match,
                given,
            },
        })
    }
}

fn text(parts: &Parts, name: &str) -> Option<String> {
    let value = parts.headers.get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

fn key(parts: &Parts) -> Result<String, Problem> {
    text(parts, "idempotency-key").ok_or_else(|| {
        Problem::malformed(
            StatusCode::BAD_REQUEST,
            "Idempotency-Key is missing: give each write a text of its own, and send the same one when you send it again",
        )
    })
}

impl<T> Write<T> {
    /// The body, and whose order it is.
    pub(in crate::api) fn split(self) -> (T, Order) {
        (self.body, self.order)
    }
}

impl Order {
    /// Who it is in the audit trail.
    pub(in crate::api) fn actor(&self) -> Actor {
        self.bearer.actor()
    }

    /// Whether it may do what an owner may.
    pub(in crate::api) fn is_owners(&self) -> bool {
        self.bearer.role == Role::Owner
    }

    /// Whose key it is, for requests whose application keeps keys of its own.
    pub(in crate::api) fn key(&self) -> String {
        format!(
            "api:{}:{}",
            self.bearer.token,
            hex(&[self.key.as_bytes()]).get(..32).unwrap_or_default()
        )
    }

    /// Refuses what must be confirmed until the request says `confirm` with the digest of exactly this, under the same
    /// key: one confirmation does it once. Shown with it: what changes by the minute, such as prices.
    pub(in crate::api) fn confirmed(
        &self,
        would: &str,
        shown: Vec<String>,
        confirm: Option<&str>,
    ) -> Result<(), Failed> {
        let mut given = self.given.clone();
        if let Some(members) = given.as_object_mut() {
            members.remove("confirm");
        }
        let digest = hex(&[
            self.bearer.name.as_bytes(),
            self.key.as_bytes(),
            self.path.as_bytes(),
            given.to_string().as_bytes(),
            would.as_bytes(),
        ]);
        if confirm == Some(digest.as_str()) {
            return Ok(());
        }
        Err(Failed::Http(Box::new(Problem::confirm(would, shown, digest))))
    }

    /// Carries `work` out, unless its key was answered before. It continues if its client is gone.
    pub(in crate::api) async fn once<V: Serialize + Send + 'static>(
        self,
        api: &Shared,
        work: impl Future<Output = Result<V, Failed>> + Send + 'static,
    ) -> Result<Response, Problem> {
        let text = |view: &V| serde_json::to_string(view);
        self.carried_out(api, work, text, None::<fn(&V) -> serde_json::Result<String>>)
            .await
    }

    /// The same; a repetition is answered with what `kept` makes of the answer, and the database has no other.
    pub(in crate::api) async fn once_as<V: Serialize + Send + 'static, K: Serialize>(
        self,
        api: &Shared,
        work: impl Future<Output = Result<V, Failed>> + Send + 'static,
        kept: impl Fn(&V) -> K + Send + 'static,
    ) -> Result<Response, Problem> {
        let text = |view: &V| serde_json::to_string(view);
        let kept = move |view: &V| serde_json::to_string(&kept(view));
        self.carried_out(api, work, text, Some(kept)).await
    }

    async fn carried_out<V: Send + 'static>(
        self,
        api: &Shared,
        work: impl Future<Output = Result<V, Failed>> + Send + 'static,
        text: impl Fn(&V) -> serde_json::Result<String> + Send + 'static,
        kept: Option<impl Fn(&V) -> serde_json::Result<String> + Send + 'static>,
    ) -> Result<Response, Problem> {
        let given = self.given.to_string();
        let if_match = self.if_match.clone().unwrap_or_default();
        let request = [&self.method, &self.path, &if_match, &given].map(|part| part.as_bytes());
        let first = match repeats::turn(&api.app, &self.bearer, &self.key, &request).await? {
            Turn::Again { status, answer } => return Ok(answered(status, answer, true)),
            Turn::First(first) => first,
        };
        let api = api.clone();
        let carried_out = tokio::spawn(async move {
            let error = match work.await {
                Ok(view) => {
                    let broken = |error: serde_json::Error| AppError::Internal(error.to_string());
                    let answer = text(&view).map_err(broken)?;
                    let kept = kept.map_or_else(|| Ok(answer.clone()), |kept| kept(&view));
                    let kept = kept.map_err(broken)?;
                    first.answered(&api.app, StatusCode::OK.as_u16(), &kept).await?;
                    return Ok(answered(StatusCode::OK.as_u16(), answer, false));
                }
                Err(error) => error,
            };
            match error {
                Failed::App(error) => {
                    first.failed(&api.app, Some(&error)).await;
                    Err(error.into())
                }
                Failed::Http(problem) => {
                    first.failed(&api.app, None).await;
                    Err(*problem)
                }
            }
        });
        carried_out
            .await
            .unwrap_or_else(|error| Err(AppError::Internal(error.to_string()).into()))
    }
}

fn answered(status: u16, answer: String, again: bool) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], answer).into_response();
    if again {
        let headers = response.headers_mut();
        headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    }
    response
}

/// SHA-256 of all parts, each with its length.
fn hex(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
