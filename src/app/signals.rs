//! Signals: signed messages from outside that may pause, resume or tick one job, or place its order once more.

use std::{collections::BTreeMap, time::Duration};

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::info;

use super::{
    actor::Actor,
    context::App,
    error::{AppError, ErrorKind},
    jobs::tick::{self, Ticked},
    message::Message,
    name::JobName,
    tokens,
};
use crate::{
    config::{Settings, SignalSettings},
    domain::{
        Timestamp,
        ids::JobId,
        job::{JobStatus, Realm},
        signal::SignalAction,
        span::Span,
    },
    failpoint,
    notify::Key,
    store::{
        self,
        jobs::{self, Job},
        signals::{self, Signal},
    },
};

/// Most that a message's time may differ from the database's.
const TOLERANCE: Span = Span::from_secs(5 * 60);
/// What was signed longer ago by this machine's clock, seconds, takes nothing of its signal's budget. The database's
/// clock, which decides, may differ.
const RECENT: u64 = 15 * 60;
/// Longest id of a message.
const ID_MAX: usize = 100;
/// Longest wait for the trade of a tick: senders wait no longer for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The signals of the settings, with their keys.
pub struct Signals {
    known: BTreeMap<String, Known>,
    /// What a message to an unknown name is checked with, so that it takes as long.
    nobody: Key,
}

struct Known {
    settings: SignalSettings,
    key: Key,
}

/// A message as it came.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Which signal it is for.
    pub name: &'a str,
    /// `webhook-id`
    pub id: &'a str,
    /// `webhook-timestamp`: seconds since 1970.
    pub timestamp: &'a str,
    /// `webhook-signature`
    pub signature: &'a str,
    /// As it was signed.
    pub body: &'a [u8],
}

/// A message that was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// The name is unknown, or the signature is not of its key. Which of the two is not said.
    #[error("no signal of this server has signed this: check its name, its secret and the three headers")]
    Unknown,
    /// Signed, and too long ago or in the future.
    #[error(
        "webhook-timestamp is {0} from the time of this server's database, and at most {TOLERANCE} are allowed: sign each \
         delivery at its own time, and set the sender's clock"
    )]
    Stale(Span),
    /// Signed, and not readable.
    #[error("{0}")]
    Malformed(String),
    /// Signed, and not allowed.
    #[error(transparent)]
    App(#[from] AppError),
}

/// The members of a body that are read; others are for its sender.
#[derive(Debug, Deserialize)]
struct Body {
    action: SignalAction,
}

/// What a signal did.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// Its name.
    pub signal: String,
    /// What it asked for.
    pub action: SignalAction,
    #[serde(flatten)]
    pub job: JobName,
    /// Status of the job before it.
    pub before: JobStatus,
    /// Status of the job after it.
    pub after: JobStatus,
    /// Of a tick: what was decided.
    pub ticked: Option<Ticked>,
    /// It was delivered before, and is answered again.
    #[serde(skip)]
    pub again: bool,
}

impl Signals {
    /// Reads the secrets of all signals.
    ///
    /// # Errors
    /// [`AppError`] names the signal whose secret cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, AppError> {
        let mut known = BTreeMap::new();
        for (name, settings) in &settings.signals {
            let key = settings
                .key(name)
                .map_err(|error| AppError::Usage(error.to_string()))?;
            let settings = settings.clone();
            known.insert(name.clone(), Known { settings, key });
        }
        let nobody = Key::new(&tokens::random()?.0);
        Ok(Self {
            known,
            nobody: nobody.map_err(|error| AppError::Internal(error.to_string()))?,
        })
    }

    /// The place of the signal that has signed this message among all signals of the settings; `None`: none has, or not
    /// recently: what was signed long ago may be sent by others, as often as they like. It reads nothing but the
    /// message, and this machine's clock.
    #[must_use]
    pub fn place(&self, message: &Delivery<'_>, now: Timestamp) -> Option<usize> {
        let (_, signed_at) = self.signer(message)?;
        if now.timestamp().saturating_sub(signed_at).unsigned_abs() > RECENT {
            return None;
        }
        self.known.keys().position(|name| name == message.name)
    }

    /// The signal that has signed this message. Takes as long for an unknown name as for a wrong signature.
    fn signer(&self, message: &Delivery<'_>) -> Option<(&Known, i64)> {
        let known = self.known.get(message.name);
        let key = known.map_or(&self.nobody, |known| &known.key);
        let printable = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic());
        let readable = message.id.len() <= ID_MAX && printable(message.id);
        let timestamp = message.timestamp.parse::<i64>().ok();
        let signed = key.has_signed(
            message.id,
            timestamp.unwrap_or_default(),
            message.body,
            message.signature,
        );
        known
            .filter(|_| signed && readable)
            .and_then(|known| Some((known, timestamp?)))
    }
}

