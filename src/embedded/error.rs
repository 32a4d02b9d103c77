//! Why there is no private server, and what to do about it.

use std::{io, path::PathBuf, time::Duration};

use crate::store::refusal::explain;

/// How long a server that is still stopping, or slow to start, is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// The private server could not be had.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No binaries.
    #[error(
        "no PostgreSQL server binaries found{}; install them (Debian: apt-get install postgresql, macOS: brew install \
         postgresql), or set PG_BIN to their directory, or set DATABASE_URL to a server you run",
        .wanted.as_ref().map(|major| format!(" of version {major}, which made the data in use")).unwrap_or_default()
    )]
    NoBinaries {
        /// The major version that made the data directory.
        wanted: Option<String>,
    },
    /// No client program that fits the server.
    #[error(
        "no {name} of PostgreSQL {server} or newer found, and the server is version {server}; install it (Debian: \
         apt-get install postgresql-client, macOS: brew install postgresql), or set PG_BIN to its directory"
    )]
    NoClient {
        /// The program.
        name: &'static str,
        /// The server's major version.
        server: u32,
    },
    /// No home to put data into.
    #[error("no place for the data: HOME is not set; set LGI_MM_DATA_DIR")]
    NoHome,
    /// A file or directory could not be used.
    #[error("{}: {source}; set LGI_MM_DATA_DIR to a directory you may write", path.display())]
    Path {
        /// Path or program.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The server's user cannot cross a directory above the data.
    #[error(
        "{}: the user {user}, whom the server runs as because root may not, cannot enter it; set LGI_MM_DATA_DIR \
         to a directory that it can reach", path.display()
    )]
    Unreachable {
        /// The server's directory.
        path: PathBuf,
        /// Whom the server runs as.
        user: String,
    },
    /// We have no name that the server could know us by.
    #[error(
        "user id {0} has no name on this machine (/etc/passwd), so the private server cannot know us; set DATABASE_URL to a server you run"
    )]
    NoName(u32),
    /// A server of a version that asks for holders in another way.
    #[error("{}: an earlier version of lgi-mm uses this server; stop it, then run this again", .0.display())]
    Earlier(PathBuf),
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Path.
        program: &'static str,
        /// The end of what it printed.
        output: String,
    },
    /// The server did not get ready.
    #[error("PostgreSQL did not start within {} s; its log is {}: {tail}", PATIENCE.as_secs(), log.display())]
    NotReady {
        /// Its log.
        log: PathBuf,
        /// The end of it.
        tail: String,
    },
    /// The database in it could not be made.
    #[error("creating the database failed: {}", explain(.0))]
    Database(#[from] sqlx::Error),
}
