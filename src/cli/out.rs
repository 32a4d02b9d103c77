//! Printing: text or JSON to standard output, errors to standard error.

use std::io::{IsTerminal, Write, stderr, stdout};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::json;

use super::CliError;
use crate::domain::{Timestamp, units::Usd};

/// Where and how to print.
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

    /// Prints a view: as JSON, or as the text that `text` makes of it.
    pub(super) fn show<T: Serialize>(
        self,
        view: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), CliError> {
        if self.json {
            let printed =
                serde_json::to_string_pretty(view).map_err(|error| CliError::Internal(error.to_string()))?;
            return self.raw(&format!("{printed}\n"));
        }
        let mut printed = text(view);
        if !printed.ends_with('\n') {
            printed.push('\n');
        }
        self.raw(&printed)
    }

    /// Prints as it is. A reader that has gone away is no error.
    pub(super) fn raw(self, text: &str) -> Result<(), CliError> {
        let mut output = stdout().lock();
        match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(CliError::Io {
                what: "standard output".to_owned(),
                source: error,
            }),
            _ => Ok(()),
        }
    }

    /// A remark beside the result: never on standard output.
    pub(super) fn remark(self, text: &str) {
        let _ = writeln!(stderr().lock(), "{text}");
    }

    pub(super) fn error(self, error: &CliError) {
        let message = error.to_string();
        let printed = if self.json {
            json!({ "error": { "code": error.exit().code(), "message": message } }).to_string()
        } else {
            format!("error: {message}")
        };
        self.remark(&printed);
    }

    pub(super) fn is_terminal(self) -> bool {
        !self.json && stdout().is_terminal()
    }
}

/// A table that fits the terminal, or 120 columns where there is none.
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic);
    if !stdout().is_terminal() {
        table.set_width(120);
    }
    table.set_header(header.to_vec());
    table.add_rows(rows);
    table.to_string()
}

/// Cents, and more digits only where cents would show nothing. For people: JSON has all digits.
pub(super) fn dollars(value: Usd) -> String {
    let decimal = value.decimal();
    let cents = decimal.round_dp(2);
    if cents.is_zero() && !decimal.is_zero() {
        decimal.normalize().to_string()
    } else {
        format!("{cents:.2}")
    }
}

/// At most so many digits after the point, cut, for people.
pub(super) fn short(text: &str, digits: usize) -> String {
    match text.split_once('.') {
        Some((whole, fraction)) if fraction.len() > digits => {
            let cut: String = fraction.chars().take(digits).collect();
            let cut = cut.trim_end_matches('0');
            if cut.is_empty() && whole == "0" {
                text.to_owned()
            } else if cut.is_empty() {
                whole.to_owned()
            } else {
                format!("{whole}.{cut}")
            }
        }
        _ => text.to_owned(),
    }
}

/// To the second, UTC.
pub(super) fn moment(time: Timestamp) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}
