//! What must be in place before a process trades with real money.

use std::collections::BTreeSet;

use tracing::warn;

use super::{CliError, wallet, world::World};
use crate::{
    chain::{LiveChain, keystore::KeyError, one_node_warning},
    domain::job::{Account, JobStatus, Realm},
    ports::Markets,
    store::jobs::{self, Filter},
};

/// Opens the keys of all live jobs and asks their chains who they are. Without live jobs nothing is needed.
///
/// # Errors
/// What is missing: a live job never falls back to paper, and never waits silently for its key.
pub(super) async fn ready(world: &World) -> Result<(), CliError> {
    let jobs = jobs::list(&world.pool, &Filter::default()).await?;
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
        let live = world.live().chain(&chain)?;
        right_chain(live).await?;
        if let Some(warning) = one_node_warning(&live.spec) {
            warn!(chain, warning, "add a URL of another provider");
        }
        match world.live().keys().check(wallet) {
            Err(KeyError::NoPassword(_)) => {
                let question = format!("Password of wallet {wallet}");
                let typed = wallet::ask(&question)?.ok_or(KeyError::NoPassword(wallet))?;
                world.live().take_password(typed);
            }
            other => other?,
        }
        let account = Account {
            realm: Realm::Live,
            chain,
            wallet,
        };
        let opened = world.live().market(&account).await;
        opened.map_err(|error| CliError::Refused(error.to_string()))?;
    }
    Ok(())
}

/// A node of another chain is an error; one that does not answer now may do so later.
async fn right_chain(live: &LiveChain) -> Result<(), CliError> {
    let spec = &live.spec;
    for state in live.rpc.states().await {
        let node = state.name;
        match state.chain_id {
            Ok(id) if id == spec.chain_id => {}
            Ok(id) => {
                return Err(CliError::Refused(format!(
                    "{node} serves chain id {id}, but {} has {}: change chains.{}.rpc_urls",
                    spec.name, spec.chain_id, spec.name
                )));
            }
            Err(error) => warn!(chain = spec.name, node, error, "the node does not answer"),
        }
    }
    Ok(())
}
