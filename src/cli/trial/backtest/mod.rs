//! `backtest`: runs a job's rules over a file of prices. No database, no network.

mod basket;
mod page;
mod sweep;
pub(super) mod table;

use std::path::{Path, PathBuf};

use chrono::Utc;
use clap::{Args, ValueEnum};
use rust_decimal::Decimal;

use crate::{
    app::{
        AppError,
        backtest::{self, BacktestRequest},
    },
    backtest::{
        Detail,
        result::{BacktestResult, SetupSummary, TradeLine},
        series::{CandleTime, ReadOptions, parse_instant},
    },
    cli::{
        mode::ModeArg,
        out::{Out, has_directory, unwritable},
    },
    config::{JobLayers, Settings},
    domain::{
        Timestamp,
        decision::{Reason, Side},
        units::{Price, TOKEN_DECIMALS_MAX, Usd},
    },
    report,
};

#[derive(Debug, Args)]
pub struct BacktestArgs {
    /// CSV of time and price, or of candles, as exchanges and price sites write them;
    /// docs/backtest.md lists what is read. A basket: once for each member, in the order of the file's [[member]]
    /// tables
    #[arg(long, value_name = "FILE", required = true)]
    prices: Vec<PathBuf>,
    /// Job configuration file, or file of a basket, TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one key of the configuration, such as accumulate.dca_amount_usd=25
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// How the job trades [default: the mode whose keys are given]
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,
    /// Skip rows before this date or time
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<Timestamp>,
    /// Skip rows after this date or time
    #[arg(long, value_name = "TIME", value_parser = instant)]
    to: Option<Timestamp>,
    /// Whether a candle's time is its start or its end
    #[arg(long, value_enum, default_value_t = CandleTimeArg::Open)]
    candle_time: CandleTimeArg,
    /// Skip unusable rows instead of refusing the file
    #[arg(long)]
    skip_bad: bool,
    /// Decimals of the token [default: 18]
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=i64::from(TOKEN_DECIMALS_MAX)))]
    decimals: Option<u8>,
    /// Ticker of the token, for the report
    #[arg(long, value_name = "TICKER")]
    symbol: Option<String>,
    /// An order to sell: how many whole tokens it begins with, such as 1200
    #[arg(long, value_name = "AMOUNT", requires = "cost")]
    tokens: Option<String>,
    /// An order to sell: what these tokens cost in all, USD; 0 if they cost nothing
    #[arg(long, value_name = "USD", requires = "tokens", allow_negative_numbers = true)]
    cost: Option<Decimal>,
    /// Write every trade to this CSV file
    #[arg(long, value_name = "FILE")]
    trades: Option<PathBuf>,
    /// Write a report with charts to this HTML file; with --sweep: of the best configuration
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    sweep: sweep::SweepArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CandleTimeArg {
    /// Start of the candle, the usual convention of exchanges
    Open,
    /// End of the candle
    Close,
}

pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    parse_instant(text)
        .ok_or_else(|| "write a date or time such as 2026-01-31 or 2026-01-31T12:00:00Z".to_owned())
}

pub fn run(settings: &Settings, out: Out, args: &BacktestArgs) -> Result<(), AppError> {
    args.sweep.check_against(&args.set)?;
    for (flag, path) in [
        ("--trades", args.trades.as_ref()),
        ("--report", args.report.as_ref()),
        ("--csv", args.sweep.csv.as_ref()),
    ] {
        path.map_or(Ok(()), |path| has_directory(flag, path))?;
    }
    if args.prices.len() > 1 {
        return basket::run(settings, out, &args.of_basket());
    }
    let request = args.request()?;
    if args.sweep.is_asked_for() {
        let files = args.report.is_some() || args.trades.is_some();
        let best = files.then(|| detail(out, args));
        return match sweep::run(settings, out, &request, &args.sweep, best)? {
            Some(result) => write_files(out, args, &result),
            None => Ok(()),
        };
    }
    let result = backtest::run(settings, &request, detail(out, args))?;
    write_files(out, args, &result)?;
    out.show(&result, table::render)
}

