//! `prices`: the real history of a token, or a generated series for experiments.

use std::{
    fs::File,
    io::{BufWriter, ErrorKind, IsTerminal, Write, stderr, stdout},
    path::{Path, PathBuf},
};

use chrono::{DateTime, SecondsFormat, TimeZone, Utc};
use clap::Args;
use rust_decimal::Decimal;

use super::backtest::instant;
use crate::{
    app::{
        AppError,
        history::{self, History, HistoryRequest, PoolId, Step, parse_step},
        prices::{GeneratedSeries, INVENTED, SeriesRequest},
        target::address,
    },
    cli::{
        out::{Out, exists, has_directory, unwritable},
        wording::CommandLine,
    },
    config::Settings,
    domain::{Timestamp, brief, config::GeneratedConfig, span::Span},
};

#[derive(Debug, Args)]
pub struct PricesArgs {
    /// Fetch the real history of this token from GeckoTerminal instead of generating prices; what was fetched is kept
    /// on disk and never asked for again
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// With --token: chain of the token
    #[arg(long, default_value = "base", requires = "token")]
    chain: String,
    /// With --token: address or id of the pool [default: the deepest]
    #[arg(long, value_name = "POOL", requires = "token", value_parser = pool)]
    pool: Option<PoolId>,
    /// With --token: length of a candle: 1m, 5m, 15m, 1h, 4h, 12h or 1d
    #[arg(long, value_name = "SPAN", default_value = "1h", requires = "token", value_parser = parse_step)]
    step: Step,
    /// Date or time of the first row [default: 2026-01-01; with --token: 180 days before the last]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<Timestamp>,
    /// With --token: date or time of the last row [default: now]
    #[arg(long, value_name = "TIME", requires = "token", value_parser = instant)]
    to: Option<Timestamp>,
    /// Length of the series
    #[arg(
        long = "for",
        value_name = "SPAN",
        default_value = "180d",
        conflicts_with = "token"
    )]
    length: Span,
    /// Interval between rows
    #[arg(long, value_name = "SPAN", default_value = "15m", conflicts_with = "token")]
    every: Span,
    /// Seed; equal seeds give equal prices
    #[arg(long, default_value_t = 1, conflicts_with = "token")]
    seed: u64,
    /// Mean price of the series, USD
    #[arg(long, value_name = "USD", default_value = "1", conflicts_with = "token")]
    start_usd: Decimal,
    /// Amplitude of swings, per cent of --start-usd, 0 to 90
    #[arg(long, value_name = "PCT", default_value = "40", conflicts_with = "token")]
    swing_pct: Decimal,
    /// Approximate period of a large swing
    #[arg(long, value_name = "SPAN", default_value = "40d", conflicts_with = "token")]
    period: Span,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file of --out if it exists
    #[arg(long, requires = "out")]
    force: bool,
}

fn pool(text: &str) -> Result<PoolId, String> {
    PoolId::new(text).ok_or_else(|| "write 0x and 40 hexadecimal digits, or 64 for a V4 pool".to_owned())
}

/// Where a generated series begins.
fn beginning() -> Timestamp {
    Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0)
        .single()
        .unwrap_or(DateTime::UNIX_EPOCH)
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
            from: self.from.unwrap_or_else(beginning),
            length: self.length,
            every: self.every,
        }
    }
}

pub async fn run(settings: &Settings, out: Out, args: &PricesArgs) -> Result<(), AppError> {
    // Before anything is asked for.
    if let Some(path) = args.out.as_deref().filter(|path| path.is_file() && !args.force) {
        return Err(exists(path));
    }
    if let Some(path) = &args.out {
        has_directory("--out", path)?;
    }
    if let Some(token) = &args.token {
        return fetched(settings, out, args, token).await;
    }
    let series = GeneratedSeries::new(args.request())?;
    args.written(|to| write_generated(&series, to))?;
    if let Some(path) = &args.out {
        out.remark(&format!(
            "{} generated prices written to {}",
            series.rows(),
            path.display()
        ));
    }
    Ok(())
}

