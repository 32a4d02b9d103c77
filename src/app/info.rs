//! What this installation consists of: which build, settings, database, files and processes.

use std::{
    env,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    context::{App, private_options, redacted},
    error::AppError,
    keep::{Elsewhere, elsewhere},
};
use crate::{
    config::{self, Settings},
    domain::Timestamp,
    embedded,
    store::{self, Schema, seen},
    version,
};

/// What this installation consists of.
#[derive(Debug, Serialize)]
pub struct InfoView {
    /// Version of the program.
    pub version: &'static str,
    /// Its commit and that commit's date.
    pub build: &'static str,
    /// The program itself.
    pub program: Option<PathBuf>,
    /// The settings file that was read.
    pub settings: Option<PathBuf>,
    /// Where a settings file was looked for, if none was read.
    pub settings_looked_for: Vec<PathBuf>,
    /// The database.
    pub database: DatabaseView,
    /// Keystore, policy and what else is not in the database.
    pub files: Vec<Elsewhere>,
    /// Which rules of time zones are in use.
    pub time_zones: String,
    /// Processes that work on the database; none if it cannot be asked.
    pub processes: Option<ProcessesView>,
}

/// The database in use.
#[derive(Debug, Serialize)]
pub struct DatabaseView {
    /// Whether it is the private server's.
    pub private: bool,
    /// The private server's directory, or the connection string without its password.
    pub place: String,
    /// Whether it is there; the private one is made when it is first needed.
    pub exists: bool,
    /// The server's version.
    pub server: Option<String>,
    /// What is to be done about its tables.
    pub schema: Option<String>,
    /// Jobs in it, removed ones included.
    pub jobs: Option<i64>,
    /// Trades in it.
    pub trades: Option<i64>,
    /// Why it cannot be used.
    pub problem: Option<String>,
}

/// Processes that were seen.
#[derive(Debug, Serialize)]
pub struct ProcessesView {
    /// Schedulers and daemons that wait for work now; fewer if our role may not see the sessions of others.
    pub schedulers: i64,
    /// Workers that still have a row, newest first.
    pub workers: Vec<WorkerView>,
}

/// A worker process.
#[derive(Debug, Serialize)]
pub struct WorkerView {
    /// Its id.
    pub process: String,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// Its last heartbeat.
    pub last_seen: Timestamp,
    /// Whether that is within the time in which each worker is heard of.
    pub alive: bool,
}

/// The database that a command used, for a user who expected another one.
#[must_use]
pub fn whose(app: &App) -> String {
    match &app.server {
        Some(server) => format!("the private database in {}", server.directory().display()),
        None => format!("the database {}", redacted(&app.url)),
    }
}

/// Whether there is a database to ask, without making one.
#[must_use]
pub fn has_database(settings: &Settings) -> bool {
    place(settings).is_ok_and(|view| view.exists)
}

/// What this installation consists of. Starts the private server if its data is there, and makes none.
///
/// # Errors
/// [`AppError::Settings`] for a variable that is not UTF-8.
pub async fn info(settings: &Settings) -> Result<InfoView, AppError> {
    let (database, processes) = database(settings).await?;
    Ok(InfoView {
        version: version::VERSION,
        build: version::BUILD,
        program: env::current_exe().ok(),
        settings: settings.origin.clone(),
        settings_looked_for: match settings.origin {
            Some(_) => Vec::new(),
            None => config::usual_files().iter().map(|path| absolute(path)).collect(),
        },
        database,
        files: elsewhere(settings)?,
        time_zones: config::zones::in_use().to_string(),
        processes,
    })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

async fn database(settings: &Settings) -> Result<(DatabaseView, Option<ProcessesView>), AppError> {
    let mut view = place(settings)?;
    if !view.exists {
        return Ok((view, None));
    }
    // A database that does not answer is part of the picture.
    match asked(settings, &mut view).await {
        Ok(processes) => Ok((view, processes)),
        Err(error) => {
            view.problem = Some(error.to_string());
            Ok((view, None))
        }
    }
}

fn place(settings: &Settings) -> Result<DatabaseView, AppError> {
    let url = &settings.database.url.0;
    let private = url.is_empty();
    let (exists, place) = if private {
        let (new, place) = embedded::is_new(&private_options(settings))?;
        (!new, absolute(&place).display().to_string())
    } else {
        (true, redacted(url))
    };
    Ok(DatabaseView {
        private,
        place,
        exists,
        server: None,
        schema: None,
        jobs: None,
        trades: None,
        problem: None,
    })
}

async fn asked(settings: &Settings, view: &mut DatabaseView) -> Result<Option<ProcessesView>, AppError> {
    let app = App::unmigrated(settings).await?;
    view.server = Some(seen::server(&app.pool).await?);
    let schema = match store::schema_of(&app.pool).await? {
        Schema::Missing => {
            view.schema = Some("no tables of lgi-mm yet".to_owned());
            return Ok(None);
        }
        Schema::Older(to_run) => format!("older than this version: {to_run} migrations to run"),
        Schema::Current => "up to date".to_owned(),
    };
    view.schema = Some(schema);
    let (jobs, trades) = store::tenants::counts(&app.pool).await?;
    (view.jobs, view.trades) = (Some(jobs), Some(trades));
    let workers = seen::workers(&app.pool)
        .await?
        .into_iter()
        .map(|worker| WorkerView {
            process: worker.process,
            started_at: worker.started_at,
            last_seen: worker.last_seen,
            alive: worker.alive,
        });
    Ok(Some(ProcessesView {
        schedulers: seen::schedulers(&app.pool).await?,
        workers: workers.collect(),
    }))
}
