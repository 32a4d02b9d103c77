//! Bearer tokens of the HTTP API: created, listed, revoked, recognised.

use std::collections::HashSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand_core::{OsRng, RngCore};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{
    actor::Actor,
    context::App,
    error::{AppError, ErrorKind},
    message::{Advice, Field, message},
    trail::Action,
};
use crate::{
    domain::{
        Timestamp,
        ids::TokenId,
        role::{Role, TokenKind},
        secret::Secret,
        span::Span,
    },
    store::{
        self,
        tokens::{self, TokenRow},
    },
};

/// SHA-256 of a token.
pub type Digest = [u8; 32];

/// What every token begins with: scanners of source code and logs find one by it.
const PREFIX: &str = "lgimm_";
/// Random bytes of a token.
const RANDOM: usize = 32;
/// Characters of a token: the prefix, and the random bytes in base64.
const LENGTH: usize = PREFIX.len() + 43;
/// Longest name.
const NAME_MAX: usize = 40;
const LASTS_MIN: Span = Span::from_secs(60);
const LASTS_MAX: Span = Span::from_secs(366 * 24 * 60 * 60);

/// A token to create.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// 1 to 40 of a-z, 0-9, dot, dash and underscore; begins with a letter or digit.
    pub name: String,
    pub role: Role,
    /// How long it is valid, 1m to 366d.
    pub lasts: Span,
}

/// A token as it is listed.
#[derive(Debug, Clone, Serialize)]
pub struct TokenLine {
    pub token: TokenId,
    pub name: String,
    pub role: Role,
    /// What it is used with: a token with a header, a link once, a session with a browser's cookie.
    pub kind: TokenKind,
    pub state: TokenState,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    /// To the minute.
    pub last_used_at: Option<Timestamp>,
}

/// Whether a token opens the API now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum TokenState {
    Valid,
    Expired,
    Revoked,
}

/// Who presented a token that is valid now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    pub token: TokenId,
    pub name: String,
    pub role: Role,
    pub kind: TokenKind,
}

impl Bearer {
    /// As the audit trail names them.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let face = match self.kind {
            TokenKind::Token => "api",
            TokenKind::Link | TokenKind::Session => "console",
        };
        Actor::new(face, &self.name)
    }
}

impl From<tokens::Bearer> for Bearer {
    fn from(row: tokens::Bearer) -> Self {
        Self {
            token: row.id,
            name: row.name,
            role: row.role,
            kind: row.kind,
        }
    }
}

/// A new token. Its text is in no other place: it cannot be shown again.
#[derive(Debug, Serialize)]
pub struct Issued {
    #[serde(flatten)]
    pub line: TokenLine,
    pub secret: Secret,
}

impl TokenLine {
    fn new(row: TokenRow, now: Timestamp) -> Self {
        let state = match row.revoked_at {
            Some(_) => TokenState::Revoked,
            None if row.expires_at <= now => TokenState::Expired,
            None => TokenState::Valid,
        };
        Self {
            token: row.id,
            name: row.name,
            role: row.role,
            kind: row.kind,
            state,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
        }
    }
}

impl NewToken {
    /// Checks that need no database.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`] names the field and what is allowed.
    pub fn check(&self) -> Result<(), AppError> {
        let name = self.name.as_str();
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let allowed = |byte: u8| plain(byte) || b"._-".contains(&byte);
        let fits =
            name.len() <= NAME_MAX && name.bytes().all(allowed) && name.bytes().next().is_some_and(plain);
        if !fits {
            let problem = format!(
                " {name}: must be 1 to {NAME_MAX} of a-z, 0-9, dot, dash and underscore, and begin with a letter or digit"
            );
            return Err(message![Field::Name, problem].bad_input());
        }
        if !(LASTS_MIN..=LASTS_MAX).contains(&self.lasts) {
            let problem = format!(" {}: must be {LASTS_MIN} to {LASTS_MAX}", self.lasts);
            return Err(message![Field::Expires, problem].bad_input());
        }
        Ok(())
    }
}

