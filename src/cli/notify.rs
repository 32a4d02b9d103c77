//! `notify`: who is told, what waits, and a message to see whether it arrives.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{App, AppError, Out, out::table};
use crate::{
    config::Settings,
    notify::{Notice, Receiver, Sender},
    store::deliveries::{self, DeliveryStatus},
};

#[derive(Debug, Subcommand)]
pub(super) enum NotifyCommand {
    /// Receivers, what waits for them, and which of them fail
    List,
    /// Send a test message to a receiver, or to all
    Test(TestArgs),
}

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// Its name in the settings
    receiver: Option<String>,
}

pub(super) async fn run(settings: &Settings, out: Out, command: &NotifyCommand) -> Result<(), AppError> {
    match command {
        NotifyCommand::List => list(settings, out).await,
        NotifyCommand::Test(args) => test(settings, out, args).await,
    }
}

const NONE: &str =
    "no receivers: add a section [notify.receivers.NAME] to the settings, as lgi-mm.example.toml shows";

#[derive(Serialize)]
struct Row {
    name: String,
    kind: Option<String>,
    events: Vec<String>,
    #[serde(flatten)]
    status: Option<DeliveryStatus>,
}

async fn list(settings: &Settings, out: Out) -> Result<(), AppError> {
    let world = App::read(settings).await?;
    let mut statuses = deliveries::statuses(&world.pool).await?;
    let mut rows: Vec<Row> = settings
        .notify
        .receivers()
        .into_iter()
        .map(|receiver| Row {
            status: statuses
                .iter()
                .position(|status| status.name == receiver.name)
                .map(|place| statuses.remove(place)),
            kind: Some(receiver.kind.to_string()),
            events: receiver.events.into(),
            name: receiver.name,
        })
        .collect();
    // Receivers of other processes, and messages whose receiver is gone.
    rows.extend(statuses.into_iter().map(|status| Row {
        name: status.name.clone(),
        kind: None,
        events: Vec::new(),
        status: Some(status),
    }));
    out.show(&rows, |rows| {
        if rows.is_empty() {
            return NONE.to_owned();
        }
        let header = [
            "receiver", "kind", "events", "waiting", "taken", "given up", "now",
        ];
        let table = table(&header, rows.iter().map(cells));
        format!("{table}\ntaken and given up: in the last 24 hours")
    })
}

fn cells(row: &Row) -> Vec<String> {
    let kind = row
        .kind
        .clone()
        .unwrap_or_else(|| "not in these settings".to_owned());
    let mut cells = vec![row.name.clone(), kind, row.events.join(", ")];
    let Some(status) = &row.status else {
        let untold = "no daemon or scheduler has had it yet".to_owned();
        cells.extend([String::new(), String::new(), String::new(), untold]);
        return cells;
    };
    let error = status.last_error.as_deref().unwrap_or_default();
    cells.extend([
        status.waiting.to_string(),
        status.delivered_today.to_string(),
        status.given_up_today.to_string(),
        match status.failures {
            0 if row.kind.is_none() => "-".to_owned(),
            0 => "well".to_owned(),
            failures => format!("{failures} failures in a row: {error}"),
        },
    ]);
    cells
}

#[derive(Serialize)]
struct Tested {
    receiver: String,
    arrived: bool,
    error: Option<String>,
}

async fn test(settings: &Settings, out: Out, args: &TestArgs) -> Result<(), AppError> {
    let mut receivers = settings.notify.receivers();
    if receivers.is_empty() {
        return Err(AppError::Usage(NONE.to_owned()));
    }
    if let Some(name) = &args.receiver {
        let names: Vec<String> = receivers.iter().map(|receiver| receiver.name.clone()).collect();
        receivers.retain(|receiver| receiver.name == *name);
        if receivers.is_empty() {
            let names = names.join(", ");
            return Err(AppError::Usage(format!(
                "there is no receiver '{name}'; there are: {names}"
            )));
        }
    }
    let sender = Sender::new(settings.notify.timeout)
        .map_err(|error| AppError::Network(format!("the HTTP client cannot be made: {error}")))?;
    let tests = receivers.iter().map(|receiver| tell(&sender, receiver));
    let tested = futures::future::join_all(tests).await;
    let failed = tested.iter().filter(|tested| !tested.arrived).count();
    out.show(&tested, |tested| {
        let lines = tested.iter().map(|one| match &one.error {
            None => format!("{}: it took the message", one.receiver),
            Some(error) => format!("{}: {error}", one.receiver),
        });
        lines.collect::<Vec<_>>().join("\n")
    })?;
    if failed == 0 {
        Ok(())
    } else {
        Err(AppError::Network(format!(
            "{failed} of {} receivers did not take the message",
            tested.len()
        )))
    }
}

async fn tell(sender: &Sender, receiver: &Receiver) -> Tested {
    let notice = Notice::test(&receiver.name, chrono::Utc::now());
    let error = sender
        .send(receiver, &notice)
        .await
        .err()
        .map(|failed| failed.error);
    Tested {
        receiver: receiver.name.clone(),
        arrived: error.is_none(),
        error,
    }
}
