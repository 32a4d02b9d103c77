//! Checks before a process trades with real money.

use std::collections::BTreeSet;

use alloy_primitives::Address;
use tracing::{error, warn};

use super::{App, AppError};
use crate::{
    chain::{
        LiveChain,
        keystore::{KeyError, SecretText},
        one_node_warning,
    },
    domain::job::{Account, JobStatus, Realm},
    ports::Markets,
    store::jobs::{self, Filter, Job},
};

/// Prompts the user for the password of a wallet; returns `None` without a user.
pub trait AskPassword: Fn(Address) -> Result<Option<SecretText>, AppError> {}

impl<T: Fn(Address) -> Result<Option<SecretText>, AppError>> AskPassword for T {}

/// Checks the chain id of all live jobs' nodes, and opens the jobs' keys. Without live jobs there is nothing to do.
///
/// A key that does not open is logged and stops nothing: its jobs hold with `key_unavailable` and those of other
/// wallets trade, so that a supervisor does not restart the service in a loop. The same holds for a chain that these
/// settings do not know: a row of the database must not stop every worker.
///
/// # Errors
/// A node of another chain serves a chain of these settings; what `ask` returns.
pub(super) async fn ready(app: &App, ask: impl AskPassword) -> Result<(), AppError> {
    for (chain, wallet) in accounts(app).await? {
        match app.live().chain(&chain) {
            Ok(live) => {
                right_chain(live).await?;
                if let Some(warning) = one_node_warning(&live.spec) {
                    warn!(chain, warning, "add a URL of another provider");
                }
            }
            Err(error) => {
                error!(%wallet, chain, %error, "jobs of this chain hold in this process");
                continue;
            }
        }
        if let Err(KeyError::NoPassword(_)) = app.live().keys().check(wallet)
            && let Some(typed) = ask(wallet)?
        {
            app.live().take_password(typed);
        }
        let account = Account {
            realm: Realm::Live,
            chain,
            wallet,
        };
        if let Err(error) = app.live().market(&account).await {
            error!(%wallet, chain = account.chain, error = error.detail, "jobs of this wallet hold until its key can be used");
        }
    }
    Ok(())
}

/// Chain and wallet of each live job that is not idle.
async fn accounts(app: &App) -> Result<BTreeSet<(String, Address)>, AppError> {
    let (jobs, _) = jobs::readable(&app.pool, &Filter::default()).await?;
    let live = |job: &&Job| job.account.realm == Realm::Live && job.status != JobStatus::Idle;
    let accounts = jobs.iter().filter(live).map(|job| &job.account);
    Ok(accounts
        .map(|account| (account.chain.clone(), account.wallet))
        .collect())
}

/// A node of another chain is an error; one that does not answer may recover later.
async fn right_chain(live: &LiveChain) -> Result<(), AppError> {
    let spec = &live.spec;
    for state in live.rpc.states().await {
        let node = state.name;
        match state.chain_id {
            Ok(id) if id == spec.chain_id => {}
            Ok(id) => {
                return Err(AppError::Refused(format!(
                    "{node} serves chain id {id}, but {} has {}: change chains.{}.rpc_urls",
                    spec.name, spec.chain_id, spec.name
                )));
            }
            Err(error) => warn!(chain = spec.name, node, error, "the node does not answer"),
        }
    }
    Ok(())
}
