//! Runs PostgreSQL's programs.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
    process::Stdio,
};

use super::error::DumpError;

/// Characters of what a program printed that an error shows.
const SHOWN_MAX: usize = 600;

/// Variables that a program may see, besides those of libpq.
const VARIABLES: [&str; 6] = [
    "PATH",
    "HOME",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "TMPDIR",
    "TZ",
];

/// Arguments of a program; none holds a secret.
#[derive(Debug, Clone)]
pub(super) struct Arguments(Vec<OsString>);

impl Arguments {
    pub(super) fn new<const N: usize>(words: [&str; N]) -> Self {
        Self(words.into_iter().map(OsString::from).collect())
    }

    /// A path after `option`, whatever bytes it has. One that begins with a hyphen is no option.
    pub(super) fn with_path(mut self, option: &str, path: &Path) -> Self {
        let mut word = OsString::from(option);
        if option.is_empty() && path.is_relative() {
            word.push("./");
        }
        word.push(path);
        self.0.push(word);
        self
    }
}

/// Runs it to its end; what it printed.
///
/// # Errors
/// [`DumpError::Failed`] with what it said, if it failed.
pub(super) async fn run(
    name: &'static str,
    program: &Path,
    arguments: &Arguments,
    environment: &[(&'static str, String)],
) -> Result<String, DumpError> {
    let failed = |said: String| DumpError::Failed { program: name, said };
    let mut command = tokio::process::Command::new(program);
    command
        .args(&arguments.0)
        // Ours may hold passwords and keys.
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| may_see(name)))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        // Their messages are looked at, and shown in English.
        .env("LC_ALL", "C");
    for (name, value) in environment {
        command.env(name, value);
    }
    let output = command
        .output()
        .await
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let said: String = lines.join("; ").chars().take(SHOWN_MAX).collect();
    Err(failed(if said.is_empty() {
        output.status.to_string()
    } else {
        said
    }))
}

fn may_see(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    // Where certificates and the password file are. Which database is asked, we say.
    VARIABLES.contains(&&*name) || name.starts_with("PGSSL") || name == "PGPASSFILE"
}
