//! `trades`.

use clap::Args;

use super::filters::FilterArgs;
use crate::{
    app::{
        App, AppError,
        jobs::trades::{self, TradeLine},
    },
    cli::out::{Look, Out, Sheet, dollars, moment, price, tokens},
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

const HEADER: [&str; 11] = [
    "trade",
    "token",
    "realm",
    "slot",
    "reason",
    "status",
    "tokens",
    "quote",
    "price",
    "realised",
    "transaction",
];

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
            line.realm.to_string(),
            moment(line.slot),
            line.reason.to_string(),
            line.status.to_string(),
            tokens(line.base_amount),
            tokens(line.quote_amount),
            price(Some(line.price_usd)),
            line.realized_usd
                .filter(|_| line.side == Side::Sell)
                .map_or_else(|| "-".to_owned(), dollars),
            outcome,
        ]
    });
    let sheet = Sheet {
        header: &HEADER,
        rows: rows.collect(),
        spare: &["transaction", "price", "slot", "quote", "realm", "realised"],
        ..Sheet::default()
    };
    sheet.print(Look::current())
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