/// Decimals of most tokens.
const USUAL_DECIMALS: u8 = 18;

impl BacktestArgs {
    fn of_basket(&self) -> basket::Given<'_> {
        basket::Given {
            prices: &self.prices,
            config: self.config.as_deref(),
            set: &self.set,
            read: self.read_options(),
            sweep: &self.sweep,
            single: [
                ("--trades", self.trades.is_some()),
                ("--decimals", self.decimals.is_some()),
                ("--symbol", self.symbol.is_some()),
                ("--tokens", self.tokens.is_some()),
            ],
            report: self.report.as_deref(),
        }
    }

    const fn read_options(&self) -> ReadOptions {
        ReadOptions {
            from: self.from,
            to: self.to,
            candle_time: match self.candle_time {
                CandleTimeArg::Open => CandleTime::Open,
                CandleTimeArg::Close => CandleTime::Close,
            },
            skip_bad: self.skip_bad,
        }
    }

    fn request(&self) -> Result<BacktestRequest, AppError> {
        Ok(BacktestRequest {
            prices: self.prices.first().cloned().unwrap_or_default(),
            read: self.read_options(),
            given: JobLayers::of_job()
                .file(self.config.as_deref())?
                .assignments(&self.set, "--set")?,
            mode: self.mode.map(Into::into),
            decimals: self.decimals.unwrap_or(USUAL_DECIMALS),
            symbol: self.symbol.clone(),
            sells: self.tokens.clone().zip(self.cost),
        })
    }
}

/// Keeps only what is shown or written: chart points cost more than all decisions.
fn detail(out: Out, args: &BacktestArgs) -> Detail {
    if out.is_json() || args.report.is_some() {
        return Detail::REPORT;
    }
    Detail {
        trades: args.trades.is_some(),
        ..Detail::SUMMARY
    }
}

/// Writes the requested files.
fn write_files(out: Out, args: &BacktestArgs, result: &BacktestResult) -> Result<(), AppError> {
    if let Some(path) = &args.trades {
        write_trades(path, result)?;
        let count = result.trades.len();
        out.remark(&format!("{count} trades written to {}", path.display()));
    }
    if let Some(path) = &args.report {
        let page = report::page(result, Utc::now()).map_err(|error| AppError::Internal(error.to_string()))?;
        page::write(out, path, &page)?;
    }
    Ok(())
}

/// A row of the CSV. Amounts are exact, in whole tokens.
#[derive(serde::Serialize)]
struct CsvTrade {
    time: Timestamp,
    side: Side,
    reason: Reason,
    price_usd: Price,
    fill_price_usd: Price,
    base_amount: String,
    quote_amount: String,
    quote_usd: Usd,
    fee_usd: Usd,
    gas_usd: Usd,
    realized_usd: Usd,
    position: String,
    cost_basis_usd: Usd,
    average_cost_usd: Option<Price>,
}

impl CsvTrade {
    fn of(trade: &TradeLine, setup: &SetupSummary) -> Self {
        Self {
            time: trade.at,
            side: trade.side,
            reason: trade.reason,
            price_usd: trade.price,
            fill_price_usd: trade.fill_price,
            base_amount: trade.base_amount.to_whole(setup.token_decimals),
            quote_amount: trade.quote_amount.to_whole(setup.quote_decimals),
            quote_usd: trade.quote_usd,
            fee_usd: trade.fee_usd,
            gas_usd: trade.gas_usd,
            realized_usd: trade.realized_usd,
            position: trade.token_balance.to_whole(setup.token_decimals),
            cost_basis_usd: trade.cost_basis,
            average_cost_usd: trade.average_cost,
        }
    }
}

fn write_trades(path: &Path, result: &BacktestResult) -> Result<(), AppError> {
    let write = || -> Result<(), csv::Error> {
        let mut writer = csv::Writer::from_path(path)?;
        for trade in &result.trades {
            writer.serialize(CsvTrade::of(trade, &result.setup))?;
        }
        writer.flush()?;
        Ok(())
    };
    write().map_err(|error| unwritable("--trades", path, error))
}
