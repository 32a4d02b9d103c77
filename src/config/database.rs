//! Database settings: connection, password and transport security.

use std::{fs, net::IpAddr, path::Path};

use reqwest::Url;
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::domain::{secret::Secret, span::Span};

/// `[database]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseSettings {
    /// Connection string; empty: the private server. `DATABASE_URL` overrides it.
    pub url: Secret,
    /// File whose first line is the password; empty: the password in the connection string.
    pub password_file: String,
    /// PEM file of root certificates for the server; empty: the public certificate authorities.
    pub ssl_root_cert: String,
    /// Whether live trading may use a connection that does not verify the server.
    pub insecure: bool,
    /// Directory of the private server's data; empty: the user's data directory. `LGI_MM_DATA_DIR` overrides it.
    pub data_dir: String,
    /// Maximum number of connections of this process, 4 to 1000.
    pub pool_max: u32,
    /// Longest wait for the database at start, 1s to 1h.
    pub connect_timeout: Span,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            url: Secret::default(),
            password_file: String::new(),
            ssl_root_cert: String::new(),
            insecure: false,
            data_dir: String::new(),
            pool_max: 20,
            connect_timeout: Span::from_secs(30),
        }
    }
}

/// A file of `[database]` that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// It cannot be read.
    #[error(
        "database.password_file = \"{path}\" cannot be read: {source}; give a readable file, or leave it empty"
    )]
    Unreadable {
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// Its first line is empty.
    #[error("database.password_file = \"{path}\": its first line is empty; write the password there")]
    Empty {
        /// The file.
        path: String,
    },
    /// A password without a server it is for.
    #[error(
        "database.password_file is set, but database.url (or DATABASE_URL) is not a URL such as \
         postgres://user@host:5432/name; give one, or leave password_file empty"
    )]
    NoUrl,
    /// Certificates without a server they are for.
    #[error(
        "database.ssl_root_cert = \"{path}\" is set, but database.url (or DATABASE_URL) is not a URL such as \
         postgres://user@host:5432/name?sslmode=verify-full; give one, or leave ssl_root_cert empty"
    )]
    NoServer {
        /// The file.
        path: String,
    },
}

/// Transport security of a connection to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// A Unix socket: the connection does not leave the machine.
    Socket,
    /// The loopback address: the connection does not leave the machine.
    Loopback,
    /// TLS with a verified server name: `sslmode=verify-full`.
    Verified,
    /// An attacker on the network path can read it, or answer in the server's place. Holds the sslmode.
    Exposed(&'static str),
}

/// Transport security of `url`, with `PGSSLMODE` and `PGHOST` of the environment applied. A string that is no
/// connection string counts as exposed; connecting then reports what is wrong.
#[must_use]
pub fn guard(url: &str) -> Guard {
    let Ok(options) = url.parse::<PgConnectOptions>() else {
        return Guard::Exposed("unknown");
    };
    let host = options.get_host();
    if options.get_socket().is_some() || host.starts_with('/') {
        return Guard::Socket;
    }
    let address = host.trim_start_matches('[').trim_end_matches(']');
    if host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
    {
        return Guard::Loopback;
    }
    match options.get_ssl_mode() {
        PgSslMode::VerifyFull => Guard::Verified,
        weaker => Guard::Exposed(ssl_mode(weaker)),
    }
}

/// The sslmode of the connection string.
#[must_use]
pub const fn ssl_mode(mode: PgSslMode) -> &'static str {
    match mode {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}

