//! `db`: runs another program, usually psql, on the database.

use clap::Args;

use crate::{
    app::{App, AppError, database},
    config::{PASSWORD_VARIABLE, Settings, UNSAFE_KEY_VARIABLE},
};

#[derive(Debug, Args)]
pub(super) struct DbArgs {
    /// The command, such as `psql` or `pg_dump`; its environment points to the database
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// The database and its password go into the environment: every user of the machine can read a process's arguments,
/// and only its own user its environment.
pub(super) async fn run(settings: &Settings, args: &DbArgs) -> Result<(), AppError> {
    let app = App::as_it_is(settings).await?;
    let Some((program, rest)) = args.command.split_first() else {
        return Ok(());
    };
    // PostgreSQL's own programs are often not on the path; what is on it comes first.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(database::program_dirs());
    let path = std::env::join_paths(dirs).unwrap_or_else(|_| path.clone());
    let mut command = tokio::process::Command::new(program);
    command
        .args(rest)
        .env("PATH", path)
        .envs(database::environment(&app)?)
        .env_remove(PASSWORD_VARIABLE)
        .env_remove(UNSAFE_KEY_VARIABLE);
    let status = command
        .status()
        .await
        .map_err(|error| AppError::Usage(format!("{program} cannot be run: {error}; is it installed?")))?;
    if status.success() {
        Ok(())
    } else {
        Err(AppError::Internal(format!("{program} ended with {status}")))
    }
}
