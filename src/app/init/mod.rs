//! A guided beginning: a token's name and pools, what a buy costs, a job file, and what comes next.
//!
//! Nothing is started. With a node of the chain, costs are quoted; without one they are estimated.

mod file;
mod found;

use std::path::PathBuf;

use alloy_primitives::Address;

use super::{
    App, AppError,
    costs::{self, Costs, CostsOf},
    history::{self, HistoryRequest, PoolView, Step},
    message::{Advice, Field, StartFrom, message},
    ticker::is_ticker,
    wallets,
};
use crate::{
    chain::agreed_token_info,
    config::Settings,
    domain::{
        Timestamp, chains,
        pool::NATIVE,
        units::{NATIVE_DECIMALS, Usd},
    },
};

pub use self::{
    file::written,
    found::{Found, Wanted},
};

/// Length of a candle of the history that is fetched.
const STEP: Step = Step::Hour;
/// Decimals of most tokens, assumed if nobody says.
const USUAL_DECIMALS: u8 = 18;
/// Pools that are shown.
const POOLS_SHOWN: usize = 5;

/// A token that was looked at, and who can be asked what a trade costs.
pub struct Looked {
    pub found: Found,
    settings: Settings,
    node: Option<App>,
}

/// Looks a token up: its history and pools outside, its contract and costs at a node if there is one. `progress` hears
/// how far back the history is.
///
/// # Errors
/// [`AppError`] for a chain that is not known, or an address where no token is.
pub async fn look(
    settings: &Settings,
    token: Address,
    chain: &str,
    progress: impl Fn(Timestamp),
) -> Result<Looked, AppError> {
    let has_node = settings.live_chains().iter().any(|spec| spec.name == chain);
    let mut found = begun(token, chain, has_node)?;
    listed(settings, &mut found).await;
    past(settings, &mut found, progress).await;
    let node = if has_node {
        Some(App::open(settings).await?)
    } else {
        None
    };
    if let Some(app) = &node {
        contract(app, &mut found).await?;
    }
    Ok(Looked {
        found,
        settings: settings.clone(),
        node,
    })
}

/// Looks a token up without its history, through the database and nodes that this process has open.
///
/// # Errors
/// As [`look`].
pub async fn found(app: &App, token: Address, chain: &str) -> Result<Found, AppError> {
    let has_node = app.live().chains().contains_key(chain);
    let mut found = begun(token, chain, has_node)?;
    listed(&app.settings, &mut found).await;
    if has_node {
        contract(app, &mut found).await?;
    }
    Ok(found)
}

/// What a buy of this size costs, and a sale right after it.
///
/// # Errors
/// [`AppError`] if the amount is out of range.
pub async fn costs(app: &App, found: &Found, amount: Usd) -> Result<Costs, AppError> {
    let node = app.live().chains().contains_key(&found.chain).then_some(app);
    costs_of(&app.settings, node, found, amount).await
}

/// Nothing is known of it yet.
fn begun(token: Address, chain: &str, has_node: bool) -> Result<Found, AppError> {
    if !has_node {
        chains::find(chain).map_err(|error| message![Field::Chain, format!(": {error}")].bad_input())?;
    }
    Ok(Found {
        token,
        chain: chain.to_owned(),
        symbol: None,
        name: None,
        decimals: USUAL_DECIMALS,
        price_usd: None,
        pools: Vec::new(),
        remarks: Vec::new(),
        history: None,
    })
}

async fn costs_of(
    settings: &Settings,
    node: Option<&App>,
    found: &Found,
    amount: Usd,
) -> Result<Costs, AppError> {
    let quoted = match node {
        Some(app) => {
            let of = CostsOf {
                chain: &found.chain,
                token: found.token,
                quote: NATIVE,
                quote_decimals: NATIVE_DECIMALS,
                pool: None,
            };
            costs::quoted(app, &of, amount).await
        }
        None => Err("no node of the chain is configured".to_owned()),
    };
    match quoted {
        Ok(costs) => Ok(costs),
        Err(why) => {
            let depth = found.pools.first().map(|pool| pool.depth_usd);
            costs::estimated(settings, depth, amount, why)
        }
    }
}

