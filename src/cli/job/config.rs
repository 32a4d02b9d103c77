//! `config show|edit|check|keys`.

use std::{
    fs::OpenOptions,
    io::{IsTerminal, Write, stdin},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use clap::Subcommand;
use serde::Serialize;
use serde_json::Value;

use crate::{
    app::{
        App, AppError, Target,
        jobs::config::{self, CheckRequest, EditRequest, Edited},
    },
    cli::{
        mode::ModeArg,
        out::{Out, table},
        target::{TargetArgs, actor},
    },
    config::{JobLayers, PASSWORD_VARIABLE, Settings, UNSAFE_KEY_VARIABLE},
    domain::{config::JobConfig, job::Realm},
};

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print a job's configuration as TOML
    Show(TargetArgs),
    /// Change a job's configuration from the next slot on
    Edit {
        #[command(flatten)]
        target: TargetArgs,
        /// Read keys from this file
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Set one key
        #[arg(long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// Check a configuration file without changing anything
    Check {
        /// File to check
        file: PathBuf,
        /// Check it for a job of this mode
        #[arg(long, value_enum)]
        mode: ModeArg,
        /// Check it for a live job, with the floors for real money
        #[arg(long)]
        live: bool,
        /// Chain of the job
        #[arg(long, default_value = "base")]
        chain: String,
    },
    /// List every key with its meaning and default
    Keys,
}

pub async fn run(settings: &Settings, out: Out, command: &ConfigCommand) -> Result<(), AppError> {
    match command {
        ConfigCommand::Show(target) => {
            let app = App::read(settings).await?;
            let stored = config::show(&app, &target.into()).await?;
            out.show(&json(&stored.config), render)
        }
        ConfigCommand::Edit { target, config, set } => {
            let app = App::open(settings).await?;
            let edited = edit(&app, out, target, config.as_deref(), set).await?;
            out.show(&edited, |edited| match edited.config_version {
                Some(version) => {
                    format!(
                        "job {}: configuration version {version}; it applies from the next slot",
                        edited.job
                    )
                }
                None => "nothing changed".to_owned(),
            })
        }
        ConfigCommand::Check {
            file,
            mode,
            live,
            chain,
        } => {
            let request = CheckRequest {
                given: JobLayers::of_job().file(Some(file))?,
                mode: (*mode).into(),
                realm: if *live { Realm::Live } else { Realm::Paper },
                chain: chain.clone(),
            };
            let checked = config::check(settings, request)?;
            out.show(&json(&checked), |_| {
                format!(
                    "{} is a valid configuration for mode {}",
                    file.display(),
                    checked.mode
                )
            })
        }
        ConfigCommand::Keys => out.show(&config::keys(), |keys| {
            let cells = keys
                .iter()
                .map(|key| vec![key.key.to_owned(), toml(&key.default), key.about.to_owned()]);
            table(&["key", "default", "meaning"], cells)
        }),
    }
}

async fn edit(
    app: &App,
    out: Out,
    target: &TargetArgs,
    file: Option<&Path>,
    set: &[String],
) -> Result<Edited, AppError> {
    if file.is_some() || !set.is_empty() {
        let given = JobLayers::of_job().file(file)?.assignments(set, "--set")?;
        return submit(app, target.into(), given, None).await;
    }
    let stored = config::show(app, &target.into()).await?;
    let scratch = in_editor(&stored.config)?;
    let edited = match JobLayers::of_job().file(Some(&scratch)) {
        // The job that was shown, whatever the text of the target means by now.
        Ok(given) => {
            let shown = Target::anywhere(&format!("#{}", stored.job));
            submit(app, shown, given, Some(stored.version)).await
        }
        Err(error) => Err(error.into()),
    };
    match edited {
        // Its text is now in the database; a leftover file does no harm.
        Ok(_) => {
            let _ = std::fs::remove_file(scratch);
        }
        Err(_) => {
            let saved = scratch.display();
            out.remark(&format!(
                "your edit is saved in {saved}; correct it, then run `config edit --config {saved}`"
            ));
        }
    }
    edited
}

async fn submit(
    app: &App,
    target: Target,
    given: JobLayers,
    version: Option<i32>,
) -> Result<Edited, AppError> {
    let request = EditRequest {
        target,
        given,
        version,
    };
    config::edit(app, &request, &actor()).await
}

/// Opens the configuration in `$EDITOR`.
fn in_editor(config: &JobConfig) -> Result<PathBuf, AppError> {
    if !stdin().is_terminal() {
        return Err(AppError::Usage(
            "nothing to change: give --set key=value or --config FILE".to_owned(),
        ));
    }
    let path = std::env::temp_dir().join(format!("lgi-mm-config-{}.toml", ulid::Ulid::generate()));
    let io = |source| AppError::Io {
        what: path.display().to_string(),
        source,
    };
    // A new file that only this user can read: another user cannot put one in its place.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(io)?;
    file.write_all(render(&json(config)).as_bytes()).map_err(io)?;
    drop(file);
    let editor = std::env::var("EDITOR").unwrap_or_else(|_| "vi".to_owned());
    // EDITOR may have arguments, such as `code --wait`.
    let mut words = editor.split_whitespace();
    let status = Command::new(words.next().unwrap_or("vi"))
        .args(words)
        .arg(&path)
        .env_remove(PASSWORD_VARIABLE)
        .env_remove(UNSAFE_KEY_VARIABLE)
        .status();
    if status.as_ref().is_ok_and(ExitStatus::success) {
        return Ok(path);
    }
    // The user never sees its name, so a leftover would never be cleaned up.
    let _ = std::fs::remove_file(&path);
    Err(AppError::Usage(match status {
        Ok(status) => format!("{editor} ended with {status}; nothing changed"),
        Err(error) => format!("EDITOR={editor} cannot be run: {error}; set EDITOR, or give --set"),
    }))
}

/// The configuration with keys sorted by name.
fn json(value: &impl Serialize) -> Value {
    // A configuration is plain data: it always serialises.
    serde_json::to_value(value).unwrap_or_default()
}

/// A configuration as TOML that can be read back.
pub fn render(config: &Value) -> String {
    let mut text = String::new();
    section(config, "", &mut text);
    text
}

fn section(value: &Value, name: &str, text: &mut String) {
    let Some(table) = value.as_object() else { return };
    let leaves: Vec<String> = table
        .iter()
        .filter(|(_, value)| !value.is_object() && !value.is_null())
        .map(|(key, value)| format!("{key} = {}\n", toml(value)))
        .collect();
    if !leaves.is_empty() {
        if !name.is_empty() {
            text.push_str(&format!("[{name}]\n"));
        }
        text.push_str(&leaves.concat());
        text.push('\n');
    }
    for (key, value) in table.iter().filter(|(_, value)| value.is_object()) {
        let name = if name.is_empty() {
            key.clone()
        } else {
            format!("{name}.{key}")
        };
        section(value, &name, text);
    }
}

fn toml(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}
