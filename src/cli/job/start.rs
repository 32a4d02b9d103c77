//! `start`: a new job, a new cycle, or a paused one resumed.

use std::path::PathBuf;

use clap::Args;
use rust_decimal::Decimal;

use super::questions::start_question;
use crate::{
    app::{
        App, AppError,
        jobs::start::{self, StartRequest, Started},
        target::address,
    },
    cli::{
        confirm::{asks, confirm},
        costs::sentence,
        mode::ModeArg,
        out::Out,
        target::actor,
        wording::CommandLine,
    },
    config::{JobLayers, Settings},
    domain::job::Realm,
};

#[derive(Debug, Args)]
pub struct StartArgs {
    /// Token address
    token: String,
    /// How the job trades; required for a new job
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,
    /// Job configuration file, TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one key of the configuration, such as accumulate.dca_amount_usd=25
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
    /// Mode liquidity: initial money, USD; same as --set liquidity.budget_usd=..
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    budget: Option<Decimal>,
    /// Trade with real money: needs a wallet and a node, see docs/going-live.md
    #[arg(long)]
    live: bool,
    /// With --live: quote token, by ticker: the native coin, its wrapped form or USDC
    /// [default: the native coin]
    #[arg(long, value_name = "TICKER")]
    quote: Option<String>,
    /// With --live: start without asking for confirmation
    #[arg(long)]
    yes: bool,
}

impl StartArgs {
    fn request(&self) -> Result<StartRequest, AppError> {
        Ok(StartRequest {
            token: address(&self.token)?,
            realm: if self.live { Realm::Live } else { Realm::Paper },
            chain: self.chain.clone(),
            mode: self.mode.map(Into::into),
            given: JobLayers::of_job()
                .file(self.config.as_deref())?
                .assignments(&self.set, "--set")?,
            budget: self.budget,
            symbol: self.symbol.clone(),
            decimals: self.decimals,
            quote: self.quote.clone(),
            placed: None,
        })
    }
}

pub async fn run(settings: &Settings, out: Out, args: &StartArgs) -> Result<(), AppError> {
    let request = args.request()?;
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

/// Its fields and advice as flags and commands.
pub(super) fn written(started: &mut Started) {
    for assumed in &mut started.assumed {
        assumed.write(&CommandLine);
    }
    if let Some(command) = started.policy.as_mut().and_then(|lacks| lacks.0.command.as_mut()) {
        command.write(&CommandLine);
    }
}

pub(super) fn render(view: &Started) -> String {
    let mut text = format!(
        "job {} ({}, {} on {}): {}\n",
        view.job,
        view.symbol,
        view.realm.label(),
        view.chain,
        view.what
    );
    for assumed in &view.assumed {
        text.push_str(&format!("  assumed: {assumed}\n"));
    }
    if let Some(costs) = &view.costs {
        text.push_str(&format!("  {}\n", sentence(costs)));
    }
    if let Some(policy) = &view.policy {
        text.push_str(&policy.to_string());
    }
    text.push_str("`lgi-mm daemon` runs all jobs; `lgi-mm status JOB` shows one.\n");
    text
}