async fn fetched(settings: &Settings, out: Out, args: &PricesArgs, token: &str) -> Result<(), AppError> {
    let request = HistoryRequest {
        token: address(token)?,
        chain: args.chain.clone(),
        pool: args.pool.clone(),
        from: args.from,
        to: args.to,
        step: args.step,
    };
    let mut history = history::fetch(settings, &request, |at| progress(out, at)).await?;
    for remark in &mut history.remarks {
        remark.write(&CommandLine);
    }
    if args.out.is_some() || !out.is_json() {
        args.written(|to| write_history(&history, to))?;
    }
    if out.is_json() {
        if args.out.is_some() {
            history.prices.clear();
        }
        return out.show(&history, |_| String::new());
    }
    out.remark(&said(&history, args.out.as_deref()));
    Ok(())
}

/// For who waits at a terminal: a long history takes minutes.
pub(super) fn progress(out: Out, at: Timestamp) {
    if !out.is_json() && stderr().is_terminal() {
        out.remark(&format!("asking for prices before {}", minute(at)));
    }
}

fn minute(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%MZ").to_string()
}

/// What was found, and what is missing.
fn said(history: &History, path: Option<&Path>) -> String {
    let place = path.map_or_else(String::new, |path| format!(" written to {}", path.display()));
    let span = history.first.zip(history.last);
    let span = span.map_or_else(String::new, |(first, last)| {
        format!(", {} to {}", minute(first), minute(last))
    });
    let mut lines = vec![format!(
        "{} prices of {} on {}{place}{span}",
        brief::grouped(&history.rows.to_string()),
        if history.symbol.is_empty() {
            history.token.to_checksum(None)
        } else {
            history.symbol.clone()
        },
        history.chain,
    )];
    let named = [history.pool.name.as_str(), history.pool.dex.as_str()];
    let named: Vec<&str> = named.into_iter().filter(|word| !word.is_empty()).collect();
    lines.push(format!(
        "source: {}, pool {}{}{}, {} USD deep; last prices of candles of {}",
        history.source,
        history.pool.id.as_str(),
        if named.is_empty() { "" } else { ": " },
        named.join(" on "),
        history.depth(),
        history.step,
    ));
    lines.push(match history.longest_gap {
        None => "no gaps".to_owned(),
        Some(gap) => format!(
            "missing: {} candles without a trade in {} gaps, the longest {} to {}",
            history.missing,
            history.gaps,
            minute(gap.from),
            minute(gap.to)
        ),
    });
    lines.extend(history.remarks.iter().map(ToString::to_string));
    lines.push(match history.requests {
        0 => "all of it was on disk already".to_owned(),
        requests => format!("{requests} requests; closed candles are kept and not asked for again"),
    });
    lines.join("\n")
}

impl PricesArgs {
    /// Writes to the file of --out or to standard output.
    fn written(&self, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<(), AppError> {
        let Some(path) = &self.out else {
            return match write(&mut stdout().lock()) {
                // A closed pipe is no error.
                Err(source) if source.kind() != ErrorKind::BrokenPipe => Err(AppError::Io {
                    what: "standard output".to_owned(),
                    source,
                }),
                _ => Ok(()),
            };
        };
        let mut file = match File::create_new(path) {
            // A device is written to, not replaced.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && (self.force || !path.is_file()) => {
                File::create(path)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(exists(path)),
            created => created,
        }
        .map_err(|error| unwritable("--out", path, error))?;
        write(&mut file).map_err(|error| unwritable("--out", path, error))
    }
}

fn write_generated(series: &GeneratedSeries, to: impl Write) -> std::io::Result<()> {
    let mut to = BufWriter::new(to);
    writeln!(to, "{INVENTED}: {}", series.made_by())?;
    writeln!(to, "time,price")?;
    for (at, price) in series.iter() {
        writeln!(to, "{},{price}", at.to_rfc3339_opts(SecondsFormat::AutoSi, true))?;
    }
    to.flush()
}

pub(super) fn write_history(history: &History, mut to: impl Write) -> std::io::Result<()> {
    to.write_all(history.csv().as_bytes())?;
    to.flush()
}
