//! Checks the nodes of a chain: which they serve, how they try trades, and where transactions are sent.

use alloy_primitives::B256;

use super::check::{Check, CheckStatus};
use crate::{
    app::{context::App, error::AppError},
    chain::{LiveChain, NodeState, Way, one_node_warning},
    domain::{ids::TradeId, job::Account},
    engine::SWALLOWED_SENDS,
    ports::RpcError,
    store::gaps,
};

/// Each node: the chain it serves, how far it is, which way it can try trades, and its budget.
pub(super) async fn nodes(live: &LiveChain) -> Vec<Check> {
    let (states, ways) = tokio::join!(live.rpc.states(), live.rpc.ways());
    let nodes = states.iter().zip(ways).zip(&live.spec.rpc_urls);
    nodes
        .map(|((state, way), url)| node(live, state, &way, &live.spec.budget(url).describe()))
        .collect()
}

fn node(live: &LiveChain, state: &NodeState, way: &Result<Way, RpcError>, budget: &str) -> Check {
    let advice = format!("see chains.{}.rpc_urls", live.spec.name);
    match (&state.chain_id, way) {
        (Ok(id), _) if *id != live.spec.chain_id => Check::bad(
            CheckStatus::Fail,
            "RPC",
            format!("{} serves chain id {id}", state.name),
            advice,
        ),
        (Ok(_), _) if state.is_lagging() => Check::bad(
            CheckStatus::Warn,
            "RPC",
            format!("{} is {} blocks behind the best node", state.name, state.lag),
            "it is queried last; nothing is settled while fewer nodes than chains.NAME.quorum keep up",
        ),
        (Ok(_), Ok(way)) => {
            let head = state
                .head
                .map(|head| format!(", block {head}"))
                .unwrap_or_default();
            let (name, way) = (&state.name, way.describe());
            let chain = &live.spec.name;
            Check::ok("RPC", format!("{name} serves {chain}{head}; {way}; {budget}"))
        }
        (Err(error), _) => Check::bad(
            CheckStatus::Fail,
            "RPC",
            format!("{}: {error}", state.name),
            advice,
        ),
        (Ok(_), Err(error)) => Check::bad(CheckStatus::Fail, "RPC", error, advice),
    }
}

/// Whether one node alone decides the outcome of trades.
pub(super) fn agreement(live: &LiveChain) -> Check {
    let spec = &live.spec;
    match one_node_warning(spec) {
        Some(warning) => Check::bad(
            CheckStatus::Warn,
            "agreement",
            warning,
            format!("add a URL of another provider to chains.{}.rpc_urls", spec.name),
        ),
        None => Check::ok(
            "agreement",
            format!(
                "{} nodes must agree on what happened on {}",
                spec.quorum, spec.name
            ),
        ),
    }
}

/// Where transactions are sent, and what becomes of a cancel there.
pub(super) async fn broadcast(live: &LiveChain) -> Vec<Check> {
    let what = "broadcast";
    let (Some(relay), Some(flow)) = (&live.private, &live.spec.private) else {
        let nodes = live.spec.rpc_urls.len();
        let seen = format!(
            "transactions on {} are public: sent to all nodes, of which there are {nodes}",
            live.spec.name
        );
        return vec![Check::ok(what, seen)];
    };
    let key = format!("chains.{}.{}", live.spec.name, flow.key());
    let mut checks = Vec::new();
    for state in relay.states().await {
        checks.push(match &state.chain_id {
            Ok(id) if *id == live.spec.chain_id => {
                Check::ok(what, flow.describe(&state.name, live.spec.patience.replace_after))
            }
            Ok(id) => {
                let seen = format!("the relay {} serves chain id {id}", state.name);
                Check::bad(CheckStatus::Fail, what, seen, format!("see {key}"))
            }
            Err(error) => {
                let seen = format!("the relay {}: {error}", state.name);
                let fix = format!("nothing is sent until it answers; see {key}");
                Check::bad(CheckStatus::Fail, what, seen, fix)
            }
        });
    }
    if let Some(warning) = flow.warning(&live.spec.name) {
        let fix = "the cancel alone then goes to rpc_urls as well; it says nothing about a trade";
        checks.push(Check::bad(CheckStatus::Warn, what, warning, fix));
    }
    checks
}

/// Transactions that a node or relay keeps accepting but that are never mined.
pub(super) async fn swallowed(
    app: &App,
    live: &LiveChain,
    account: &Account,
) -> Result<Vec<Check>, AppError> {
    let found = gaps::swallowed(&app.pool, account, SWALLOWED_SENDS).await?;
    let whom = live.spec.private.as_ref().map_or("rpc_urls", |relay| relay.key());
    let check = |(trade, hash, sends): &(TradeId, B256, i64)| {
        let seen =
            format!("transaction {hash} of trade {trade} was accepted {sends} times and is in no block");
        let advice = format!(
            "the node or relay that accepts it does not pass it on: change chains.{}.{whom}",
            live.spec.name
        );
        Check::bad(CheckStatus::Warn, "broadcast", seen, advice)
    };
    Ok(found.iter().map(check).collect())
}
