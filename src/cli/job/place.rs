//! The arguments of `start` and `order` in common: the token, its market, and how the job is set up.

use alloy_primitives::Address;
use clap::Args;

use super::questions::start_question;
use crate::{
    app::{
        App, AppError,
        jobs::start::{self, KnownToken, StartRequest, Started, TokenName},
    },
    cli::{
        confirm::{asks, confirm},
        costs::sentence,
        out::Out,
        target::actor,
        wording::CommandLine,
    },
    config::Settings,
    domain::job::Realm,
};

/// The chain of an address without `--chain`.
pub(super) const USUAL_CHAIN: &str = "base";

/// The token and its market.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// Token address; of a token that a job trades or traded also its ticker, or the job's number
    token: String,
    /// Set a key of the configuration, such as limits.max_slippage_bps=50
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Chain to trade on [default: base; with a ticker or a number, the chain of its job]
    #[arg(long)]
    chain: Option<String>,
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
    pub(super) quote: Option<String>,
    /// With --live: do it without asking for confirmation
    #[arg(long)]
    yes: bool,
}

/// A token on its chain.
pub(super) struct Place {
    pub(super) token: Address,
    pub(super) chain: String,
    pub(super) realm: Realm,
    pub(super) symbol: Option<String>,
    pub(super) decimals: Option<u8>,
}

impl PlaceArgs {
    /// Shows what would be done, asks if it moves real money, and does it.
    pub(super) async fn place(
        &self,
        settings: &Settings,
        out: Out,
        request: impl FnOnce(Place) -> Result<StartRequest, AppError>,
    ) -> Result<(), AppError> {
        let realm = if self.live { Realm::Live } else { Realm::Paper };
        let (app, place) = match TokenName::read(&self.token)? {
            TokenName::Address(token) => {
                let chain = self.chain.clone().unwrap_or_else(|| USUAL_CHAIN.to_owned());
                let place = Place {
                    token,
                    chain,
                    realm,
                    symbol: self.symbol.clone(),
                    decimals: self.decimals,
                };
                (None, place)
            }
            TokenName::Job(name) => {
                let app = App::open(settings).await?;
                let found = start::known_token(&app, &name, self.chain.as_deref(), realm).await?;
                (Some(app), self.known(found, realm))
            }
        };
        let request = request(place)?;
        request.check()?;
        let app = match app {
            Some(app) => app,
            None => App::open(settings).await?,
        };
        let proposal = start::propose(&app, &request).await?;
        let asked = proposal.terms().filter(|_| asks(out, self.yes));
        let is_shown = asked.is_some();
        if let Some(terms) = asked {
            confirm(out, &start_question(&terms))?;
        }
        let mut started = start::start(&app, proposal, &actor()).await?;
        written(&mut started);
        out.show(&started, |started| {
            let job = render(started, is_shown);
            format!("{job}`lgi-mm daemon` runs all jobs; `lgi-mm status JOB` shows one.\n")
        })
    }
}

impl PlaceArgs {
    /// On paper a token is what its job says, unless it is given; a live one is read from its contract.
    fn known(&self, found: KnownToken, realm: Realm) -> Place {
        let on_paper = realm == Realm::Paper;
        Place {
            token: found.token,
            chain: found.chain,
            realm,
            symbol: self.symbol.clone().or(on_paper.then_some(found.symbol)),
            decimals: self.decimals.or(on_paper.then_some(found.decimals)),
        }
    }
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

/// `is_shown`: what is assumed and what it costs was in the question that was just answered.
pub(super) fn render(view: &Started, is_shown: bool) -> String {
    let mut text = format!(
        "job {} ({}, {} on {}): {}\n",
        view.job,
        view.symbol,
        view.realm.label(),
        view.chain,
        view.what
    );
    for assumed in view.assumed.iter().filter(|_| !is_shown) {
        text.push_str(&format!("  assumed: {assumed}\n"));
    }
    if let Some(costs) = view.costs.as_ref().filter(|_| !is_shown) {
        text.push_str(&format!("  {}\n", sentence(costs)));
    }
    if let Some(policy) = &view.policy {
        text.push_str(&policy.to_string());
    }
    text
}
