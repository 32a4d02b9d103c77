//! `service`: a systemd unit that keeps the daemon running.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::{out::Out, wording::CommandLine};
use crate::{
    app::{
        App, AppError,
        unit::{self, Scope, UnitDone, UnitRequest, UnitStatus, UnitText},
    },
    config::Settings,
};

#[derive(Debug, Subcommand)]
pub(super) enum ServiceCommand {
    /// Write a systemd unit for this configuration, and start it
    Install(InstallArgs),
    /// Show whether the unit is installed, up to date and running
    Status(UnitArgs),
    /// Stop and remove the unit; database, keys and settings stay
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
pub(super) struct UnitArgs {
    /// A unit of your own user; the default unless you are root
    #[arg(long, conflicts_with = "system")]
    user: bool,
    /// A unit of the machine; the default if you are root
    #[arg(long)]
    system: bool,
    /// Directory of the unit [default: ~/.config/systemd/user, or /etc/systemd/system]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct InstallArgs {
    #[command(flatten)]
    unit: UnitArgs,
    /// Only print the unit
    #[arg(long)]
    print: bool,
    /// Write the unit without starting it
    #[arg(long)]
    no_start: bool,
    /// Replace a unit that was changed by hand
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    #[command(flatten)]
    unit: UnitArgs,
    /// Remove a unit that was changed by hand
    #[arg(long)]
    force: bool,
}

impl UnitArgs {
    fn request(&self, force: bool) -> UnitRequest {
        UnitRequest {
            scope: match (self.user, self.system) {
                (true, _) => Some(Scope::User),
                (_, true) => Some(Scope::System),
                _ => None,
            },
            directory: self.dir.clone(),
            force,
        }
    }
}

pub(super) async fn run(settings: &Settings, out: Out, command: &ServiceCommand) -> Result<(), AppError> {
    match command {
        ServiceCommand::Install(args) => {
            let request = args.unit.request(args.force);
            if args.print {
                return out.show(&unit::text(settings, &request)?, printed);
            }
            // Whatever keeps the daemon from starting is an error here rather than in its log. Also makes the private
            // database.
            drop(App::serve(settings, None).await?);
            let done = unit::installed(settings, &request, !args.no_start)?;
            out.show(&written(done), installed)
        }
        ServiceCommand::Status(args) => out.show(&unit::status(settings, &args.request(false))?, status),
        ServiceCommand::Remove(args) => {
            let done = unit::removed(settings, &args.unit.request(args.force))?;
            out.show(&written(done), removed)
        }
    }
}

fn written(mut done: UnitDone) -> UnitDone {
    for remark in &mut done.remarks {
        remark.write(&CommandLine);
    }
    done
}

fn printed(unit: &UnitText) -> String {
    unit.text.clone()
}

fn installed(done: &UnitDone) -> String {
    let mut text = format!("{} written", done.unit.display());
    if let Some(environment) = &done.environment {
        text.push_str(&format!(", its environment in {}", environment.display()));
    }
    text.push_str(if done.started {
        "; it runs now\n"
    } else {
        "; not started\n"
    });
    text + &remarks(done)
}

fn removed(done: &UnitDone) -> String {
    format!(
        "{} removed; database, keys and settings are still there\n{}",
        done.unit.display(),
        remarks(done)
    )
}

fn remarks(done: &UnitDone) -> String {
    done.remarks
        .iter()
        .map(|remark| format!("note: {remark}\n"))
        .collect()
}

fn status(status: &UnitStatus) -> String {
    let unknown = || "unknown: systemd does not answer".to_owned();
    let mut text = format!(
        "unit     {} ({})\nfile     {}\nrunning  {}\nstarts   {}\n",
        status.unit.display(),
        status.scope,
        status.file,
        status.active.clone().unwrap_or_else(unknown),
        status.enabled.clone().unwrap_or_else(unknown),
    );
    if status.lingers == Some(false) {
        text.push_str("note: it stops when you log out; `loginctl enable-linger` keeps it running\n");
    }
    text
}
