//! Completions: the shell asks the program itself, so that jobs and keys of a configuration are completed too. (The
//! static script for bash has been dead after the first word for a name with a hyphen: clap-rs/clap#6421.)

use std::{env, ffi::OsString, path::PathBuf, time::Duration};

use clap::{Arg, Command};
use clap_complete::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate,
    env::{EnvCompleter, Shells},
};

use super::out::Out;
use crate::{
    app::{App, AppError, info, jobs::list},
    config::{Settings, known_job_keys},
    domain::chains::CHAINS,
};

/// Set by the script: which shell asks.
const VARIABLE: &str = "LGI_MM_COMPLETE";

/// A person waits for the next letter.
const PATIENCE: Duration = Duration::from_secs(2);

/// The script that makes a shell ask.
pub(super) fn script(shell: clap_complete::Shell) -> Result<String, AppError> {
    let name = shell.to_string();
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let registered =
        completer(&shells, &name)?.write_registration(VARIABLE, "lgi_mm", "lgi-mm", "lgi-mm", &mut script);
    registered.map_err(|error| AppError::Internal(error.to_string()))?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// Answers a shell about this command line, if one asks.
pub(super) fn answer(command: fn() -> Command, arguments: &[OsString]) -> Option<Result<(), AppError>> {
    let shell = env::var(VARIABLE).ok().filter(|shell| !shell.is_empty())?;
    Some(candidates(&shell, command(), arguments).and_then(|answer| Out::new(false).verbatim(&answer)))
}

fn candidates(shell: &str, command: Command, arguments: &[OsString]) -> Result<Vec<u8>, AppError> {
    let words = arguments.iter().skip_while(|word| *word != "--").skip(1);
    let mut answer = Vec::new();
    let shells = Shells::builtins();
    let here = env::current_dir().ok();
    completer(&shells, shell)?
        .write_complete(
            &mut with_candidates(command),
            words.cloned().collect(),
            here.as_deref(),
            &mut answer,
        )
        .map_err(|error| AppError::Internal(error.to_string()))?;
    Ok(answer)
}

fn completer<'a>(shells: &'a Shells<'_>, name: &str) -> Result<&'a dyn EnvCompleter, AppError> {
    shells.completer(name).ok_or_else(|| {
        AppError::Usage(format!(
            "no completions for the shell {name}; there are some for bash, elvish, fish, powershell, zsh"
        ))
    })
}

/// The command line, with what completes the values of its arguments.
fn with_candidates(command: Command) -> Command {
    command
        .mut_args(argument_with_candidates)
        .mut_subcommands(with_candidates)
}

fn argument_with_candidates(argument: Arg) -> Arg {
    match argument.get_id().as_str() {
        "token" | "tokens" | "job" | "jobs" => argument.add(ArgValueCandidates::new(jobs)),
        "set" => argument.add(ArgValueCompleter::new(keys)),
        "chain" => argument.add(ArgValueCandidates::new(chains)),
        _ => argument,
    }
}

/// Job numbers, each with what it is.
fn jobs() -> Vec<CompletionCandidate> {
    // The completion runs within the program's runtime, which cannot be waited for from within.
    let asked = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .ok()?;
        runtime.block_on(async { tokio::time::timeout(PATIENCE, lines()).await.ok()? })
    });
    let lines = asked.join().ok().flatten().unwrap_or_default();
    let candidate =
        |(number, what): (String, String)| CompletionCandidate::new(number).help(Some(what.into()));
    lines.into_iter().map(candidate).collect()
}

async fn lines() -> Option<Vec<(String, String)>> {
    let file = env::var_os("LGI_MM_SETTINGS").map(PathBuf::from);
    let settings = Settings::load(file.as_deref()).ok()?;
    // Pressing a key makes no database.
    if !info::has_database(&settings) {
        return None;
    }
    let app = App::read(&settings).await.ok()?;
    let listing = list::list(&app, &list::ListRequest::default()).await.ok()?;
    let described = |line: &list::JobLine| {
        let what = format!(
            "{} on {}, {}, {}",
            line.symbol, line.chain, line.realm, line.status
        );
        (line.job.to_string(), what)
    };
    Some(listing.lines.iter().map(described).collect())
}

/// Keys of a job's configuration, as far as they fit what was typed.
fn keys(typed: &std::ffi::OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let fitting = known_job_keys()
        .into_iter()
        .filter(|key| key.starts_with(&*typed));
    fitting
        .map(|key| CompletionCandidate::new(format!("{key}=")))
        .collect()
}

fn chains() -> Vec<CompletionCandidate> {
    CHAINS
        .iter()
        .map(|chain| CompletionCandidate::new(chain.name))
        .collect()
}
