//! `prices`: generates a series for experiments.

use std::{
    fs::File,
    io::{BufWriter, ErrorKind, Write, stdout},
    path::PathBuf,
};

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use rust_decimal::Decimal;

use crate::{
    app::{
        AppError,
        prices::{GeneratedSeries, INVENTED, SeriesRequest},
    },
    cli::out::Out,
    domain::{config::GeneratedConfig, span::Span},
};

#[derive(Debug, Args)]
pub struct PricesArgs {
    /// Length of the series
    #[arg(long = "for", value_name = "SPAN", default_value = "180d")]
    length: Span,
    /// Interval between rows
    #[arg(long, value_name = "SPAN", default_value = "15m")]
    every: Span,
    /// Instant of the first row
    #[arg(long, value_name = "TIME", default_value = "2026-01-01T00:00:00Z")]
    from: DateTime<Utc>,
    /// Seed; equal seeds give equal prices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Mean price of the series, USD
    #[arg(long, value_name = "USD", default_value = "1")]
    start_usd: Decimal,
    /// Amplitude of swings, per cent of --start-usd, 0 to 90
    #[arg(long, value_name = "PCT", default_value = "40")]
    swing_pct: Decimal,
    /// Approximate period of a large swing
    #[arg(long, value_name = "SPAN", default_value = "40d")]
    period: Span,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl PricesArgs {
    fn request(&self) -> SeriesRequest {
        SeriesRequest {
            generated: GeneratedConfig {
                seed: self.seed,
                start_usd: self.start_usd,
                swing_pct: self.swing_pct,
                period: self.period,
            },
            from: self.from,
            length: self.length,
            every: self.every,
        }
    }
}

pub fn run(out: Out, args: &PricesArgs) -> Result<(), AppError> {
    let series = GeneratedSeries::new(args.request())?;
    let Some(path) = &args.out else {
        return match write(&series, stdout().lock()) {
            // A closed pipe is no error.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(io("standard output".to_owned(), error))
            }
            _ => Ok(()),
        };
    };
    let named = || path.display().to_string();
    let file = File::create(path).map_err(|error| io(named(), error))?;
    write(&series, file).map_err(|error| io(named(), error))?;
    out.remark(&format!(
        "{} generated prices written to {}",
        series.rows(),
        named()
    ));
    Ok(())
}

fn io(what: String, source: std::io::Error) -> AppError {
    AppError::Io { what, source }
}

fn write(series: &GeneratedSeries, to: impl Write) -> std::io::Result<()> {
    let mut to = BufWriter::new(to);
    writeln!(to, "{INVENTED}: {}", series.made_by())?;
    writeln!(to, "time,price")?;
    for (at, price) in series.iter() {
        writeln!(to, "{},{price}", at.to_rfc3339_opts(SecondsFormat::AutoSi, true))?;
    }
    to.flush()
}