/// Carries a message out, once for each id.
///
/// # Errors
/// [`SignalError`]; what is refused is refused again if it is delivered again.
pub async fn receive(app: &App, signals: &Signals, message: Delivery<'_>) -> Result<Answer, SignalError> {
    let (known, timestamp) = signals.signer(&message).ok_or(SignalError::Unknown)?;
    in_time(app, timestamp).await?;
    let Body { action } = serde_json::from_slice(message.body).map_err(|error| {
        SignalError::Malformed(format!(
            "the body cannot be read: {error}; send JSON with an action, such as {{\"action\": \"pause\"}}"
        ))
    })?;
    let job = allowed(app, message.name, &known.settings, action).await?;
    let actor = Actor::new("signal", message.name);
    let signal = Signal {
        name: message.name,
        id: message.id,
        body: &Sha256::digest(message.body).into(),
        job: job.id,
        action,
    };
    let received = signals::receive(&app.pool, signal, actor.as_str())
        .await
        .map_err(AppError::from)?;
    let Some(received) = received else {
        let problem = format!(
            "webhook-id {}: another message of this signal had it; give each an id of its own",
            message.id
        );
        return Err(refused(problem));
    };
    info!(
        signal = message.name,
        job = job.id.0,
        %action,
        again = received.again,
        refused = received.refused,
        "a signal was received"
    );
    if let Some(why) = received.refused {
        return Err(refused(format!("{}: {why}", JobName::from(&job))));
    }
    failpoint::reach(failpoint::SIGNALLED);
    let ticked = match received.slot {
        Some(slot) => Some(tick::evaluate(app, &job, slot, PATIENCE).await?),
        None => None,
    };
    Ok(Answer {
        signal: message.name.to_owned(),
        action,
        job: JobName::from(&job),
        before: received.before,
        after: received.after,
        ticked,
        again: received.again,
    })
}

fn refused(problem: String) -> SignalError {
    AppError::Refused(problem).into()
}

/// A message that was recorded on its way is of no use later.
async fn in_time(app: &App, timestamp: i64) -> Result<(), SignalError> {
    let now = store::now(&app.pool).await.map_err(AppError::from)?;
    let signed = DateTime::from_timestamp(timestamp, 0);
    let signed = signed.ok_or_else(|| SignalError::Malformed("webhook-timestamp is no time".to_owned()))?;
    let off = Span::from_secs((now - signed).num_seconds().unsigned_abs());
    match off <= TOLERANCE {
        true => Ok(()),
        false => Err(SignalError::Stale(off)),
    }
}

/// The job, if the settings allow this signal to do this with it.
async fn allowed(
    app: &App,
    name: &str,
    settings: &SignalSettings,
    action: SignalAction,
) -> Result<Job, SignalError> {
    if !settings.allow.contains(&action) {
        let allow: Vec<String> = settings.allow.iter().map(ToString::to_string).collect();
        return Err(refused(format!(
            "signal {name} may not {action}: signals.{name}.allow in the settings is [{}]",
            allow.join(", ")
        )));
    }
    let job = job(app, name, settings.job).await?;
    if job.account.realm == Realm::Live && !settings.live {
        return Err(refused(format!(
            "{} trades with real money, and signal {name} is not for that: signals.{name}.live in the settings is not true",
            JobName::from(&job)
        )));
    }
    Ok(job)
}

async fn job(app: &App, name: &str, id: JobId) -> Result<Job, AppError> {
    let found = jobs::by_ids(&app.pool, &[id]).await?.pop();
    match found {
        Some(Ok(job)) if job.archived_at.is_none() => Ok(job),
        Some(Err((_, error))) => Err(error.into()),
        Some(Ok(_)) | None => {
            let problem = format!("there is no job {id}, which signals.{name}.job in the settings names");
            Err(Message::from(problem).error(ErrorKind::NotFound))
        }
    }
}
