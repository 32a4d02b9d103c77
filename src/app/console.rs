//! The console in a browser: a link that is opened once, and the session that it becomes.

use serde::Serialize;

use super::{
    actor::Actor,
    context::App,
    error::AppError,
    tokens::{self, Bearer, Digest, Issued, NewToken},
    trail::Action,
};
use crate::{
    domain::{
        Timestamp,
        role::{Role, TokenKind},
        secret::Secret,
        span::Span,
    },
    store::sessions::{self, Opening},
};

/// How long a link can be opened.
pub const LINK_LASTS: Span = Span::from_secs(5 * 60);
/// How long a session lasts.
pub const SESSION_LASTS: Span = Span::from_secs(12 * 60 * 60);
/// Longest part of a name that is the person's; what follows makes it another name for each link.
const PERSON_MAX: usize = 30;

/// A session as it begins. Both secrets are for the browser alone, and it takes both to make a request: a browser sends
/// cookies to every port of a host, and the key to our own page's server only.
#[derive(Debug)]
pub struct Opened {
    /// The cookie.
    pub secret: Secret,
    /// What the page keeps.
    pub key: Secret,
    pub session: Session,
}

/// Whose session it is.
#[derive(Debug, Clone, Serialize)]
pub struct Session {
    pub name: String,
    pub role: Role,
    pub expires_at: Timestamp,
}

/// Creates a link for `person`. The answer alone has its text.
///
/// # Errors
/// [`AppError::Store`].
pub async fn link(app: &App, person: &str, role: Role, actor: &Actor) -> Result<Issued, AppError> {
    let new = NewToken {
        name: named(person, &tokens::random()?),
        role,
        lasts: LINK_LASTS,
    };
    tokens::made(app, &new, (TokenKind::Link, Action::ConsoleLink), actor).await
}

/// A name for a link: the person's, as far as a name may have it, and eight digits that tell it from the others.
fn named(person: &str, random: &Secret) -> String {
    let plain = person.to_ascii_lowercase();
    let plain = plain
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let plain: String = plain.take(PERSON_MAX).collect();
    let person = if plain.is_empty() { "console" } else { &plain };
    let [one, two, three, four, ..] = tokens::digest(&random.0);
    format!("{person}-{one:02x}{two:02x}{three:02x}{four:02x}")
}

/// Makes a link a session; `None`: it was opened before, has expired, was revoked or is none.
///
/// # Errors
/// [`AppError::Store`].
pub async fn open(app: &App, link: &str) -> Result<Option<Opened>, AppError> {
    if !tokens::is_one(link) {
        return Ok(None);
    }
    let (secret, key) = (tokens::random()?, key()?);
    let opening = Opening {
        link: &tokens::digest(link),
        session: &digest(&secret.0, &key.0),
        lasts: SESSION_LASTS,
        action: Action::ConsoleOpen.into(),
    };
    let actor = |name: &str| Actor::new("console", name).as_str().to_owned();
    let opened = sessions::open(&app.pool, opening, actor).await?;
    Ok(opened.map(|(row, expires_at)| Opened {
        secret,
        key,
        session: Session {
            name: row.name,
            role: row.role,
            expires_at,
        },
    }))
}

/// What a page keeps: as hard to guess as a token, and no token.
fn key() -> Result<Secret, AppError> {
    let random = tokens::random()?;
    let plain = random
        .0
        .rsplit_once('_')
        .map_or(random.0.as_str(), |(_, plain)| plain);
    Ok(Secret(alloy_primitives::hex::encode(tokens::digest(plain))))
}

/// What is kept of a session: of the cookie and of the page's key together.
#[must_use]
pub fn digest(cookie: &str, key: &str) -> Digest {
    tokens::digest(&format!("{cookie} {key}"))
}

/// Whose session this is; `None` if it is not valid now.
///
/// # Errors
/// [`AppError::Store`].
pub async fn bearer(app: &App, cookie: &str, key: &str) -> Result<Option<Bearer>, AppError> {
    match tokens::is_one(cookie) {
        true => tokens::known(app, TokenKind::Session, &digest(cookie, key)).await,
        false => Ok(None),
    }
}

/// Who asks, and until when they may.
///
/// # Errors
/// [`AppError::Internal`] if it ended just now.
pub async fn session(app: &App, bearer: &Bearer) -> Result<Session, AppError> {
    let expires = sessions::expires(&app.pool, bearer.token).await?;
    Ok(Session {
        name: bearer.name.clone(),
        role: bearer.role,
        expires_at: expires.ok_or_else(|| AppError::Internal("the session has just ended".to_owned()))?,
    })
}

/// Ends a session.
///
/// # Errors
/// [`AppError::Store`].
pub async fn close(app: &App, bearer: &Bearer) -> Result<(), AppError> {
    tokens::revoke(app, &bearer.name, &bearer.actor()).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_link_has_a_name_of_its_own_that_a_token_may_have() {
        for (person, begins) in [
            ("Alice", "alice-"),
            ("", "console-"),
            ("ß€", "console-"),
            ("a b/c", "abc-"),
        ] {
            let names = ["one", "two"].map(|random| named(person, &Secret(random.to_owned())));
            assert_ne!(names[0], names[1]);
            for name in names {
                assert!(name.starts_with(begins), "{name}");
                let new = NewToken {
                    name,
                    role: Role::Viewer,
                    lasts: LINK_LASTS,
                };
                assert!(new.check().is_ok(), "{new:?}");
            }
        }
        assert!(named(&"x".repeat(99), &Secret("one".to_owned())).len() <= 40);
    }
}