/// Name, decimals and pools as the price site has them.
async fn listed(settings: &Settings, found: &mut Found) {
    let listed = match history::source(settings, &found.chain) {
        Ok(source) => source.token(found.token).await.map_err(history::failed),
        Err(error) => Err(error),
    };
    match listed {
        Ok(listed) => {
            found.symbol = Some(listed.symbol.to_string()).filter(|symbol| is_ticker(symbol));
            found.name = Some(listed.name.to_string()).filter(|name| !name.is_empty());
            found.decimals = listed.decimals.unwrap_or(USUAL_DECIMALS);
            found.price_usd = listed.price_usd;
            found.pools = listed
                .pools
                .iter()
                .take(POOLS_SHOWN)
                .map(PoolView::from)
                .collect();
        }
        Err(error) => found
            .remarks
            .push(format!("name and pools were not found: {error}").into()),
    }
}

async fn past(settings: &Settings, found: &mut Found, progress: impl Fn(Timestamp)) {
    let Some(pool) = found.pools.first() else {
        found
            .remarks
            .push("without a pool there is no history to test the job on".into());
        return;
    };
    let request = HistoryRequest {
        token: found.token,
        chain: found.chain.clone(),
        pool: Some(pool.id.clone()),
        from: None,
        to: None,
        step: STEP,
    };
    match history::fetch(settings, &request, progress).await {
        Ok(history) => {
            found.remarks.extend(history.remarks.iter().cloned());
            found.history = Some(history);
        }
        Err(error) => found
            .remarks
            .push(format!("no history to test the job on: {error}").into()),
    }
}

/// What the contract says counts more than what a price site says.
async fn contract(app: &App, found: &mut Found) -> Result<(), AppError> {
    let live = app.live().chain(&found.chain)?;
    match agreed_token_info(&live.rpc, &live.spec, found.token).await {
        Ok(info) => {
            found.decimals = info.decimals;
            if let Some(symbol) = info.symbol.filter(|symbol| is_ticker(symbol)) {
                found.symbol = Some(symbol);
            }
        }
        Err(error @ crate::chain::TokenError::Rpc(_)) => {
            found
                .remarks
                .push(format!("the node does not answer: {error}").into());
        }
        Err(error) => return Err(AppError::Usage(error.to_string())),
    }
    Ok(())
}

impl Looked {
    /// What a buy of this size costs, and a sale right after it.
    ///
    /// # Errors
    /// [`AppError`] if the amount is out of range.
    pub async fn costs(&self, amount: Usd) -> Result<Costs, AppError> {
        costs_of(&self.settings, self.node.as_ref(), &self.found, amount).await
    }

    /// The ways on, with the job file that was written: on paper, then live. A practice chain has no paper venue.
    #[must_use]
    pub fn next(&self, file: PathBuf) -> (Vec<Advice>, Vec<Advice>) {
        let found = &self.found;
        let paper = StartFrom {
            token: found.token,
            chain: found.chain.clone(),
            file,
            symbol: found.symbol.clone(),
            decimals: (found.decimals != USUAL_DECIMALS).then_some(found.decimals),
            live: false,
        };
        let live = StartFrom {
            symbol: None,
            decimals: None,
            live: true,
            ..paper.clone()
        };
        let start = |from: StartFrom| {
            // Nothing is signed that the policy does not allow; a job is allowed once it is there.
            let allow = from.live.then_some(Advice::AllowToken(from.token));
            let start = Advice::StartFrom(Box::new(from));
            let lines = [Some(start), allow, Some(Advice::Daemon)];
            lines.into_iter().flatten().collect::<Vec<_>>()
        };
        let wallet = wallets::choose(&self.settings)
            .is_err()
            .then_some(Advice::NewWallet);
        let on_paper = if chains::find(&found.chain).is_ok() {
            start(paper)
        } else {
            Vec::new()
        };
        (on_paper, wallet.into_iter().chain(start(live)).collect())
    }

    /// What live trading still needs besides those requests.
    #[must_use]
    pub fn live_needs(&self) -> Option<String> {
        self.node.is_none().then(|| {
            format!(
                "chains.{}.rpc_urls of the settings must name two nodes of different providers first",
                self.found.chain
            )
        })
    }
}
