//! The formats of an export.

use clap::ValueEnum;
use serde::Serialize;
use strum::Display;

use super::{sink::Sink, tools};
use crate::app::{
    AppError,
    jobs::export::{ExportLine, table},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Display)]
#[strum(serialize_all = "lowercase")]
pub enum Format {
    /// Every column, with realm, addresses and cost basis
    Csv,
    /// The same as JSON
    Json,
    /// Koinly's universal template
    Koinly,
    /// CoinTracker's CSV template
    #[value(name = "cointracker")]
    CoinTracker,
    /// CoinTracking's custom CSV
    #[value(name = "cointracking")]
    CoinTracking,
}

impl Format {
    /// Whether a tax tool imports it.
    pub(super) const fn is_of_a_tool(self) -> bool {
        !matches!(self, Self::Csv | Self::Json)
    }
}

/// Writes rows in a format, one at a time.
pub(super) struct Writer {
    format: Format,
    sink: Sink,
    rows: u64,
}

impl Writer {
    pub(super) fn new(format: Format, sink: Sink) -> Result<Self, AppError> {
        let mut writer = Self {
            format,
            sink,
            rows: 0,
        };
        match format {
            Format::Csv => writer.sink.push(&table::heading()?)?,
            Format::Json => writer.sink.push("[")?,
            Format::Koinly => writer.record(&tools::KOINLY)?,
            Format::CoinTracker => writer.record(&tools::COINTRACKER)?,
            Format::CoinTracking => writer.record(&tools::COINTRACKING)?,
        }
        Ok(writer)
    }

    pub(super) fn line(&mut self, line: &ExportLine) -> Result<(), AppError> {
        match self.format {
            Format::Csv => self.sink.push(&table::row(line)?)?,
            Format::Json => self.json_row(line)?,
            Format::Koinly => self.record(&tools::koinly(line))?,
            Format::CoinTracker => self.record(&tools::cointracker(line))?,
            Format::CoinTracking => {
                for row in tools::cointracking(line)? {
                    self.record(&row)?;
                }
            }
        }
        self.rows = self.rows.saturating_add(1);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(), AppError> {
        if self.format == Format::Json {
            self.sink.push(if self.rows == 0 { "]\n" } else { "\n]\n" })?;
        }
        self.sink.finish()
    }

    fn record<T: AsRef<str>>(&mut self, fields: &[T]) -> Result<(), AppError> {
        let fields = fields.iter().map(AsRef::as_ref);
        self.sink
            .push(&table::written(|writer| writer.write_record(fields))?)
    }

    fn json_row(&mut self, line: &ExportLine) -> Result<(), AppError> {
        let text = pretty(line).map_err(|error| AppError::Internal(error.to_string()))?;
        self.sink.push(if self.rows == 0 { "\n" } else { ",\n" })?;
        self.sink.push(&text)
    }
}

/// An element of an array, indented as one.
fn pretty<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    let text = serde_json::to_string_pretty(value)?;
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    Ok(lines.join("\n"))
}
