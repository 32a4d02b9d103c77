//! `basket`: all members of a basket are started from one file, paused, resumed, or sold.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{
    lifecycle::{self, SaleArgs},
    place::{USUAL_CHAIN, render, written},
    questions::start_questions,
};
use crate::{
    app::{
        App, AppError,
        jobs::{
            selected::{BasketName, Jobs},
            start::{self, BasketRequest, StartRequest},
        },
    },
    cli::{
        confirm::{asks, confirm},
        out::Out,
        target::actor,
    },
    config::{Settings, members},
    domain::job::Realm,
};

#[derive(Debug, Subcommand)]
pub enum BasketCommand {
    /// Start all members of a basket from one file: all of them, or none
    Start(BasketStartArgs),
    /// Stop new trades of all members of a basket and keep their positions
    Pause(BasketArgs),
    /// Continue all members of a basket after a pause or an error
    Resume(BasketResumeArgs),
    /// Sell everything that the members of a basket bought, then make them idle
    Liquidate(BasketLiquidateArgs),
}

#[derive(Debug, Args)]
pub struct BasketStartArgs {
    /// File of the basket, TOML: what all members share, and a table [[member]] for each, with its token, weight and
    /// budget_usd; docs/basket.md shows one
    file: PathBuf,
    /// Set a key of the configuration of all members, such as basket.band_pct=5
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Chain to trade on
    #[arg(long, default_value = USUAL_CHAIN)]
    chain: String,
    /// Trade with real money: needs a wallet and a node, see docs/going-live.md
    #[arg(long)]
    live: bool,
    /// With --live: quote token, by ticker: the native coin, its wrapped form or USDC
    /// [default: the native coin]
    #[arg(long, value_name = "TICKER")]
    quote: Option<String>,
    /// With --live: do it without asking for confirmation
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub struct BasketArgs {
    /// Basket, by its basket.name
    name: String,
    /// The basket of LIVE jobs, if paper jobs have one of this name too
    #[arg(long, conflicts_with = "paper")]
    live: bool,
    /// The basket of paper jobs, if LIVE jobs have one of this name too
    #[arg(long)]
    paper: bool,
    /// Only jobs on this chain
    #[arg(long)]
    chain: Option<String>,
}

#[derive(Debug, Args)]
pub struct BasketResumeArgs {
    #[command(flatten)]
    basket: BasketArgs,
    /// Resume members that trade with real money without asking for confirmation
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub struct BasketLiquidateArgs {
    #[command(flatten)]
    basket: BasketArgs,
    #[command(flatten)]
    sale: SaleArgs,
}

impl From<&BasketArgs> for Jobs {
    fn from(args: &BasketArgs) -> Self {
        Self::Basket(BasketName {
            name: args.name.clone(),
            realm: match (args.live, args.paper) {
                (true, _) => Some(Realm::Live),
                (_, true) => Some(Realm::Paper),
                _ => None,
            },
            chain: args.chain.clone(),
        })
    }
}

impl BasketStartArgs {
    fn requests(&self) -> Result<Vec<StartRequest>, AppError> {
        let basket = BasketRequest {
            realm: if self.live { Realm::Live } else { Realm::Paper },
            chain: self.chain.clone(),
            set: self.set.clone(),
            quote: self.quote.clone(),
        };
        members(&self.file)?
            .into_iter()
            .map(|member| basket.member(member, "--set"))
            .collect()
    }
}

pub async fn run(settings: &Settings, out: Out, command: &BasketCommand) -> Result<(), AppError> {
    match command {
        BasketCommand::Start(args) => start(settings, out, args).await,
        BasketCommand::Pause(args) => lifecycle::stop(settings, out, &args.into()).await,
        BasketCommand::Resume(args) => {
            lifecycle::resume_all(settings, out, &(&args.basket).into(), args.yes).await
        }
        BasketCommand::Liquidate(args) => {
            lifecycle::sell(settings, out, &(&args.basket).into(), &args.sale).await
        }
    }
}

async fn start(settings: &Settings, out: Out, args: &BasketStartArgs) -> Result<(), AppError> {
    let requests = args.requests()?;
    let app = App::open(settings).await?;
    let proposals = start::propose_all(&app, &requests).await?;
    let terms: Vec<_> = proposals.iter().filter_map(|proposal| proposal.terms()).collect();
    let is_shown = !terms.is_empty() && asks(out, args.yes);
    if is_shown {
        confirm(out, &start_questions(&terms))?;
    }
    let mut started = start::start_all(&app, proposals, &actor()).await?;
    started.iter_mut().for_each(written);
    out.show(&started, |started| {
        let mut text: String = started.iter().map(|one| render(one, is_shown)).collect();
        text.push_str("`lgi-mm daemon` runs all jobs; `lgi-mm status JOB` shows the basket.\n");
        text
    })
}
