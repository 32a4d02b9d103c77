//! Prints text or JSON to standard output, errors to standard error.

use std::io::{IsTerminal, Write, stderr, stdout};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::json;

use super::{exit::Exit, wording::described};
use crate::{
    app::AppError,
    domain::{Timestamp, foreign::printable, units::Usd},
};

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
        Self::write(&printable(text))
    }

    /// Prints what another program reads, and we made ourselves.
    pub(super) fn verbatim(self, bytes: &[u8]) -> Result<(), AppError> {
        Self::write_bytes(bytes)
    }

    /// Clears the screen, if there is a terminal.
    pub(super) fn clear(self) -> Result<(), AppError> {
        if self.is_terminal() {
            Self::write("\x1b[H\x1b[J")
        } else {
            Ok(())
        }
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

/// Width without a terminal, columns.
const WIDTH_ELSEWHERE: usize = 120;

/// A table that fits the terminal, or 120 columns without one.
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic);
    if !stdout().is_terminal() {
        table.set_width(u16::try_from(WIDTH_ELSEWHERE).unwrap_or(u16::MAX));
    }
    table.set_header(header.to_vec());
    table.add_rows(rows);
    table.to_string()
}

/// Like [`table`], but omits columns of `spare`, in order, before it would break words.
pub(super) fn table_without(header: &[&str], rows: Vec<Vec<String>>, spare: &[&str]) -> String {
    let terminal = Table::new().width().map_or(WIDTH_ELSEWHERE, usize::from);
    let (kept, hidden) = columns_that_fit(header, &rows, spare, terminal);
    let pick = |row: &[String]| {
        kept.iter()
            .filter_map(|column| row.get(*column).cloned())
            .collect()
    };
    let names: Vec<&str> = kept
        .iter()
        .filter_map(|column| header.get(*column).copied())
        .collect();
    let mut printed = table(&names, rows.iter().map(|row| pick(row)));
    if !hidden.is_empty() {
        printed.push_str(&format!(
            "\nnot shown here: {}; widen the terminal, or use --json",
            hidden.join(", ")
        ));
    }
    printed
}

fn columns_that_fit<'a>(
    header: &[&'a str],
    rows: &[Vec<String>],
    spare: &[&'a str],
    terminal: usize,
) -> (Vec<usize>, Vec<&'a str>) {
    let needs = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(String::as_str);
        let widest = cells
            .chain(header.get(column).copied())
            .map(|cell| cell.chars().count());
        // The preset adds two blanks at the left and one at the right.
        widest.max().unwrap_or_default().saturating_add(3)
    };
    let mut kept: Vec<usize> = (0..header.len()).collect();
    let mut hidden = Vec::new();
    for name in spare {
        if kept.iter().map(|column| needs(*column)).sum::<usize>() <= terminal {
            break;
        }
        kept.retain(|column| header.get(*column) != Some(name));
        hidden.push(*name);
    }
    (kept, hidden)
}

/// USD in cents, with more digits only for smaller amounts. For display; JSON has all digits.
pub(super) fn dollars(value: Usd) -> String {
    let decimal = value.decimal();
    let cents = decimal.round_dp(2);
    if cents.is_zero() && !decimal.is_zero() {
        decimal.normalize().to_string()
    } else {
        format!("{cents:.2}")
    }
}

/// At most `digits` digits after the point, truncated. For display.
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

/// A number of things: `1 job`, `2 jobs`.
pub(super) fn counted(number: i64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// To the second, UTC.
pub(super) fn moment(time: Timestamp) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// An instant, or a dash for `None`.
pub(super) fn when(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "-".to_owned(), moment)
}

#[cfg(test)]
mod tests {
    use super::columns_that_fit;

    #[test]
    fn spare_columns_go_in_their_order_and_only_as_many_as_must() {
        let header = ["job", "mode", "price", "next"];
        let rows = vec![vec![
            "1".into(),
            "accumulate".into(),
            "0.25".into(),
            "12:00:00".into(),
        ]];
        let spare = ["mode", "next"];
        for (terminal, kept, hidden) in [
            (38, vec![0, 1, 2, 3], vec![]),
            (37, vec![0, 2, 3], vec!["mode"]),
            (24, vec![0, 2], vec!["mode", "next"]),
            (1, vec![0, 2], vec!["mode", "next"]),
        ] {
            assert_eq!(
                columns_that_fit(&header, &rows, &spare, terminal),
                (kept, hidden),
                "{terminal}"
            );
        }
    }
}
