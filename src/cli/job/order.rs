//! `order`: buy or sell once.

use clap::{Args, ValueEnum};
use rust_decimal::Decimal;

use super::{
    questions::start_question,
    start::{render, written},
};
use crate::{
    app::{
        App, AppError,
        jobs::{adopt::Tokens, order::OrderRequest, start},
        target::address,
    },
    cli::{
        confirm::{asks, confirm},
        out::Out,
        target::actor,
    },
    config::{JobLayers, Settings},
    domain::{config::OrderSide, job::Realm, span::Span},
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
    /// Token address
    token: String,
    /// A buy: what it spends in all, USD
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    amount: Option<Decimal>,
    /// A sale: how many whole tokens, such as 12.5; `all`: all that the wallet holds beyond what its jobs own
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
    /// End at this instant, filled or not, such as 2026-12-31 (its beginning, UTC) or 2026-12-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Number of equal parts
    #[arg(long, requires = "over")]
    slices: Option<u32>,
    /// Time from the first part to the last, such as 6h
    #[arg(long, requires = "slices")]
    over: Option<Span>,
    /// Set another key of the configuration, such as limits.max_slippage_bps=50
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Chain to trade on
    #[arg(long, default_value = "base")]
    chain: String,
    /// The token's ticker [default: looked up]
    #[arg(long)]
    symbol: Option<String>,
    /// Decimals of the token, 0 to 36 [default on paper: 18; live: read from the contract]
    #[arg(long)]
    decimals: Option<u8>,
    /// Trade with real money: needs a wallet and a node, see docs/going-live.md
    #[arg(long)]
    live: bool,
    /// With --live: quote token, by ticker: the native coin, its wrapped form or USDC
    /// [default: the native coin]
    #[arg(long, value_name = "TICKER")]
    quote: Option<String>,
    /// With --live: place it without asking for confirmation
    #[arg(long)]
    yes: bool,
}

impl OrderArgs {
    fn request(&self) -> Result<OrderRequest, AppError> {
        Ok(OrderRequest {
            side: match self.side {
                SideArg::Buy => OrderSide::Buy,
                SideArg::Sell => OrderSide::Sell,
            },
            token: address(&self.token)?,
            realm: if self.live { Realm::Live } else { Realm::Paper },
            chain: self.chain.clone(),
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
            given: JobLayers::of_job().assignments(&self.set, "--set")?,
            symbol: self.symbol.clone(),
            decimals: self.decimals,
            quote: self.quote.clone(),
        })
    }
}

pub async fn run(settings: &Settings, out: Out, args: &OrderArgs) -> Result<(), AppError> {
    let request = args.request()?.start()?;
    request.check()?;
    let app = App::open(settings).await?;
    let proposal = start::propose(&app, &request).await?;
    if let Some(terms) = proposal.terms().filter(|_| asks(out, args.yes)) {
        confirm(out, &start_question(&terms))?;
    }
    let mut started = start::start(&app, proposal, &actor()).await?;
    written(&mut started);
    out.show(&started, render)
}
