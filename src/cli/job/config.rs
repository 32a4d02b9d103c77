//! `config show|edit|check|keys`.

use std::{
    fs::OpenOptions,
    io::{IsTerminal, Write, stdin},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use clap::Subcommand;
use serde_json::{Value, json};
use strum::VariantArray;

use crate::{
    app::{App, AppError},
    cli::{
        mode::ModeArg,
        out::{Out, table},
        target::{self, TargetArgs},
    },
    config::{JobLayers, PASSWORD_VARIABLE, Settings, UNSAFE_KEY_VARIABLE, build_job_config},
    domain::{
        config::{JobConfig, KEYS},
        job::{JobMode, Realm},
    },
    store::{jobs::Job, orders},
};

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print a job's configuration as TOML
    Show(TargetArgs),
    /// Change a job's configuration; the next slot sees it
    Edit {
        #[command(flatten)]
        target: TargetArgs,
        /// Take the keys of this file
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Set one key
        #[arg(long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// Check a configuration file without touching anything
    Check {
        /// The file
        file: PathBuf,
        /// For a job of this mode
        #[arg(long, value_enum)]
        mode: ModeArg,
        /// For a live job: with the floors that real money has
        #[arg(long)]
        live: bool,
        /// The job's chain
        #[arg(long, default_value = "base")]
        chain: String,
    },
    /// List every key with its meaning and default
    Keys,
}

pub async fn run(settings: &Settings, out: Out, command: &ConfigCommand) -> Result<(), AppError> {
    match command {
        ConfigCommand::Show(target) => {
            let world = App::read(settings).await?;
            let job = crate::app::target::find(&world.pool, &target.into()).await?;
            out.show(&json(&job.config), render)
        }
        ConfigCommand::Edit { target, config, set } => {
            edit(settings, out, target, config.as_ref(), set).await
        }
        ConfigCommand::Check {
            file,
            mode,
            live,
            chain,
        } => {
            let mode = JobMode::from(*mode);
            let layers = JobLayers::new(&settings.defaults, mode).file(Some(file))?;
            let realm = if *live { Realm::Live } else { Realm::Paper };
            let config = build_job_config(&JobConfig::beginning(mode, realm), mode, &layers)?;
            config
                .validate_for(mode, realm, chain)
                .map_err(AppError::Config)?;
            out.show(
                &json!({ "ok": true, "mode": mode, "config": json(&config) }),
                |_| format!("{} is a valid configuration for mode {mode}", file.display()),
            )
        }
        ConfigCommand::Keys => keys(out),
    }
}

fn keys(out: Out) -> Result<(), AppError> {
    let modes = JobMode::VARIANTS.iter();
    let defaults: Vec<Value> = modes.map(|mode| json(&JobConfig::for_mode(*mode))).collect();
    let default = |key: &str| {
        let pointer = format!("/{}", key.replace('.', "/"));
        let value = defaults.iter().find_map(|config| config.pointer(&pointer));
        value.cloned().unwrap_or_default()
    };
    let rows: Vec<Value> = KEYS
        .iter()
        .map(|key| json!({ "key": key.name, "default": default(key.name), "about": key.about }))
        .collect();
    out.show(&rows, |_| {
        let cells = KEYS.iter().map(|key| {
            vec![
                key.name.to_owned(),
                toml(&default(key.name)),
                key.about.to_owned(),
            ]
        });
        table(&["key", "default", "meaning"], cells)
    })
}

async fn edit(
    settings: &Settings,
    out: Out,
    target: &TargetArgs,
    file: Option<&PathBuf>,
    set: &[String],
) -> Result<(), AppError> {
    let world = App::open(settings).await?;
    let job = crate::app::target::find(&world.pool, &target.into()).await?;
    let config = match file {
        None if set.is_empty() => {
            let scratch = in_editor(&job.config)?;
            let config = changed(&job, Some(&scratch), set).inspect_err(|_| {
                out.remark(&format!(
                    "what you wrote is in {}: fix it, then `config edit --config` it",
                    scratch.display()
                ));
            })?;
            // Its text is in the database from here on; a leftover does no harm.
            let _ = std::fs::remove_file(scratch);
            config
        }
        file => changed(&job, file.map(PathBuf::as_path), set)?,
    };
    if config == job.config {
        return out.show(&json!({ "job": job.id, "changed": false }), |_| {
            "nothing changed".to_owned()
        });
    }
    if !orders::configure(&world.pool, &job, &config, target::actor().as_str()).await? {
        return Err(AppError::Refused(
            "somebody else edited this job meanwhile; look at it and edit again".to_owned(),
        ));
    }
    let version = job.config_version.saturating_add(1);
    out.show(
        &json!({ "job": job.id, "changed": true, "config_version": version }),
        |_| {
            format!(
                "job {}: configuration version {version}; the next slot sees it",
                job.id
            )
        },
    )
}

fn changed(job: &Job, file: Option<&Path>, set: &[String]) -> Result<JobConfig, AppError> {
    let layers = JobLayers::of_job().file(file)?.assignments(set)?;
    let config = build_job_config(&job.config, job.mode, &layers)?;
    config
        .validate_for(job.mode, job.account.realm, &job.account.chain)
        .map_err(AppError::Config)?;
    Ok(config)
}

/// Lets a person edit the configuration in `$EDITOR`.
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
    // New and ours alone: nobody else may put a file of theirs in its way.
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
    // Nobody is told of this file: a leftover would only lie there.
    let _ = std::fs::remove_file(&path);
    Err(AppError::Usage(match status {
        Ok(status) => format!("{editor} ended with {status}; nothing changed"),
        Err(error) => format!("EDITOR={editor} cannot be run: {error}; set EDITOR, or give --set"),
    }))
}

fn json(config: &JobConfig) -> Value {
    // A configuration is plain data: it always serialises.
    serde_json::to_value(config).unwrap_or_default()
}

/// A configuration as TOML that reads back.
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
