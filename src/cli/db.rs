//! `db`: another program on the database, psql above all.

use std::borrow::Cow;

use clap::Args;
use reqwest::Url;
use sqlx::postgres::PgConnectOptions;

use super::{App, AppError};
use crate::config::{PASSWORD_VARIABLE, Settings, UNSAFE_KEY_VARIABLE, ssl_mode};

#[derive(Debug, Args)]
pub(super) struct DbArgs {
    /// The command, such as `psql` or `pg_dump`; it is given the database to open, in its environment
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// The private server lives as long as the command.
///
/// Where the database is, and its password, go into the environment: every user of the machine can read what a process
/// was started with, and only its own user what is in its environment.
pub(super) async fn run(settings: &Settings, args: &DbArgs) -> Result<(), AppError> {
    let world = App::as_it_is(settings).await?;
    let Some((program, rest)) = args.command.split_first() else {
        return Ok(());
    };
    let mut command = tokio::process::Command::new(program);
    command
        .args(rest)
        .env("DATABASE_URL", &world.url)
        .envs(libpq(&world.url)?)
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

/// What libpq, and so every program of PostgreSQL, takes from its environment instead of a connection string.
fn libpq(url: &str) -> Result<Vec<(&'static str, String)>, AppError> {
    let unusable = |error: &dyn std::fmt::Display| {
        AppError::Usage(format!("DATABASE_URL is not a connection string: {error}"))
    };
    let options: PgConnectOptions = url.parse().map_err(|error| unusable(&error))?;
    let url = Url::parse(url).map_err(|error| unusable(&error))?;
    let host = options
        .get_socket()
        .map_or_else(|| options.get_host().to_owned(), |dir| dir.display().to_string());
    let mut variables = vec![
        (
            "PGHOST",
            host.trim_start_matches('[').trim_end_matches(']').to_owned(),
        ),
        ("PGPORT", options.get_port().to_string()),
        ("PGUSER", options.get_username().to_owned()),
        (
            "PGDATABASE",
            options
                .get_database()
                .unwrap_or(options.get_username())
                .to_owned(),
        ),
        ("PGSSLMODE", ssl_mode(options.get_ssl_mode()).to_owned()),
    ];
    if let Some(password) = url.password() {
        variables.push(("PGPASSWORD", decoded(password)));
    }
    for (key, value) in url.query_pairs() {
        let name = match &*key {
            "password" => "PGPASSWORD",
            "sslrootcert" | "ssl-root-cert" | "ssl-ca" => "PGSSLROOTCERT",
            "sslcert" | "ssl-cert" => "PGSSLCERT",
            "sslkey" | "ssl-key" => "PGSSLKEY",
            "application_name" => "PGAPPNAME",
            _ => continue,
        };
        variables.push((name, value.into_owned()));
    }
    if let Some(extra) = options.get_options() {
        variables.push(("PGOPTIONS", extra.to_owned()));
    }
    Ok(variables)
}

/// A part of a URL without its percent signs; what is no pair of hexadecimal digits stays.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = text.get(at + 1..at + 3).filter(|_| *byte == b'%');
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(escaped) => {
                plain.push(escaped);
                at += 3;
            }
            None => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    match String::from_utf8_lossy(&plain) {
        Cow::Borrowed(same) => same.to_owned(),
        Cow::Owned(mended) => mended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libpq_is_told_all_that_the_connection_string_says() {
        let url = "postgres://bob:p%40ss%25%zz@db:5433/x?sslmode=verify-full&sslrootcert=/ca.pem&application_name=me";
        let told = libpq(url).expect("a URL");
        for expected in [
            ("PGHOST", "db"),
            ("PGPORT", "5433"),
            ("PGUSER", "bob"),
            ("PGDATABASE", "x"),
            ("PGPASSWORD", "p@ss%%zz"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", "/ca.pem"),
            ("PGAPPNAME", "me"),
        ] {
            let found = told.iter().rev().find(|(name, _)| *name == expected.0);
            assert_eq!(
                found.map(|(_, value)| value.as_str()),
                Some(expected.1),
                "{}",
                expected.0
            );
        }
        let told = libpq("postgres://%2Frun%2Fx/y?password=late").expect("a URL");
        assert!(
            told.contains(&("PGHOST", "/run/x".to_owned()))
                && told.contains(&("PGPASSWORD", "late".to_owned()))
        );
    }
}
