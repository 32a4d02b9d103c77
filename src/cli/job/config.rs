//! `config show|edit|check|keys`.

use std::{
    fs::OpenOptions,
    io::{IsTerminal, Write, stdin},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    process::{Command, ExitStatus},
};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use super::selection::JobsArgs;
use crate::{
    app::{
        App, AppError, Target,
        jobs::{
            config::{self, CheckRequest, EditRequest, Edited, KeyChange},
            selected::Jobs,
        },
    },
    cli::{
        confirm::{asks, confirm},
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
    /// Change the configuration of one job or several from the next slot on: all of them, or none. On a terminal, one
    /// job without --set and --config is opened in $EDITOR
    Edit(EditArgs),
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

#[derive(Debug, Args)]
pub struct EditArgs {
    #[command(flatten)]
    jobs: JobsArgs,
    /// Read keys from this file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one key
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Edit several jobs without asking for confirmation
    #[arg(long)]
    yes: bool,
}

pub async fn run(settings: &Settings, out: Out, command: &ConfigCommand) -> Result<(), AppError> {
    match command {
        ConfigCommand::Show(target) => {
            let app = App::read(settings).await?;
            let stored = config::show(&app, &target.into()).await?;
            out.show(&json(&stored.config), render)
        }
        ConfigCommand::Edit(args) => {
            let app = App::open(settings).await?;
            edit(&app, out, args).await
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
            let checked = config::check(settings, request).await?;
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

async fn edit(app: &App, out: Out, args: &EditArgs) -> Result<(), AppError> {
    if args.config.is_some() || !args.set.is_empty() {
        let given = JobLayers::of_job()
            .file(args.config.as_deref())?
            .assignments(&args.set, "--set")?;
        let request = EditRequest {
            jobs: (&args.jobs).into(),
            given,
            version: None,
        };
        return submit(app, out, &request, args.yes).await;
    }
    let Some(target) = args.jobs.only() else {
        return Err(AppError::Usage(
            "nothing to change: several jobs are edited with --set key=value or --config FILE".to_owned(),
        ));
    };
    let stored = config::show(app, &target).await?;
    let scratch = in_editor(&stored.config)?;
    let edited = match JobLayers::of_job().file(Some(&scratch)) {
        Ok(given) => {
            let request = EditRequest {
                // The job that was shown, whatever the text of the target means by now.
                jobs: Jobs::Named(vec![Target::anywhere(&format!("#{}", stored.job))]),
                given,
                version: Some(stored.version),
            };
            submit(app, out, &request, true).await
        }
        Err(error) => Err(error.into()),
    };
    match edited {
        // Its text is now in the database; a leftover file does no harm.
        Ok(()) => {
            let _ = std::fs::remove_file(scratch);
        }
        Err(_) => {
            let saved = scratch.display();
            out.remark(&format!(
                "your edit is saved in {saved}; correct it, then run `lgi-mm config edit {} --config {saved}`",
                stored.job
            ));
        }
    }
    edited
}

/// Shows what would change in several jobs and asks on a terminal, then makes the edit.
async fn submit(app: &App, out: Out, request: &EditRequest, yes: bool) -> Result<(), AppError> {
    let proposal = config::propose(app, request).await?;
    let several = !request.jobs.is_one();
    let count = proposal.edits.len();
    if several && count > 0 && asks(out, yes) {
        let shown: String = proposal
            .edits
            .iter()
            .map(|edit| format!("{}:{}\n", edit.name, differences(&edit.keys)))
            .collect();
        confirm(
            out,
            &format!("{shown}Change {count} jobs, from their next slot on?"),
        )?;
    }
    let edited = config::edit(app, proposal, &actor()).await?;
    match edited.as_slice() {
        [only] if !several => out.show(only, edited_line),
        _ => out.show(&SeveralEdited { jobs: &edited }, |view| {
            if view.jobs.is_empty() {
                return "no job of this kind\n".to_owned();
            }
            let lines: Vec<String> = view.jobs.iter().map(edited_line).collect();
            lines.join("\n")
        }),
    }
}

#[derive(Debug, Serialize)]
struct SeveralEdited<'a> {
    jobs: &'a [Edited],
}

fn edited_line(edited: &Edited) -> String {
    let name = &edited.name;
    match edited.config_version {
        Some(version) => format!(
            "{name}: configuration version {version}; it applies from the next slot{}",
            differences(&edited.keys)
        ),
        None => format!("{name}: nothing changed"),
    }
}

/// One line for each key, before and after.
fn differences(keys: &[KeyChange]) -> String {
    let lines = keys.iter().map(|change| {
        let KeyChange { key, before, after } = change;
        format!("\n  {key}: {} -> {}", toml(before), toml(after))
    });
    lines.collect()
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
