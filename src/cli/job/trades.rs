//! `trades` and `export`.

use std::path::PathBuf;

use clap::Args;

use crate::{
    app::{
        App, AppError, Target,
        jobs::trades::{self, TradeLine},
    },
    cli::out::{Out, dollars, moment, short, table_without},
    config::Settings,
    domain::decision::Side,
};

#[derive(Debug, Args)]
pub struct TradesArgs {
    /// Only trades of this job: token address, job number or ticker
    token: Option<String>,
    /// Only trades on this chain
    #[arg(long)]
    chain: Option<String>,
    /// Maximum number of rows
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Only trades of this job: token address, job number or ticker
    token: Option<String>,
    /// Only trades on this chain
    #[arg(long)]
    chain: Option<String>,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn render(lines: &[TradeLine]) -> String {
    let rows = lines.iter().map(|line| {
        let outcome = match (&line.failure_kind, &line.tx_hash) {
            (Some(kind), _) => kind.clone(),
            (None, Some(hash)) => hash.chars().take(12).collect(),
            (None, None) => line.note.clone().unwrap_or_default(),
        };
        vec![
            line.trade.to_string(),
            line.symbol.clone(),
            moment(line.slot),
            line.reason.to_string(),
            line.status.to_string(),
            short(&line.base_amount.to_string(), 4),
            short(&line.quote_amount.to_string(), 4),
            short(&line.price_usd.to_string(), 6),
            line.realized_usd
                .filter(|_| line.side == Side::Sell)
                .map_or_else(|| "-".to_owned(), dollars),
            outcome,
        ]
    });
    table_without(
        &[
            "trade",
            "token",
            "slot",
            "reason",
            "status",
            "tokens",
            "quote",
            "price",
            "realised",
            "transaction",
        ],
        rows.collect(),
        &["transaction", "price", "slot", "quote", "realised"],
    )
}

pub async fn run(settings: &Settings, out: Out, args: &TradesArgs) -> Result<(), AppError> {
    let app = App::read(settings).await?;
    let target = target(args.token.as_ref(), args.chain.as_ref());
    let lines = trades::newest(&app, target.as_ref(), Some(args.limit)).await?;
    out.show(&lines, |lines| {
        if lines.is_empty() {
            "no trades yet".to_owned()
        } else {
            render(lines)
        }
    })
}

fn target(token: Option<&String>, chain: Option<&String>) -> Option<Target> {
    token.map(|token| Target {
        token: token.clone(),
        chain: chain.cloned(),
    })
}

pub async fn export(settings: &Settings, out: Out, args: &ExportArgs) -> Result<(), AppError> {
    let app = App::read(settings).await?;
    let target = target(args.token.as_ref(), args.chain.as_ref());
    let lines = trades::ledger(&app, target.as_ref()).await?;
    if out.is_json() && args.out.is_none() {
        return out.show(&lines, |_| String::new());
    }
    let csv = csv_of(&lines).map_err(|error| AppError::Internal(error.to_string()))?;
    let Some(path) = &args.out else {
        return out.raw(&csv);
    };
    std::fs::write(path, csv).map_err(|error| {
        AppError::Usage(format!("--out {}: {error}; give a writable file", path.display()))
    })?;
    out.remark(&format!("{} trades written to {}", lines.len(), path.display()));
    Ok(())
}

/// Escapes foreign text for a spreadsheet, which would run text that looks like a formula.
fn inert(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn csv_of(lines: &[TradeLine]) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for line in lines {
        writer.serialize(TradeLine {
            symbol: inert(&line.symbol),
            error: line.error.as_deref().map(inert),
            note: line.note.as_deref().map(inert),
            ..line.clone()
        })?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