/// Creates a token. The answer alone has its text.
///
/// # Errors
/// [`ErrorKind::BadInput`] for a name or span that is not allowed, [`ErrorKind::Refused`] if the name is taken.
pub async fn create(app: &App, new: &NewToken, actor: &Actor) -> Result<Issued, AppError> {
    made(app, new, (TokenKind::Token, Action::TokenNew), actor).await
}

/// A text that nobody can guess.
pub(super) fn random() -> Result<Secret, AppError> {
    let mut random = [0_u8; RANDOM];
    OsRng
        .try_fill_bytes(&mut random)
        .map_err(|error| AppError::Internal(format!("no random numbers: {error}")))?;
    Ok(Secret(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random))))
}

/// Creates a token of this kind.
pub(super) async fn made(
    app: &App,
    new: &NewToken,
    (kind, action): (TokenKind, Action),
    actor: &Actor,
) -> Result<Issued, AppError> {
    new.check()?;
    let secret = random()?;
    let row = tokens::NewToken {
        name: &new.name,
        role: new.role,
        kind,
        hash: &digest(&secret.0),
        lasts: new.lasts,
    };
    let made = tokens::create(&app.pool, row, actor.as_str(), action.into()).await?;
    let Some(made) = made else {
        let problem = format!("there is a token called {}: choose another name, or ", new.name);
        return Err(message![problem, Advice::RevokeToken(new.name.clone()), " first"].refused());
    };
    let now = made.created_at;
    Ok(Issued {
        line: TokenLine::new(made, now),
        secret,
    })
}

/// Revokes a token: the next request with it is refused.
///
/// # Errors
/// [`ErrorKind::NotFound`] if no token of this name is left to revoke.
pub async fn revoke(app: &App, name: &str, actor: &Actor) -> Result<TokenLine, AppError> {
    let revoked = tokens::revoke(&app.pool, name, actor.as_str(), Action::TokenRevoke.into()).await?;
    let Some(row) = revoked else {
        let problem = format!("no token called {name} can be revoked; ");
        return Err(message![problem, Advice::ListTokens, " shows all"].error(ErrorKind::NotFound));
    };
    let now = store::now(&app.pool).await?;
    Ok(TokenLine::new(row, now))
}

/// All tokens, newest first; revoked and expired ones too.
///
/// # Errors
/// [`AppError::Store`].
pub async fn list(app: &App) -> Result<Vec<TokenLine>, AppError> {
    let rows = tokens::list(&app.pool).await?;
    let now = store::now(&app.pool).await?;
    Ok(rows.into_iter().map(|row| TokenLine::new(row, now)).collect())
}

/// Who presents this token; `None` if it is not valid now.
///
/// # Errors
/// [`AppError::Store`].
pub async fn bearer(app: &App, presented: &str) -> Result<Option<Bearer>, AppError> {
    match is_one(presented) {
        true => known(app, TokenKind::Token, &digest(presented)).await,
        false => Ok(None),
    }
}

/// Who presents this text as a token of this kind.
pub(super) async fn known(app: &App, kind: TokenKind, digest: &Digest) -> Result<Option<Bearer>, AppError> {
    Ok(tokens::bearer(&app.pool, kind, digest).await?.map(Bearer::from))
}

/// Whether a text can be a token at all.
pub(super) fn is_one(presented: &str) -> bool {
    presented.len() == LENGTH && presented.starts_with(PREFIX)
}

/// Whether a token that was presented before is still valid.
///
/// # Errors
/// [`AppError::Store`].
pub async fn is_valid(app: &App, token: TokenId) -> Result<bool, AppError> {
    Ok(tokens::is_valid(&app.pool, token).await?)
}

/// Digests of all that opens the API now: tokens, links and sessions, the newest 4096.
///
/// # Errors
/// [`AppError::Store`].
pub async fn valid(app: &App) -> Result<HashSet<Digest>, AppError> {
    Ok(tokens::valid(&app.pool).await?)
}

/// What is kept of a token.
#[must_use]
pub fn digest(token: &str) -> Digest {
    Sha256::digest(token.as_bytes()).into()
}
