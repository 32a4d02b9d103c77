//! `prices`: an invented series to try things on.

use std::{
    fs::File,
    io::{BufWriter, Write, stdout},
    path::PathBuf,
};

use alloy_primitives::Address;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use rust_decimal::Decimal;

use crate::{
    app::AppError,
    cli::out::Out,
    domain::{
        config::{GeneratedConfig, JobConfig},
        job::JobMode,
        span::Span,
    },
    prices,
};

/// Most rows of one series.
const ROWS_MAX: u64 = 20_000_000;

#[derive(Debug, Args)]
pub struct PricesArgs {
    /// How long the series is, such as 180d
    #[arg(long = "for", value_name = "SPAN", default_value = "180d")]
    length: Span,
    /// Time from one row to the next
    #[arg(long, value_name = "SPAN", default_value = "15m")]
    every: Span,
    /// Instant of the first row
    #[arg(long, value_name = "TIME", default_value = "2026-01-01T00:00:00Z")]
    from: DateTime<Utc>,
    /// Chooses the series; the same seed gives the same prices for ever
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Price that the series swings around, USD
    #[arg(long, value_name = "USD", default_value = "1")]
    start_usd: Decimal,
    /// How far it swings to each side, 0 to 90 per cent
    #[arg(long, value_name = "PCT", default_value = "40")]
    swing_pct: Decimal,
    /// About how long one large swing takes
    #[arg(long, value_name = "SPAN", default_value = "40d")]
    period: Span,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn run(out: Out, args: &PricesArgs) -> Result<(), AppError> {
    let config = series(args)?;
    let rows = rows(args)?;
    match &args.out {
        None => match write(args, &config, rows, stdout().lock()) {
            // A reader that has gone away is no error.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(io("standard output".to_owned(), error))
            }
            _ => Ok(()),
        },
        Some(path) => {
            let named = || path.display().to_string();
            let file = File::create(path).map_err(|error| io(named(), error))?;
            write(args, &config, rows, file).map_err(|error| io(named(), error))?;
            out.remark(&format!("{rows} invented prices are in {}", named()));
            Ok(())
        }
    }
}

/// Checked as the keys `price.generated` of a job are.
fn series(args: &PricesArgs) -> Result<GeneratedConfig, AppError> {
    let generated = GeneratedConfig {
        seed: args.seed,
        start_usd: args.start_usd,
        swing_pct: args.swing_pct,
        period: args.period,
    };
    let mut config = JobConfig::for_mode(JobMode::Accumulate);
    config.price.generated = generated.clone();
    config.validate(JobMode::Accumulate).map_err(AppError::Config)?;
    Ok(generated)
}

fn rows(args: &PricesArgs) -> Result<u64, AppError> {
    let rows = args
        .length
        .std()
        .as_millis()
        .checked_div(args.every.std().as_millis());
    let last = args.from.checked_add_signed(args.length.delta());
    match rows.map(u64::try_from) {
        None => Err(AppError::Usage(
            "--every 0s: it must be longer than nothing".to_owned(),
        )),
        Some(Ok(rows)) if rows < ROWS_MAX && last.is_some() => Ok(rows.saturating_add(1)),
        Some(_) => Err(AppError::Usage(format!(
            "--for {} --every {}: that is more than {ROWS_MAX} rows; take a longer --every",
            args.length, args.every
        ))),
    }
}

fn io(what: String, source: std::io::Error) -> AppError {
    AppError::Io { what, source }
}

fn write(args: &PricesArgs, config: &GeneratedConfig, rows: u64, to: impl Write) -> std::io::Result<()> {
    let mut to = BufWriter::new(to);
    writeln!(to, "time,price")?;
    let mut at = args.from;
    for _ in 0..rows {
        let price = prices::generated(config, Address::ZERO, at);
        writeln!(to, "{},{price}", at.to_rfc3339_opts(SecondsFormat::AutoSi, true))?;
        at += args.every.delta();
    }
    to.flush()
}
