//! `info`: what this installation consists of.

use super::out::{Look, Out, counted, moment, when};
use crate::{
    app::{
        AppError,
        info::{self, InfoView},
    },
    config::Settings,
};

pub(super) async fn run(settings: &Settings, out: Out) -> Result<(), AppError> {
    out.show(&info::info(settings).await?, text)
}

fn text(view: &InfoView) -> String {
    let mut lines: Vec<(&str, String)> = vec![("version", format!("{} ({})", view.version, view.build))];
    if let Some(program) = &view.program {
        lines.push(("program", program.display().to_string()));
    }
    lines.push(("settings", settings(view)));
    lines.extend(database(view));
    for file in &view.files {
        // The settings have a line of their own.
        if file.what != "settings" {
            let there = if file.there { "" } else { " (not there)" };
            lines.push((file.what, format!("{}{there}", file.path.display())));
        }
    }
    lines.push(("time zones", view.time_zones.clone()));
    lines.extend(processes(view));
    let widest = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let look = Look::current();
    lines
        .iter()
        .map(|(name, value)| {
            let value = look.wrapped(value, widest.saturating_add(2));
            format!("{name:widest$}  {value}\n")
        })
        .collect()
}

fn settings(view: &InfoView) -> String {
    match &view.settings {
        Some(path) => path.display().to_string(),
        None => {
            let looked: Vec<String> = view
                .settings_looked_for
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            format!("no file; looked for {}", looked.join(", "))
        }
    }
}

fn database(view: &InfoView) -> Vec<(&'static str, String)> {
    let database = &view.database;
    let kind = if database.private { "private server, " } else { "" };
    let missing = if database.exists {
        ""
    } else {
        " (not made yet: the first command that needs it makes it)"
    };
    let mut lines = vec![("database", format!("{kind}{}{missing}", database.place))];
    if let Some(problem) = &database.problem {
        lines.push(("", format!("cannot be used: {problem}")));
    }
    if let Some(server) = &database.server {
        let schema = database.schema.as_deref().unwrap_or("unknown");
        lines.push(("", format!("PostgreSQL {server}, tables {schema}")));
    }
    if let (Some(jobs), Some(trades)) = (database.jobs, database.trades) {
        lines.push((
            "",
            format!("{}, {}", counted(jobs, "job"), counted(trades, "trade")),
        ));
    }
    lines
}

fn processes(view: &InfoView) -> Vec<(&'static str, String)> {
    let Some(processes) = &view.processes else {
        return vec![("processes", "unknown".to_owned())];
    };
    let schedulers = match processes.schedulers {
        0 => "no scheduler is running; start `lgi-mm daemon`".to_owned(),
        1 => "1 scheduler is running".to_owned(),
        more => format!("{more} schedulers are running"),
    };
    let mut lines = vec![("processes", schedulers)];
    if processes.workers.is_empty() {
        lines.push(("", "no worker was seen".to_owned()));
    }
    for worker in &processes.workers {
        let state = if worker.alive {
            "is running"
        } else {
            "was last seen"
        };
        lines.push((
            "",
            format!(
                "worker {} {state}: {} UTC, started {} UTC",
                worker.process,
                moment(worker.last_seen),
                when(worker.started_at)
            ),
        ));
    }
    lines
}
