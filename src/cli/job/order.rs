//! `order`: buy or sell once.

use clap::{Args, ValueEnum};
use rust_decimal::Decimal;

use super::place::{Place, PlaceArgs};
use crate::{
    app::{
        AppError,
        jobs::{adopt::Tokens, order::OrderRequest},
    },
    cli::out::Out,
    config::{JobLayers, Settings},
    domain::{config::OrderSide, span::Span},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SideArg {
    /// Spend an amount of money
    Buy,
    /// Sell tokens that the wallet holds
    Sell,
}

#[derive(Debug, Args)]
pub struct OrderArgs {
    /// What it does
    #[arg(value_enum)]
    side: SideArg,
    /// A buy: what it spends in all, USD
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    amount: Option<Decimal>,
    /// A sale: how many whole tokens, such as 12.5; `all`: all that the wallet holds beyond what its jobs own, and what
    /// an order of this token that has ended still holds
    #[arg(long, value_name = "AMOUNT")]
    tokens: Option<String>,
    /// A sale: what these tokens cost in all, USD; 0 if they cost nothing
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    cost: Option<Decimal>,
    /// Buy at or below this price, sell at or above it, USD for one token
    #[arg(long, value_name = "PRICE", allow_negative_numbers = true, conflicts_with_all = ["stop", "trail"])]
    limit: Option<Decimal>,
    /// Sell once the price is at or below this, buy once it is at or above it, in two slots in a row
    #[arg(
        long,
        value_name = "PRICE",
        allow_negative_numbers = true,
        conflicts_with = "trail"
    )]
    stop: Option<Decimal>,
    /// Sell once the price is this far below its highest since the order, buy once this far above its lowest, per cent
    #[arg(long, value_name = "PCT", allow_negative_numbers = true)]
    trail: Option<Decimal>,
    /// End at this instant, filled or not: a day, such as 2026-12-31, at whose beginning it ends, or a time, such as
    /// 2026-12-31T12:00; of the zone of schedule.timezone, or with an offset: 2026-12-31T12:00Z
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Number of equal parts
    #[arg(long, requires = "over")]
    slices: Option<u32>,
    /// Time from the first part to the last, such as 6h
    #[arg(long, requires = "slices")]
    over: Option<Span>,
    #[command(flatten)]
    place: PlaceArgs,
    /// A text of your own that makes a repeated command place one order
    #[arg(long, value_name = "TEXT")]
    key: Option<String>,
}

impl OrderArgs {
    fn request(&self, place: Place) -> Result<OrderRequest, AppError> {
        Ok(OrderRequest {
            side: match self.side {
                SideArg::Buy => OrderSide::Buy,
                SideArg::Sell => OrderSide::Sell,
            },
            token: place.token,
            realm: place.realm,
            chain: place.chain,
            amount: self.amount,
            tokens: self
                .tokens
                .as_ref()
                .map(|text| match text.eq_ignore_ascii_case("all") {
                    true => Tokens::All,
                    false => Tokens::Whole(text.clone()),
                }),
            cost: self.cost,
            limit: self.limit,
            stop: self.stop,
            trail: self.trail,
            until: self.until.clone(),
            slices: self.slices,
            over: self.over,
            given: JobLayers::of_job().assignments(&self.place.set, "--set")?,
            symbol: place.symbol,
            decimals: place.decimals,
            quote: self.place.quote.clone(),
            key: self.key.clone(),
        })
    }
}

pub async fn run(settings: &Settings, out: Out, args: &OrderArgs) -> Result<(), AppError> {
    args.place
        .place(settings, out, |place| args.request(place)?.start())
        .await
}
