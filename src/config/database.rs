//! Which database, and the password that opens it.

use std::{fs, path::Path};

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::domain::{secret::Secret, span::Span};

/// `[database]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseSettings {
    /// Connection string; empty: the private server. `DATABASE_URL` overrides it.
    pub url: Secret,
    /// File whose first line is the connection string's password; empty: what the string says.
    pub password_file: String,
    /// Where the private server's data lives; empty: the user's data directory. `LGI_MM_DATA_DIR` overrides it.
    pub data_dir: String,
    /// Most connections of this process, 4 to 1000.
    pub pool_max: u32,
    /// Longest wait for the database at start, 1s to 1h.
    pub connect_timeout: Span,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            url: Secret::default(),
            password_file: String::new(),
            data_dir: String::new(),
            pool_max: 20,
            connect_timeout: Span::from_secs(30),
        }
    }
}

/// A password file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// It cannot be read.
    #[error(
        "database.password_file = \"{path}\" cannot be read: {source}; give a readable file, or leave it empty"
    )]
    Unreadable {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Its first line is empty.
    #[error("database.password_file = \"{path}\": its first line is empty; write the password there")]
    Empty {
        /// The file.
        path: String,
    },
    /// There is no server that the password could be for.
    #[error(
        "database.password_file is set, but database.url (or DATABASE_URL) is not a URL such as \
         postgres://user@host:5432/name; give one, or leave password_file empty"
    )]
    NoUrl,
}

impl DatabaseSettings {
    /// Puts the password of `password_file` into the connection string, in place of any that is there.
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
