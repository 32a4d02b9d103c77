//! The systemd unit that keeps this installation running.

use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};
use serde::{Serialize, Serializer};

use super::{
    error::{AppError, ErrorKind},
    keep::elsewhere,
    message::{Field, Message, message},
    whole::shown,
};
use crate::{
    config::{self, Settings},
    embedded,
    systemd::{Control, Found, Unit, environment_text, found, install, remove},
};

pub use crate::systemd::Scope;

/// The unit's name.
const NAME: &str = "lgi-mm.service";
/// The name of its environment, next to it.
const ENVIRONMENT: &str = "lgi-mm.env";
/// What a stop needs beyond the tasks that still run: the server, the last messages.
const STOP_MARGIN_SECS: u64 = 30;
/// With a longer data directory the socket's path would be too long; the socket is then in /run.
const SHORT_PATH: usize = 70;

/// The unit that a request means.
#[derive(Debug, Clone)]
pub struct UnitRequest {
    /// `None`: the machine's manager for root, else the user's own.
    pub scope: Option<Scope>,
    /// Directory of the unit, if not the manager's usual one.
    pub directory: Option<PathBuf>,
    /// Replace or remove a unit that was changed by hand.
    pub force: bool,
}

/// A unit as it would be written.
#[derive(Debug, Serialize)]
pub struct UnitText {
    /// Its file.
    pub unit: PathBuf,
    /// Its text.
    pub text: String,
    /// The file of its environment.
    pub environment: Option<PathBuf>,
    /// Names of the variables in it; values may be secret.
    pub variables: Vec<String>,
}

/// What was done.
#[derive(Debug, Serialize)]
pub struct UnitDone {
    /// The unit's file.
    pub unit: PathBuf,
    /// The file of its environment.
    pub environment: Option<PathBuf>,
    /// Whether it runs now.
    pub started: bool,
    /// What is to be known or done.
    pub remarks: Vec<Message>,
}

/// How the unit is.
#[derive(Debug, Serialize)]
pub struct UnitStatus {
    /// The user's manager or the machine's.
    #[serde(serialize_with = "shown_scope")]
    pub scope: Scope,
    /// The unit's file.
    pub unit: PathBuf,
    /// Whether it is there, and as this configuration would write it.
    pub file: String,
    /// What systemd says: whether it runs.
    pub active: Option<String>,
    /// Whether it starts with the machine or the user.
    pub enabled: Option<String>,
    /// Whether a user's unit runs while the user is not logged in.
    pub lingers: Option<bool>,
}

fn shown_scope<S: Serializer>(scope: &Scope, serializer: S) -> Result<S::Ok, S::Error> {
    shown(scope, serializer)
}

/// A unit, and where its files are.
struct Planned {
    unit: Unit,
    path: PathBuf,
    environment: PathBuf,
    variables: Vec<(String, String)>,
}

/// The unit that this configuration needs.
///
/// # Errors
/// [`AppError`] if the paths of this installation are not known.
pub fn text(settings: &Settings, request: &UnitRequest) -> Result<UnitText, AppError> {
    let planned = planned(settings, request)?;
    Ok(UnitText {
        text: planned.unit.text(),
        environment: planned.unit.environment.clone(),
        unit: planned.path,
        variables: planned.variables.into_iter().map(|(name, _)| name).collect(),
    })
}

/// Writes the unit and, unless `start` is false, starts it.
///
/// # Errors
/// [`AppError::Advised`] for a unit that was changed by hand; an error of systemd or of a file.
pub fn installed(settings: &Settings, request: &UnitRequest, start: bool) -> Result<UnitDone, AppError> {
    let planned = planned(settings, request)?;
    refuse_changed(&planned, request)?;
    if planned.unit.scope == Scope::System {
        for dir in &planned.unit.writes {
            made(dir)?;
        }
    }
    let text = environment_text(&planned.variables);
    let environment = planned
        .unit
        .environment
        .as_deref()
        .map(|path| (path, text.as_str()));
    install(&planned.path, &planned.unit.text(), environment)
        .map_err(|source| not_installed(request, &planned.path, source))?;
    let control = Control::new(planned.unit.scope);
    if start {
        control.start(NAME).map_err(|said| {
            let said = format!(
                "{} is written, but not started: {said}; is systemd running here? Start it by hand, or run the daemon another way",
                planned.path.display()
            );
            message![said].error(ErrorKind::Problems)
        })?;
    }
    Ok(UnitDone {
        remarks: remarks(settings, &planned)?,
        environment: planned.unit.environment,
        unit: planned.path,
        started: start,
    })
}

/// Stops and removes the unit; nothing else.
///
/// # Errors
/// [`AppError::NotFound`] if there is none; as [`installed`].
pub fn removed(settings: &Settings, request: &UnitRequest) -> Result<UnitDone, AppError> {
    let planned = planned(settings, request)?;
    if found(&planned.path, "").map_err(io(&planned.path))? == Found::Nothing {
        return Err(AppError::NotFound(format!(
            "there is no {}",
            planned.path.display()
        )));
    }
    refuse_changed(&planned, request)?;
    let control = Control::new(planned.unit.scope);
    // Where systemd does not run, there is nothing to stop.
    let runs = control.state(NAME).is_some();
    if runs {
        control.stop(NAME).map_err(AppError::Internal)?;
    }
    remove(&planned.path, &planned.environment).map_err(io(&planned.path))?;
    if runs {
        control.reload().map_err(AppError::Internal)?;
    }
    Ok(UnitDone {
        unit: planned.path,
        environment: None,
        started: false,
        remarks: Vec::new(),
    })
}

