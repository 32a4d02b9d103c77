//! `trades`.

use clap::Args;

use super::filters::FilterArgs;
use crate::{
    app::{
        App, AppError,
        jobs::trades::{self, TradeLine},
    },
    cli::out::{Out, dollars, moment, short, table_without},
    config::Settings,
    domain::decision::Side,
};

#[derive(Debug, Args)]
pub struct TradesArgs {
    #[command(flatten)]
    filters: FilterArgs,
    /// Maximum number of rows
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
}

pub fn render(lines: &[TradeLine]) -> String {
    let rows = lines.iter().map(|line| {
        let outcome = match (&line.failure_kind, &line.tx_hash) {
            (Some(kind), _) => kind.clone(),
            (None, Some(hash)) => hash.chars().take(12).collect(),
            (None, None) => line
                .note
                .as_ref()
                .or(line.error.as_ref())
                .cloned()
                .unwrap_or_default(),
        };
        vec![
            line.trade.to_string(),
            line.symbol.clone(),
            line.realm.to_string(),
            moment(line.slot),
            line.reason.to_string(),
            line.status.to_string(),
            short(&line.base_amount.to_string(), 4),
            short(&line.quote_amount.to_string(), 4),
            short(&line.price_usd.to_string(), 6),
            dollars(line.gas_usd),
            line.realized_usd
                .filter(|_| line.side == Side::Sell)
                .map_or_else(|| "-".to_owned(), dollars),
            outcome,
        ]
    });
    let table = table_without(
        &[
            "trade",
            "token",
            "realm",
            "slot",
            "reason",
            "status",
            "tokens",
            "quote",
            "price",
            "gas",
            "realised",
            "transaction",
        ],
        rows.collect(),
        &[
            "transaction",
            "price",
            "slot",
            "quote",
            "realm",
            "gas",
            "realised",
        ],
    );
    format!("{table}\nUSD; realised is before gas")
}

pub async fn run(settings: &Settings, out: Out, args: &TradesArgs) -> Result<(), AppError> {
    let period = args.filters.period()?;
    let app = App::read(settings).await?;
    let lines = trades::newest(&app, &args.filters.jobs(), period, args.limit).await?;
    out.show(&lines, |lines| {
        if lines.is_empty() {
            args.filters.nothing()
        } else {
            render(lines)
        }
    })
}
