//! What must be in place before a process trades with real money.

use std::collections::BTreeSet;

use tracing::{error, warn};

use super::wallet;
use crate::{
    app::{App, AppError},
    chain::{LiveChain, keystore::KeyError, one_node_warning},
    domain::job::{Account, JobStatus, Realm},
    ports::Markets,
    store::jobs::{self, Filter},
};

/// Asks the chains of all live jobs who they are, and opens the jobs' keys. Without live jobs nothing is needed.
///
/// A key that does not open is said and ends nothing: its jobs hold with `key_unavailable`, those of other wallets
/// trade, and a service that is restarted after each error is not restarted for ever. So it is with a chain that these
/// settings do not know: a row of the database must not stop every worker.
///
/// # Errors
/// A node of another chain serves a chain of these settings.
pub(super) async fn ready(world: &App) -> Result<(), AppError> {
    let (jobs, _) = jobs::readable(&world.pool, &Filter::default()).await?;
    let live = |job: &&jobs::Job| job.account.realm == Realm::Live && job.status != JobStatus::Idle;
    let accounts: BTreeSet<(String, _)> = jobs
        .iter()
        .filter(live)
        .map(|job| (job.account.chain.clone(), job.account.wallet))
        .collect();
    if accounts.is_empty() {
        return Ok(());
    }
    for (chain, wallet) in accounts {
        match world.live().chain(&chain) {
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
        if let Err(KeyError::NoPassword(_)) = world.live().keys().check(wallet) {
            let question = format!("Password of wallet {wallet}");
            if let Some(typed) = wallet::ask(&question)? {
                world.live().take_password(typed);
            }
        }
        let account = Account {
            realm: Realm::Live,
            chain,
            wallet,
        };
        if let Err(error) = world.live().market(&account).await {
            error!(%wallet, chain = account.chain, error = error.detail, "jobs of this wallet hold until its key can be used");
        }
    }
    Ok(())
}

/// A node of another chain is an error; one that does not answer now may do so later.
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
