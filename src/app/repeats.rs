//! Requests with a key: sent again, they are carried out once and get the first answer.

use sha2::{Digest, Sha256};

use super::{
    context::App,
    error::{AppError, ErrorKind},
    given,
    message::{Field, message},
    tokens::Bearer,
};
use crate::store::requests::{self, Known, RequestKey};

/// A request that is carried out now, and what its answer is kept under.
#[derive(Debug)]
pub struct Once {
    bearer: Bearer,
    key: String,
}

/// What to do with a request.
#[derive(Debug)]
pub enum Turn {
    /// It is the first with its key: carry it out, then [`Once::answered`] or [`Once::failed`].
    First(Once),
    /// Answer as the first time.
    Again {
        /// HTTP status.
        status: u16,
        /// The body.
        answer: String,
    },
}

/// Notes a request as begun, unless its key is known. `request`: all that tells it from another one.
///
/// # Errors
/// [`ErrorKind::BadInput`] for a key that cannot be one; [`ErrorKind::Refused`] if another request has it, or if the
/// outcome of this one is not known.
pub async fn turn(app: &App, bearer: &Bearer, key: &str, request: &[&[u8]]) -> Result<Turn, AppError> {
    given::key(Some(key))?;
    let once = Once {
        bearer: bearer.clone(),
        key: key.to_owned(),
    };
    match requests::begin(&app.pool, once.row(), &digest(request)).await? {
        Known::First => Ok(Turn::First(once)),
        Known::Answered { status, answer } => Ok(Turn::Again { status, answer }),
        Known::Begun => Err(message![
            Field::Key,
            format!(
                " {key}: a request with this key was begun and has no answer: it is still being carried out, or its process \
                 ended or failed meanwhile, and what it did is not known. Look at the state first, then send the request \
                 again with another key if it is still wanted"
            ),
        ]
        .refused()),
        Known::Another => Err(message![
            Field::Key,
            format!(" {key}: another request had this key; give each request a key of its own"),
        ]
        .refused()),
    }
}

impl Once {
    fn row(&self) -> RequestKey<'_> {
        RequestKey {
            token: self.bearer.token,
            key: &self.key,
        }
    }

    /// Keeps the answer.
    ///
    /// # Errors
    /// [`AppError::Store`]: the request was carried out, and a repetition is refused.
    pub async fn answered(self, app: &App, status: u16, answer: &str) -> Result<(), AppError> {
        Ok(requests::answered(&app.pool, self.row(), status, answer).await?)
    }

    /// A refusal changes nothing, so its key may be used again; after any other error nobody knows what was done.
    /// `None`: it was refused before the application was asked.
    pub async fn failed(self, app: &App, error: Option<&AppError>) {
        let harmless = error.is_none_or(|error| {
            matches!(
                error.kind(),
                ErrorKind::BadInput | ErrorKind::NotFound | ErrorKind::Refused
            )
        });
        if harmless && let Err(error) = requests::forget(&app.pool, self.row()).await {
            tracing::warn!(%error, "a refused request keeps its key");
        }
    }
}

/// Of all parts, each with its length, so that no two requests look alike.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}
