//! `basket`: all members of a basket from one file.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{
    place::{USUAL_CHAIN, render, written},
    questions::start_questions,
};
use crate::{
    app::{
        App, AppError,
        jobs::start::{self, StartRequest},
        target,
    },
    cli::{
        confirm::{asks, confirm},
        out::Out,
        target::actor,
    },
    config::{MemberGiven, Settings, members},
    domain::job::{JobMode, Realm},
};

#[derive(Debug, Subcommand)]
pub enum BasketCommand {
    /// Start all members of a basket from one file: all of them, or none
    Start(BasketStartArgs),
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

impl BasketStartArgs {
    fn request(&self, member: MemberGiven) -> Result<StartRequest, AppError> {
        let request = StartRequest {
            token: target::address(&member.token)?,
            realm: if self.live { Realm::Live } else { Realm::Paper },
            chain: self.chain.clone(),
            mode: Some(JobMode::Basket),
            given: member.given.assignments(&self.set, "--set")?,
            budget: None,
            symbol: member.symbol,
            decimals: member.decimals,
            quote: self.quote.clone(),
            placed: None,
        };
        request.check()?;
        Ok(request)
    }
}

pub async fn run(settings: &Settings, out: Out, command: &BasketCommand) -> Result<(), AppError> {
    let BasketCommand::Start(args) = command;
    let requests = members(&args.file)?
        .into_iter()
        .map(|member| args.request(member))
        .collect::<Result<Vec<_>, _>>()?;
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
