//! Notification receivers: their state, and a test message. A test opens no database: it is logged at `info` with its
//! actor and has no audit row.

use serde::Serialize;
use tracing::{info, warn};

use super::{actor::Actor, context::App, error::AppError};
use crate::{
    config::Settings,
    domain::{
        config::{InvalidConfig, JobConfig},
        name::nearest,
        notice::ReceiverChoice,
    },
    notify::{Notice, Receiver, Sender},
    store::deliveries,
};

pub use crate::store::deliveries::DeliveryStatus;

/// Message if there are none.
pub const NONE: &str =
    "no receivers: add a section [notify.receivers.NAME] to the settings, as lgi-mm.example.toml shows";

/// A receiver of these settings or of another process.
#[derive(Debug, Serialize)]
pub struct ReceiverView {
    /// Its name.
    pub name: String,
    /// Its kind; none: it is not in these settings.
    pub kind: Option<String>,
    /// Events it receives.
    pub events: Vec<String>,
    /// Who may give commands through it; none: nobody.
    pub commands: Option<String>,
    /// Its messages; `None`: no process has used it yet.
    #[serde(flatten)]
    pub status: Option<DeliveryStatus>,
}

/// A receiver that was sent a test message.
#[derive(Debug, Serialize)]
pub struct Tested {
    /// Its name.
    pub receiver: String,
    /// Whether it accepted the message.
    pub arrived: bool,
    /// What to change in the settings although it arrived.
    pub advice: Option<String>,
    /// Why the receiver rejected it.
    pub error: Option<String>,
}

/// All receivers, those in these settings first.
///
/// # Errors
/// [`AppError`] if the database cannot be read.
pub async fn list(app: &App) -> Result<Vec<ReceiverView>, AppError> {
    let mut statuses = deliveries::statuses(&app.pool).await?;
    let mut rows: Vec<ReceiverView> = app
        .settings
        .notify
        .receivers()
        .into_iter()
        .map(|receiver| ReceiverView {
            status: statuses
                .iter()
                .position(|status| status.name == receiver.name)
                .map(|place| statuses.remove(place)),
            kind: Some(receiver.kind.to_string()),
            events: receiver.events.into(),
            commands: (app.settings.notify.chat.receiver == receiver.name)
                .then(|| app.settings.notify.chat.summary()),
            name: receiver.name,
        })
        .collect();
    // Receivers of other processes, and messages whose receiver was removed.
    rows.extend(statuses.into_iter().map(|status| ReceiverView {
        name: status.name.clone(),
        kind: None,
        events: Vec::new(),
        commands: None,
        status: Some(status),
    }));
    Ok(rows)
}

/// Refuses names of receivers that neither these settings nor any process has: a message to them is never sent.
///
/// # Errors
/// [`AppError::Usage`] names them, with the known name that is spelt most like each.
pub(in crate::app) async fn check_named(app: &App, config: &JobConfig) -> Result<(), AppError> {
    let own = own(&app.settings);
    if unknown(config, &own).is_empty() {
        return Ok(());
    }
    refuse_unknown(config, own, elsewhere(app).await?)
}

/// The same without a database at hand: it is opened only for names that these settings do not have. Without one, a
/// receiver of another process is not known.
///
/// # Errors
/// As [`check_named`].
pub(in crate::app) async fn check_named_in(settings: &Settings, config: &JobConfig) -> Result<(), AppError> {
    let own = own(settings);
    if unknown(config, &own).is_empty() {
        return Ok(());
    }
    let asked = match App::if_there(settings).await {
        Ok(Some(app)) => elsewhere(&app).await,
        Ok(None) => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let others = asked.unwrap_or_else(|error| {
        warn!(%error, "receivers of other processes are not known: the database cannot be read");
        Vec::new()
    });
    refuse_unknown(config, own, others)
}

fn own(settings: &Settings) -> Vec<String> {
    settings.notify.receivers.keys().cloned().collect()
}

/// Those of all processes.
async fn elsewhere(app: &App) -> Result<Vec<String>, AppError> {
    let statuses = deliveries::statuses(&app.pool).await?;
    Ok(statuses.into_iter().map(|status| status.name).collect())
}

/// The names in a configuration that are not among these.
fn unknown<'a>(config: &'a JobConfig, known: &[String]) -> Vec<&'a String> {
    let ReceiverChoice::Only(named) = &config.notify.receivers else {
        return Vec::new();
    };
    named.iter().filter(|name| !known.contains(name)).collect()
}

fn refuse_unknown(
    config: &JobConfig,
    mut known: Vec<String>,
    elsewhere: Vec<String>,
) -> Result<(), AppError> {
    known.extend(elsewhere);
    known.sort_unstable();
    known.dedup();
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let wrong = unknown(config, &known).into_iter().map(|name| InvalidConfig {
        key: "notify.receivers".to_owned(),
        value: Some(name.clone()),
        allowed: allowed(name, &names),
    });
    let wrong: Vec<InvalidConfig> = wrong.collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(AppError::Config(wrong)),
    }
}

fn allowed(name: &str, known: &[&str]) -> String {
    let there = match known {
        [] => "there are none".to_owned(),
        known => format!("there are {}", known.join(", ")),
    };
    let near = nearest(name, known).map(|near| format!("; did you mean {near}?"));
    format!(
        "no receiver has this name{} {there}. `all` is every receiver; a new one is a section [notify.receivers.{name}] in the \
         settings",
        near.as_deref().unwrap_or(":")
    )
}

/// Sends a test message to the receiver called `name`, or to all.
///
/// # Errors
/// [`AppError::Usage`] if there is no such receiver. One that rejects the message is part of the answer.
pub async fn test(settings: &Settings, name: Option<&str>, actor: &Actor) -> Result<Vec<Tested>, AppError> {
    let mut receivers = settings.notify.receivers();
    if receivers.is_empty() {
        return Err(AppError::Usage(NONE.to_owned()));
    }
    if let Some(name) = name {
        let names: Vec<String> = receivers.iter().map(|receiver| receiver.name.clone()).collect();
        receivers.retain(|receiver| receiver.name == *name);
        if receivers.is_empty() {
            let names = names.join(", ");
            return Err(AppError::Usage(format!(
                "there is no receiver '{name}'; known receivers: {names}"
            )));
        }
    }
    let sender = Sender::new(settings.notify.timeout)
        .map_err(|error| AppError::Network(format!("the HTTP client cannot be made: {error}")))?;
    let tests = receivers.iter().map(|receiver| send(&sender, receiver));
    let tested = futures::future::join_all(tests).await;
    for one in &tested {
        info!(
            actor = actor.as_str(),
            receiver = one.receiver,
            arrived = one.arrived,
            "test message sent"
        );
    }
    Ok(tested)
}

async fn send(sender: &Sender, receiver: &Receiver) -> Tested {
    let notice = Notice::test(&receiver.name, chrono::Utc::now());
    let (advice, error) = match sender.send(receiver, &notice).await {
        Ok(delivered) => (delivered.advice, None),
        Err(failed) => (None, Some(failed.error)),
    };
    Tested {
        receiver: receiver.name.clone(),
        arrived: error.is_none(),
        advice,
        error,
    }
}
