//! Why a dump cannot be made, read or restored.

use std::{io, path::PathBuf};

use crate::embedded::EmbeddedError;

/// A dump that cannot be made, read or restored.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The file or its directory.
    #[error("{}: {source}", path.display())]
    File {
        /// Path.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The file is there, and may not be replaced.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// A program of PostgreSQL is missing.
    #[error(transparent)]
    Program(#[from] EmbeddedError),
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {said}")]
    Failed {
        /// Name.
        program: &'static str,
        /// The end of what it printed.
        said: String,
    },
    /// It is no dump in custom format.
    #[error(
        "{} is not a backup: it is no PostgreSQL dump in custom format",
        .0.display()
    )]
    NoDump(PathBuf),
    /// A part of it is missing or damaged.
    #[error("{} is not whole: {why}; use another backup", path.display())]
    NotWhole {
        /// The file.
        path: PathBuf,
        /// What is missing.
        why: String,
    },
    /// It was dumped by a newer PostgreSQL.
    #[error(
        "{} was made by a newer PostgreSQL than the pg_restore that was found ({said}); install the programs of that version, \
         or set PG_BIN to their directory",
        path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// What pg_restore said.
        said: String,
    },
}
