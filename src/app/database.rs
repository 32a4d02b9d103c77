//! Gives another program, such as psql, access to the database.

use std::borrow::Cow;

use reqwest::Url;
use sqlx::postgres::PgConnectOptions;

use super::{context::App, error::AppError};
use crate::config::ssl_mode;

/// Environment variables that connect a program to the database, password included. The private server lives as long as
/// `app`.
///
/// # Errors
/// [`AppError::Usage`] for a connection string that cannot be read.
pub fn environment(app: &App) -> Result<Vec<(&'static str, String)>, AppError> {
    let mut variables = vec![("DATABASE_URL", app.url.clone())];
    variables.extend(libpq(&app.url)?);
    Ok(variables)
}

/// Directories with PostgreSQL's programs.
#[must_use]
pub fn program_dirs() -> Vec<std::path::PathBuf> {
    crate::embedded::client_dirs()
}

/// The variables of libpq, which every program of PostgreSQL reads.
pub(super) fn libpq(url: &str) -> Result<Vec<(&'static str, String)>, AppError> {
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

/// Percent-decodes a part of a URL; an invalid escape stays as it is.
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
        Cow::Owned(replaced) => replaced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libpq_gets_all_that_the_connection_string_has() {
        let url = "postgres://bob:p%40ss%25%zz@db:5433/x?sslmode=verify-full&sslrootcert=/ca.pem&application_name=me";
        let given = libpq(url).expect("a URL");
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
            let found = given.iter().rev().find(|(name, _)| *name == expected.0);
            assert_eq!(
                found.map(|(_, value)| value.as_str()),
                Some(expected.1),
                "{}",
                expected.0
            );
        }
        let given = libpq("postgres://%2Frun%2Fx/y?password=late").expect("a URL");
        assert!(
            given.contains(&("PGHOST", "/run/x".to_owned()))
                && given.contains(&("PGPASSWORD", "late".to_owned()))
        );
    }
}
