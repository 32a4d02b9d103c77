//! `trades`.

use clap::{Args, ValueEnum};

use super::{filters::FilterArgs, list::realm};
use crate::{
    app::{
        App, AppError,
        jobs::trades::{self, TradeLine, TradeOrder},
    },
    cli::out::{Clock, Look, Out, Sheet, dollars, dollars_or_dash, price, tokens},
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
    /// Order of these rows
    #[arg(long, value_enum, default_value_t = Sort::Trade)]
    sort: Sort,
}

/// The order of trades: the newest first, or the highest first of what is a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    Trade,
    Token,
    Reason,
    Status,
    Price,
    Value,
    Gas,
    Realised,
}

impl From<Sort> for TradeOrder {
    fn from(sort: Sort) -> Self {
        match sort {
            Sort::Trade => Self::Trade,
            Sort::Token => Self::Token,
            Sort::Reason => Self::Reason,
            Sort::Status => Self::Status,
            Sort::Price => Self::Price,
            Sort::Value => Self::Value,
            Sort::Gas => Self::Gas,
            Sort::Realised => Self::Realised,
        }
    }
}

const HEADER: [&str; 15] = [
    "trade",
    "realm",
    "chain",
    "token",
    "slot",
    "side",
    "reason",
    "status",
    "tokens",
    "quote",
    "price",
    "gas",
    "realised",
    "transaction",
    "error",
];

/// Columns that a narrow terminal omits, least important first.
const SPARE: [&str; 7] = [
    "gas",
    "transaction",
    "quote",
    "realised",
    "tokens",
    "chain",
    "slot",
];

/// Columns of `-o wide`; otherwise errors are below the table, whole.
const WIDE: [&str; 1] = ["error"];

/// Digits of a hash that tell transactions apart.
const HASH_SHOWN: usize = 10;

fn cells(line: &TradeLine, whole: bool) -> Vec<String> {
    let clock = Clock::of(line.timezone, line.slot);
    let transaction = match &line.tx_hash {
        Some(hash) if whole => hash.clone(),
        Some(hash) => format!("{}..", hash.chars().take(HASH_SHOWN).collect::<String>()),
        None => line
            .note
            .as_ref()
            .or(line.error.as_ref())
            .cloned()
            .unwrap_or_default(),
    };
    let realized = line.realized_usd.filter(|_| line.side == Side::Sell);
    vec![
        line.trade.to_string(),
        realm(line.realm).to_owned(),
        line.chain.clone(),
        line.symbol.clone(),
        clock.full(line.slot),
        line.side.to_string(),
        line.reason.to_string(),
        line.status.to_string(),
        tokens(line.base_amount),
        tokens(line.quote_amount),
        price(Some(line.price_usd)),
        dollars(line.gas_usd),
        dollars_or_dash(realized),
        transaction,
        failure(line).unwrap_or_default(),
    ]
}

fn failure(line: &TradeLine) -> Option<String> {
    match (&line.failure_kind, &line.error) {
        (Some(kind), Some(error)) => Some(format!("{kind}: {error}")),
        (kind, error) => kind.clone().or_else(|| error.clone()),
    }
}

pub fn render(lines: &[TradeLine]) -> String {
    let look = Look::current();
    let whole = look.wide || look.plain;
    let sheet = Sheet {
        header: &HEADER,
        rows: lines.iter().map(|line| cells(line, whole)).collect(),
        spare: &SPARE,
        wide: &WIDE,
        ..Sheet::default()
    };
    let mut text = sheet.print(look);
    if !whole {
        for line in lines {
            if let Some(error) = failure(line) {
                let said = format!("trade {} failed: {error}", line.trade);
                text.push_str(&format!("\n{}", look.wrapped(&said, 2)));
            }
        }
    }
    if !look.plain {
        text.push_str("\nUSD; realised is before gas");
    }
    text
}

pub async fn run(settings: &Settings, out: Out, args: &TradesArgs) -> Result<(), AppError> {
    let period = args.filters.period()?;
    let app = App::read(settings).await?;
    let found = trades::newest(&app, &args.filters.jobs(), period, (args.limit, args.sort.into())).await?;
    out.show(&found.lines, |lines| {
        if lines.is_empty() {
            args.filters.nothing()
        } else if found.all > args.limit && !Look::current().plain {
            format!(
                "{}\nthe newest {} of {}; --limit shows more",
                render(lines),
                args.limit,
                found.all
            )
        } else {
            render(lines)
        }
    })
}
