//! `trades` and `export`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::{
    app::{App, AppError},
    cli::{
        out::{Out, dollars, moment, short, table_without},
        target::TargetArgs,
    },
    config::Settings,
    domain::{
        Timestamp,
        decision::{Reason, Side},
        ids::TradeId,
        job::{JobId, Realm},
        trade::TradeStatus,
        units::{Price, Usd},
    },
    store::views::{self, TradeFilter, TradeRow},
};

#[derive(Debug, Args)]
pub struct TradesArgs {
    /// Only of this job: token address, job number or ticker
    token: Option<String>,
    /// Only jobs on this chain
    #[arg(long)]
    chain: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Only of this job: token address, job number or ticker
    token: Option<String>,
    /// Only jobs on this chain
    #[arg(long)]
    chain: Option<String>,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A trade in one line. Amounts are in whole tokens, exact.
#[derive(Debug, Clone, Serialize)]
pub struct TradeLine {
    pub trade: TradeId,
    job: JobId,
    symbol: String,
    chain: String,
    cycle: i32,
    slot: Timestamp,
    side: Side,
    pub reason: Reason,
    pub status: TradeStatus,
    base_amount: String,
    quote_amount: String,
    price_usd: Price,
    quote_usd: Option<Usd>,
    gas_usd: Usd,
    cost_basis_sold_usd: Option<Usd>,
    realized_pnl_usd: Option<Usd>,
    tx_hash: Option<String>,
    /// The transaction's page in the chain's explorer; live trades only.
    pub link: Option<String>,
    failure_kind: Option<String>,
    error: Option<String>,
    /// What it waits for while it is open.
    note: Option<String>,
    created_at: Timestamp,
    executed_at: Option<Timestamp>,
}

impl TradeLine {
    pub fn of(row: &TradeRow, settings: &Settings) -> Self {
        let explorer = settings.chain(&row.chain).ok().map(|chain| chain.explorer_tx);
        let explorer = explorer.filter(|page| row.realm == Realm::Live && !page.is_empty());
        Self {
            link: explorer.zip(row.tx_hash.as_ref()).map(|(page, hash)| page + hash),
            trade: row.id,
            job: row.job,
            symbol: row.symbol.clone(),
            chain: row.chain.clone(),
            cycle: row.cycle,
            slot: row.slot,
            side: row.side,
            reason: row.reason,
            status: row.status,
            base_amount: row.base_amount.to_whole(row.decimals.0),
            quote_amount: row.quote_amount.to_whole(row.decimals.1),
            price_usd: row.price,
            quote_usd: row.quote_usd,
            gas_usd: row.gas_usd,
            cost_basis_sold_usd: row.cost_sold,
            realized_pnl_usd: row.realized,
            tx_hash: row.tx_hash.clone(),
            failure_kind: row.failure.clone(),
            error: row.error.clone(),
            note: row.note.clone(),
            created_at: row.created_at,
            executed_at: row.executed_at,
        }
    }
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
            short(&line.base_amount, 4),
            short(&line.quote_amount, 4),
            short(&line.price_usd.to_string(), 6),
            line.realized_pnl_usd
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
            "PnL",
            "transaction",
        ],
        rows.collect(),
        &["transaction", "price", "slot", "quote", "PnL"],
    )
}

pub async fn run(settings: &Settings, out: Out, args: &TradesArgs) -> Result<(), AppError> {
    let world = App::read(settings).await?;
    let job = job_of(&world, args.token.as_ref(), args.chain.as_ref()).await?;
    let rows = views::trades(
        &world.pool,
        &TradeFilter {
            job,
            open: false,
            limit: Some(args.limit),
        },
    )
    .await?;
    let lines: Vec<TradeLine> = rows.iter().map(|row| TradeLine::of(row, settings)).collect();
    out.show(&lines, |lines| {
        if lines.is_empty() {
            "no trades yet".to_owned()
        } else {
            render(lines)
        }
    })
}

async fn job_of(
    world: &App,
    token: Option<&String>,
    chain: Option<&String>,
) -> Result<Option<JobId>, AppError> {
    let Some(token) = token else { return Ok(None) };
    let target = TargetArgs {
        token: token.clone(),
        chain: chain.cloned(),
    };
    Ok(Some(
        crate::app::target::find(&world.pool, &(&target).into()).await?.id,
    ))
}

pub async fn export(settings: &Settings, out: Out, args: &ExportArgs) -> Result<(), AppError> {
    let world = App::read(settings).await?;
    let job = job_of(&world, args.token.as_ref(), args.chain.as_ref()).await?;
    let rows = views::trades(
        &world.pool,
        &TradeFilter {
            job,
            open: false,
            limit: None,
        },
    )
    .await?;
    // A ledger is read from its beginning.
    let lines: Vec<TradeLine> = rows
        .iter()
        .rev()
        .map(|row| TradeLine::of(row, settings))
        .collect();
    if out.is_json() && args.out.is_none() {
        return out.show(&lines, |_| String::new());
    }
    let csv = csv_of(&lines).map_err(|error| AppError::Internal(error.to_string()))?;
    match &args.out {
        None => out.raw(&csv),
        Some(path) => {
            std::fs::write(path, csv).map_err(|error| {
                AppError::Usage(format!(
                    "--out {}: {error}; give a file that can be written",
                    path.display()
                ))
            })?;
            out.remark(&format!("{} trades written to {}", lines.len(), path.display()));
            Ok(())
        }
    }
}

/// Text from outside as a spreadsheet shows it: it would run what begins like a formula.
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
