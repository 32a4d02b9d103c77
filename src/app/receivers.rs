//! Notification receivers: their state, and a test message. A test opens no database: it is logged at `info` with its
//! actor and has no audit row.

use serde::Serialize;
use tracing::info;

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
    let ReceiverChoice::Only(named) = &config.notify.receivers else {
        return Ok(());
    };
    let own = app.settings.notify.receivers.keys();
    let mut known: Vec<String> = own.cloned().collect();
    if named.iter().all(|name| known.contains(name)) {
        return Ok(());
    }
    let elsewhere = deliveries::statuses(&app.pool).await?;
    known.extend(elsewhere.into_iter().map(|status| status.name));
    known.sort_unstable();
    known.dedup();
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let unknown = named.iter().filter(|name| !known.contains(name));
    let wrong = unknown.map(|name| InvalidConfig {
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
