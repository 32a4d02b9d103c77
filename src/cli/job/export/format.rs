//! The formats of an export.

use clap::ValueEnum;
use serde::Serialize;
use strum::Display;

use super::{sink::Sink, text::inert, tools};
use crate::app::{AppError, jobs::export::ExportLine};

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
            Format::Csv => writer.record(&COLUMNS)?,
            Format::Json => writer.sink.push("[")?,
            Format::Koinly => writer.record(&tools::KOINLY)?,
            Format::CoinTracker => writer.record(&tools::COINTRACKER)?,
            Format::CoinTracking => writer.record(&tools::COINTRACKING)?,
        }
        Ok(writer)
    }

    pub(super) fn line(&mut self, line: &ExportLine) -> Result<(), AppError> {
        match self.format {
            Format::Csv => self.table_row(line)?,
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
        self.csv(|writer| writer.write_record(fields.iter().map(AsRef::as_ref)))
    }

    fn table_row(&mut self, line: &ExportLine) -> Result<(), AppError> {
        let safe = |text: &Option<String>| text.as_deref().map(inert);
        let line = ExportLine {
            symbol: inert(&line.symbol),
            quote_currency: safe(&line.quote_currency),
            sent_currency: safe(&line.sent_currency),
            received_currency: safe(&line.received_currency),
            fee_currency: safe(&line.fee_currency),
            note: safe(&line.note),
            ..line.clone()
        };
        self.csv(|writer| writer.serialize(line))
    }

    fn csv(
        &mut self,
        write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> Result<(), csv::Error>,
    ) -> Result<(), AppError> {
        let mut writer = csv::WriterBuilder::new()
            .has_headers(false)
            .from_writer(Vec::new());
        let written = write(&mut writer).map_err(|error| AppError::Internal(error.to_string()));
        let bytes = writer
            .into_inner()
            .map_err(|error| AppError::Internal(error.to_string()))?;
        written?;
        self.sink.push(&String::from_utf8_lossy(&bytes))
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

/// The columns of a CSV file, in the order of the fields of a row.
const COLUMNS: [&str; 38] = [
    "kind",
    "at",
    "realm",
    "chain",
    "wallet",
    "job",
    "symbol",
    "token_address",
    "quote_currency",
    "quote_address",
    "trade",
    "withdrawal",
    "cycle",
    "slot",
    "side",
    "reason",
    "status",
    "sent_amount",
    "sent_currency",
    "received_amount",
    "received_currency",
    "fee_amount",
    "fee_currency",
    "gas_usd",
    "base_amount",
    "quote_amount",
    "price_usd",
    "quote_usd",
    "cost_basis_average_usd",
    "realized_average_usd",
    "cost_basis_fifo_usd",
    "realized_fifo_usd",
    "tx_hash",
    "link",
    "failure_kind",
    "note",
    "created_at",
    "executed_at",
];
