//! Where an export goes: standard output, or a file that is complete or not there.

use std::{
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use crate::{
    app::AppError,
    cli::out::{self, Out, exists},
};

/// Text is written in pieces of this size.
const PIECE: usize = 64 * 1024;

pub(super) enum Sink {
    Terminal {
        out: Out,
        waiting: String,
    },
    /// A regular file gets its name when the export is complete.
    File {
        written: BufWriter<NamedTempFile>,
        path: PathBuf,
        replace: bool,
    },
    /// A pipe or a device is written to as it is.
    Device {
        written: BufWriter<std::fs::File>,
        path: PathBuf,
    },
}

impl Sink {
    pub(super) fn open(out: Out, path: Option<&Path>, replace: bool) -> Result<Self, AppError> {
        let Some(path) = path else {
            return Ok(Self::Terminal {
                out,
                waiting: String::new(),
            });
        };
        let written = |error| unwritable(path, &error);
        if path.is_dir() {
            return Err(AppError::Usage(format!(
                "--out {}: this is a directory; give a file",
                path.display()
            )));
        }
        if path.exists() && !path.is_file() {
            let file = std::fs::OpenOptions::new().write(true).open(path);
            return Ok(Self::Device {
                written: BufWriter::new(file.map_err(written)?),
                path: path.to_owned(),
            });
        }
        if path.exists() && !replace {
            return Err(exists(path));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        Ok(Self::File {
            written: BufWriter::new(NamedTempFile::new_in(folder).map_err(written)?),
            path: path.to_owned(),
            replace,
        })
    }

    pub(super) fn push(&mut self, text: &str) -> Result<(), AppError> {
        match self {
            Self::Terminal { out, waiting } => {
                waiting.push_str(text);
                if waiting.len() >= PIECE {
                    out.raw(waiting)?;
                    waiting.clear();
                }
                Ok(())
            }
            Self::File { written, path, .. } => written
                .write_all(text.as_bytes())
                .map_err(|error| unwritable(path, &error)),
            Self::Device { written, path } => written
                .write_all(text.as_bytes())
                .map_err(|error| unwritable(path, &error)),
        }
    }

    /// Writes what waits, and gives a file its name.
    pub(super) fn finish(self) -> Result<(), AppError> {
        match self {
            Self::Terminal { out, waiting } => out.raw(&waiting),
            Self::File {
                written,
                path,
                replace,
            } => {
                let file = written
                    .into_inner()
                    .map_err(|error| unwritable(&path, error.error()))?;
                file.as_file()
                    .sync_all()
                    .map_err(|error| unwritable(&path, &error))?;
                let named = if replace {
                    file.persist(&path)
                } else {
                    file.persist_noclobber(&path)
                };
                match named {
                    Ok(_) => Ok(()),
                    Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
                        Err(exists(&path))
                    }
                    Err(error) => Err(unwritable(&path, &error.error)),
                }
            }
            Self::Device { mut written, path } => written.flush().map_err(|error| unwritable(&path, &error)),
        }
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> AppError {
    out::unwritable("--out", path, error)
}
