//! An export as a table of every column, CSV.

use super::line::ExportLine;
use crate::app::AppError;

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

/// The first line.
///
/// # Errors
/// [`AppError::Internal`].
pub fn heading() -> Result<String, AppError> {
    written(|writer| writer.write_record(COLUMNS))
}

/// The line of a row.
///
/// # Errors
/// [`AppError::Internal`].
pub fn row(line: &ExportLine) -> Result<String, AppError> {
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
    written(|writer| writer.serialize(line))
}

/// What is written, as text.
///
/// # Errors
/// [`AppError::Internal`].
pub fn written(
    write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> Result<(), csv::Error>,
) -> Result<String, AppError> {
    let broken = |error: String| AppError::Internal(error);
    let mut writer = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(Vec::new());
    write(&mut writer).map_err(|error| broken(error.to_string()))?;
    let bytes = writer.into_inner().map_err(|error| broken(error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Escapes foreign text for a spreadsheet, which would run text that looks like a formula. Numbers are never escaped.
#[must_use]
pub fn inert(text: &str) -> String {
    let formula = |first| {
        matches!(
            first,
            '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠'
        )
    };
    if text.trim_start_matches(' ').starts_with(formula) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_a_spreadsheet_would_run_is_inert_and_other_text_stays() {
        for formula in [
            "=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", "\n=1", "  =1", "＝1+1",
        ] {
            assert_eq!(inert(formula), format!("'{formula}"));
        }
        for fine in ["CLAWD", "1INCH", "a=b", "", " x", "$PEPE"] {
            assert_eq!(inert(fine), fine);
        }
    }
}