/// How the unit is.
///
/// # Errors
/// [`AppError::Io`].
pub fn status(settings: &Settings, request: &UnitRequest) -> Result<UnitStatus, AppError> {
    let planned = planned(settings, request)?;
    let file = match found(&planned.path, &planned.unit.text()).map_err(io(&planned.path))? {
        Found::Nothing => "not installed",
        Found::Same => "up to date",
        Found::Older => "written for other settings or another version; install it again",
        Found::Changed => "changed by hand",
    };
    let state = Control::new(planned.unit.scope).state(NAME);
    Ok(UnitStatus {
        scope: planned.unit.scope,
        unit: planned.path,
        file: file.to_owned(),
        active: state.as_ref().map(|state| state.active.clone()),
        enabled: state.map(|state| state.enabled),
        lingers: lingers(planned.unit.scope),
    })
}

fn planned(settings: &Settings, request: &UnitRequest) -> Result<Planned, AppError> {
    let root = Uid::effective().is_root();
    let scope = request
        .scope
        .unwrap_or(if root { Scope::System } else { Scope::User });
    let directory = match (&request.directory, scope) {
        (Some(directory), _) => absolute(directory)?,
        (None, Scope::System) => PathBuf::from("/etc/systemd/system"),
        (None, Scope::User) => config::user_unit_dir().ok_or_else(|| {
            AppError::Usage("HOME is not set, so there is no place for a user's unit".to_owned())
        })?,
    };
    let here = std::env::current_dir().map_err(io(Path::new(".")))?;
    let files = elsewhere(settings)?;
    let data = PathBuf::from(&settings.database.data_dir);
    let in_settings = settings.origin.as_deref().and_then(Path::parent) == Some(&*here);
    let relative = files.iter().any(|file| file.path.is_relative())
        || (data.is_relative() && !data.as_os_str().is_empty());
    let home = config::home();
    let variables = config::service_environment()?;
    let environment = directory.join(ENVIRONMENT);
    let program = std::env::current_exe().map_err(io(Path::new("the program itself")))?;
    Ok(Planned {
        path: directory.join(NAME),
        unit: Unit {
            scope,
            program,
            settings: settings.origin.clone(),
            directory: match &home {
                Some(home) if !(in_settings || relative) => home.clone(),
                _ => here,
            },
            home: home.filter(|_| scope == Scope::System),
            environment: (!variables.is_empty()).then(|| environment.clone()),
            writes: writes(settings)?,
            stop: settings.worker.grace.std() + std::time::Duration::from_secs(STOP_MARGIN_SECS),
            private_server: settings.database.url.0.is_empty(),
        },
        environment,
        variables,
    })
}

/// The private server's data and the journal of signatures.
fn writes(settings: &Settings) -> Result<Vec<PathBuf>, AppError> {
    let mut paths = Vec::new();
    if settings.database.url.0.is_empty() {
        let dir = &settings.database.data_dir;
        let data = if dir.is_empty() {
            embedded::default_data_dir()?
        } else {
            absolute(Path::new(dir))?
        };
        if data.as_os_str().len() > SHORT_PATH {
            paths.push(PathBuf::from("/run"));
        }
        paths.push(data);
    }
    let journal = settings.policy()?.journal().dir().to_owned();
    if !journal.as_os_str().is_empty() {
        paths.push(absolute(&journal)?);
    }
    Ok(paths)
}

fn refuse_changed(planned: &Planned, request: &UnitRequest) -> Result<(), AppError> {
    let found = found(&planned.path, &planned.unit.text())
        .map_err(|source| not_installed(request, &planned.path, source))?;
    if found != Found::Changed || request.force {
        return Ok(());
    }
    Err(message![
        format!("{} was changed by hand; compare it with ", planned.path.display()),
        Field::Print,
        ", then give ",
        Field::Force,
        " to do without its changes",
    ]
    .refused())
}

fn remarks(settings: &Settings, planned: &Planned) -> Result<Vec<Message>, AppError> {
    let mut remarks = Vec::new();
    if lingers(planned.unit.scope) == Some(false) {
        let user = user();
        remarks.push(message![format!(
            "it stops when you log out: `loginctl enable-linger {user}` keeps it running, and starts it with the machine"
        )]);
    }
    let keys = settings.keys()?;
    let encrypted = keys.dir.read_dir().is_ok_and(|mut files| files.next().is_some());
    if encrypted && keys.password_file.is_none() {
        remarks.push(message![
            "a service cannot ask for the keystore's password: set wallet.password_file in the settings, or live jobs do not trade"
        ]);
    }
    Ok(remarks)
}

fn lingers(scope: Scope) -> Option<bool> {
    (scope == Scope::User)
        .then(|| Control::lingers(&user()))
        .flatten()
}

fn user() -> String {
    let uid = Uid::effective();
    User::from_uid(uid)
        .ok()
        .flatten()
        .map_or_else(|| uid.to_string(), |user| user.name)
}

/// A directory for us alone, if it is not there: what a unit may write must be there when it starts.
fn made(dir: &Path) -> Result<(), AppError> {
    use std::os::unix::fs::DirBuilderExt;

    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(dir).map_err(io(dir))
}

fn absolute(path: &Path) -> Result<PathBuf, AppError> {
    std::path::absolute(path).map_err(io(path))
}

/// A directory that was named is the mistake of who named it.
fn not_installed(request: &UnitRequest, path: &Path, source: std::io::Error) -> AppError {
    match &request.directory {
        None => io(path)(source),
        Some(directory) => message![
            Field::Dir,
            format!(
                " {}: {source}; give a directory that can be made and written",
                directory.display()
            )
        ]
        .bad_input(),
    }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> AppError + use<> {
    let what = path.display().to_string();
    move |source| AppError::Io { what, source }
}
