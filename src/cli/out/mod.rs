//! Prints text or JSON to standard output, errors to standard error.

mod look;
mod screen;
mod table;
mod time;
mod wrap;

use std::{
    io::{IsTerminal, Write, stderr, stdout},
    path::Path,
};

use serde::Serialize;
use serde_json::json;

use super::{exit::Exit, wording::described};
use crate::{
    app::AppError,
    domain::{
        brief,
        foreign::printable,
        units::{Price, Usd},
    },
};

pub(super) use look::{Format, Hue, Look};
pub(super) use screen::Screen;
pub(super) use table::{Sheet, table};
pub(super) use time::{Clock, moment, when};

/// The error of a file that is not replaced unless its owner says so.
pub(super) fn exists(path: &Path) -> AppError {
    AppError::Refused(format!(
        "--out {}: it exists already; choose another name, or give --force to replace it",
        path.display()
    ))
}

/// The error of a file that cannot be written. `field`: the flag or argument that names it.
pub(super) fn unwritable(field: &str, path: &Path, error: impl std::fmt::Display) -> AppError {
    AppError::Usage(format!(
        "{field} {}: {error}; give a file in a directory that is there and can be written",
        path.display()
    ))
}

/// Refuses a file whose directory is not there, before long work is done for it.
pub(super) fn has_directory(field: &str, path: &Path) -> Result<(), AppError> {
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    if path.is_dir() {
        return Err(unwritable(field, path, "this is a directory"));
    }
    match directory.is_dir() {
        true => Ok(()),
        false => Err(unwritable(field, path, "its directory is not there")),
    }
}

/// The output format.
#[derive(Debug, Clone, Copy)]
pub(super) struct Out {
    json: bool,
}

impl Out {
    pub(super) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(super) const fn is_json(self) -> bool {
        self.json
    }

    /// Prints a view, as JSON or as text rendered by `text`.
    pub(super) fn show<T: Serialize>(
        self,
        view: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), AppError> {
        if self.json {
            let printed =
                serde_json::to_string_pretty(view).map_err(|error| AppError::Internal(error.to_string()))?;
            return self.raw(&format!("{printed}\n"));
        }
        let mut printed = text(view);
        if !printed.ends_with('\n') {
            printed.push('\n');
        }
        self.raw(&printed)
    }

    /// Prints text without terminal control characters: foreign text is cleaned at its entry, and here again.
    /// A closed pipe is no error.
    pub(super) fn raw(self, text: &str) -> Result<(), AppError> {
        Self::write(&Look::current().cleaned(text))
    }

    /// Prints one line. `false`: the pipe is closed, nobody reads any more.
    pub(super) fn line(self, text: &str) -> Result<bool, AppError> {
        let mut output = stdout().lock();
        let printed = writeln!(output, "{}", Look::current().cleaned(text)).and_then(|()| output.flush());
        match printed {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(AppError::Io {
                what: "standard output".to_owned(),
                source: error,
            }),
        }
    }

    /// Prints what another program reads, and we made ourselves.
    pub(super) fn verbatim(self, bytes: &[u8]) -> Result<(), AppError> {
        Self::write_bytes(bytes)
    }

    /// A screen that is drawn again and again; `None` without a terminal.
    pub(super) fn screen(self) -> Option<Screen> {
        self.is_terminal().then(Screen::enter)
    }

    fn write(text: &str) -> Result<(), AppError> {
        Self::write_bytes(text.as_bytes())
    }

    fn write_bytes(bytes: &[u8]) -> Result<(), AppError> {
        let mut output = stdout().lock();
        match output.write_all(bytes).and_then(|()| output.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(AppError::Io {
                what: "standard output".to_owned(),
                source: error,
            }),
            _ => Ok(()),
        }
    }

    /// Prints a remark to standard error, never to standard output.
    pub(super) fn remark(self, text: &str) {
        let _ = writeln!(stderr().lock(), "{}", printable(text));
    }

    /// Writes a question to standard error; the answer follows on the same line.
    pub(super) fn prompt(self, text: &str) {
        let mut output = stderr().lock();
        let _ = write!(output, "{}", printable(text)).and_then(|()| output.flush());
    }

    pub(super) fn error(self, error: &AppError) {
        let message = described(error);
        let printed = if self.json {
            json!({ "error": { "code": Exit::of(error).code(), "message": message } }).to_string()
        } else {
            format!("error: {message}")
        };
        self.remark(&printed);
    }

    pub(super) fn is_terminal(self) -> bool {
        !self.json && stdout().is_terminal()
    }
}

/// USD to the cent, cut, with commas between thousands for people. JSON has all digits.
pub(super) fn dollars(value: Usd) -> String {
    let cents = brief::usd(value);
    if Look::current().plain {
        cents
    } else {
        brief::grouped(&cents)
    }
}

/// USD, or a dash for `None`.
pub(super) fn dollars_or_dash(value: Option<Usd>) -> String {
    value.map_or_else(|| "-".to_owned(), dollars)
}

/// A number of things: `1 job`, `2 jobs`.
pub(super) fn counted(number: i64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// A price, or a dash for `None`.
pub(super) fn price(price: Option<Price>) -> String {
    price.map_or_else(|| "-".to_owned(), brief::price)
}

/// Whole tokens, cut to six significant digits or to all before the point.
pub(super) fn tokens(whole: impl ToString) -> String {
    brief::amount(&whole.to_string())
}