impl DatabaseSettings {
    /// Puts the password of `password_file` into the connection string, replacing any existing one.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub(super) fn take_password(&mut self) -> Result<(), PasswordError> {
        let path = self.password_file.clone();
        if path.is_empty() {
            return Ok(());
        }
        let text = match fs::read_to_string(Path::new(&path)) {
            Ok(text) => text,
            Err(source) => return Err(PasswordError::Unreadable { path, source }),
        };
        let Some(password) = text.lines().next().filter(|line| !line.is_empty()) else {
            return Err(PasswordError::Empty { path });
        };
        let mut url = Url::parse(&self.url.0).map_err(|_| PasswordError::NoUrl)?;
        url.set_password(Some(password))
            .map_err(|()| PasswordError::NoUrl)?;
        self.url = Secret(url.into());
        Ok(())
    }

    /// Puts `ssl_root_cert` into the connection string, replacing any existing one.
    ///
    /// # Errors
    /// [`PasswordError::NoServer`].
    pub(super) fn take_root_cert(&mut self) -> Result<(), PasswordError> {
        const NAMES: [&str; 3] = ["sslrootcert", "ssl-root-cert", "ssl-ca"];
        let path = self.ssl_root_cert.clone();
        if path.is_empty() {
            return Ok(());
        }
        let Ok(mut url) = Url::parse(&self.url.0) else {
            return Err(PasswordError::NoServer { path });
        };
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(key, _)| !NAMES.contains(&key.as_ref()))
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        url.query_pairs_mut()
            .clear()
            .extend_pairs(kept)
            .append_pair(NAMES[0], &path);
        self.url = Secret(url.into());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn with(url: &str, content: Option<&str>) -> Result<String, String> {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        write!(file, "{}", content.unwrap_or_default()).expect("written");
        let path = file.path().display().to_string();
        if content.is_none() {
            drop(file);
        }
        let mut settings = DatabaseSettings {
            url: Secret(url.to_owned()),
            password_file: path.clone(),
            ..DatabaseSettings::default()
        };
        let taken = settings.take_password();
        taken.map_err(|error| error.to_string().replace(&path, "FILE"))?;
        Ok(settings.url.0)
    }

    #[test]
    fn a_password_file_s_first_line_is_the_password_whatever_it_holds() {
        let url = with("postgres://lgi_mm@db:5432/lgi_mm", Some("p@ss/w:rd%\nnot this"));
        let options: sqlx::postgres::PgConnectOptions = url.expect("a URL").parse().expect("options");
        // The only view of a password that options give.
        assert!(format!("{options:?}").contains("p@ss/w:rd%"), "{options:?}");
        let replaced = with("postgres://lgi_mm:old@db/lgi_mm", Some("new\r\n"));
        assert_eq!(replaced.as_deref(), Ok("postgres://lgi_mm:new@db/lgi_mm"));
    }

    #[test]
    fn only_what_stays_on_the_machine_or_is_proven_to_reach_the_server_is_guarded() {
        for (url, expected) in [
            ("postgres://u@%2Frun%2Fpostgresql/x", Guard::Socket),
            ("postgres:///x?host=/run/postgresql", Guard::Socket),
            ("postgres://u@127.0.0.9:5432/x", Guard::Loopback),
            ("postgres://u@[::1]/x?sslmode=disable", Guard::Loopback),
            ("postgres://u@localhost/x", Guard::Loopback),
            ("postgres://u@localhost/x?host=db", Guard::Exposed("prefer")),
            ("postgres://u@localhost.evil/x", Guard::Exposed("prefer")),
            ("postgres://u@db/x?sslmode=verify-full", Guard::Verified),
            (
                "postgres://u@db/x?sslmode=verify-full&sslmode=require",
                Guard::Exposed("require"),
            ),
            ("postgres://u@db/x?sslmode=verify-ca", Guard::Exposed("verify-ca")),
            (
                "postgres://u@10.0.0.1/x?sslmode=disable",
                Guard::Exposed("disable"),
            ),
            ("no url", Guard::Exposed("unknown")),
        ] {
            assert_eq!(guard(url), expected, "{url}");
        }
    }

    #[test]
    fn certificates_of_a_file_go_into_the_connection_string() {
        let mut settings = DatabaseSettings {
            url: Secret("postgres://u:p@db/x?sslmode=verify-full&ssl-ca=/old".to_owned()),
            ssl_root_cert: "/run/a b.pem".to_owned(),
            ..DatabaseSettings::default()
        };
        settings.take_root_cert().expect("a URL");
        let expected = "postgres://u:p@db/x?sslmode=verify-full&sslrootcert=%2Frun%2Fa+b.pem";
        assert_eq!(settings.url.0, expected);
        settings.url = Secret::default();
        let refused = settings.take_root_cert().map_err(|error| error.to_string());
        assert!(refused.is_err_and(|said| said.contains("/run/a b.pem") && said.contains("verify-full")));
    }

    #[test]
    fn a_password_file_that_cannot_be_used_is_named_and_its_content_is_not() {
        for (url, content, says) in [
            ("postgres://db/x", Some(""), "first line is empty"),
            ("postgres://db/x", None, "cannot be read"),
            ("", Some("hunter2"), "postgres://user@host:5432/name"),
            ("host=db", Some("hunter2"), "postgres://user@host:5432/name"),
        ] {
            let said = with(url, content).expect_err(url);
            assert!(said.contains(says) && !said.contains("hunter2"), "{said}");
        }
    }
}
