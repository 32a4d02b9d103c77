//! `notify`: the receivers, their waiting messages, and a test message.

use clap::{Args, Subcommand};

use super::{
    out::{Out, table},
    target::actor,
};
use crate::{
    app::{
        App, AppError,
        receivers::{self, NONE, ReceiverView, Tested},
    },
    config::Settings,
};

#[derive(Debug, Subcommand)]
pub(super) enum NotifyCommand {
    /// List receivers with their waiting and failed messages
    List,
    /// Send a test message to a receiver, or to all
    Test(TestArgs),
}

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// Name of the receiver in the settings [default: all]
    receiver: Option<String>,
}

pub(super) async fn run(settings: &Settings, out: Out, command: &NotifyCommand) -> Result<(), AppError> {
    match command {
        NotifyCommand::List => list(settings, out).await,
        NotifyCommand::Test(args) => test(settings, out, args).await,
    }
}

async fn list(settings: &Settings, out: Out) -> Result<(), AppError> {
    let rows = receivers::list(&App::read(settings).await?).await?;
    out.show(&rows, |rows| {
        if rows.is_empty() {
            return NONE.to_owned();
        }
        let header = [
            "receiver", "kind", "events", "waiting", "accepted", "given up", "now",
        ];
        let table = table(&header, rows.iter().map(cells));
        let commands = rows.iter().filter_map(|row| row.commands.as_ref());
        let commands: String = commands
            .map(|may| format!("\ncommands from a chat: {may}"))
            .collect();
        format!("{table}\naccepted and given up: in the last 24 hours{commands}")
    })
}

fn cells(row: &ReceiverView) -> Vec<String> {
    let kind = row
        .kind
        .clone()
        .unwrap_or_else(|| "not in these settings".to_owned());
    let mut cells = vec![row.name.clone(), kind, row.events.join(", ")];
    let Some(status) = &row.status else {
        let unknown = "not used by a daemon or scheduler yet".to_owned();
        cells.extend([String::new(), String::new(), String::new(), unknown]);
        return cells;
    };
    let error = status.last_error.as_deref().unwrap_or_default();
    cells.extend([
        status.waiting.to_string(),
        status.delivered_today.to_string(),
        status.given_up_today.to_string(),
        match status.failures {
            0 if row.kind.is_none() => "-".to_owned(),
            0 => match &status.given_up_error {
                Some(error) => format!("well; the last one given up: {error}"),
                None => "well".to_owned(),
            },
            failures => format!("{failures} consecutive failures: {error}"),
        },
    ]);
    cells
}

async fn test(settings: &Settings, out: Out, args: &TestArgs) -> Result<(), AppError> {
    let tested = receivers::test(settings, args.receiver.as_deref(), &actor()).await?;
    out.show(&tested, |tested| {
        tested.iter().map(tested_line).collect::<Vec<_>>().join("\n")
    })?;
    match tested.iter().filter(|one| !one.arrived).count() {
        0 => Ok(()),
        failed => Err(AppError::Network(format!(
            "{failed} of {} receivers did not accept the message",
            tested.len()
        ))),
    }
}

fn tested_line(one: &Tested) -> String {
    match (&one.error, &one.advice) {
        (None, None) => format!("{}: accepted the message", one.receiver),
        (None, Some(advice)) => format!("{}: accepted the message, but {advice}", one.receiver),
        (Some(error), _) => format!("{}: {error}", one.receiver),
    }
}
