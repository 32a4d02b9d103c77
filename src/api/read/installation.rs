//! The installation: what `doctor` finds, what runs and what waits, wallets, and what their policy allows.

use std::collections::BTreeMap;

use axum::{Extension, Json, extract::State};
use serde::Serialize;
use serde_json::Value;
use utoipa::{
    ToSchema,
    openapi::{
        Ref, RefOr, Schema,
        schema::{ObjectBuilder, OneOfBuilder, Type},
    },
};

use super::paths::shown_to;
use crate::{
    api::{problem::Problem, state::Shared, wording::described},
    app::{
        ErrorKind,
        fleet::{self, Running, Signer},
        policy::{self, PolicyView},
        receivers,
        tokens::{self, Bearer, TokenLine},
        wallets,
    },
    domain::{Timestamp, ids::TradeId, job::Realm},
    version,
};

/// Checks database, services, keys, policy, nodes, price sources and receivers; the worst come first. An answer may be
/// 10 s old.
#[utoipa::path(get, path = "/api/v1/doctor", tag = "installation", extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Checks, each with its fix", body = ref("#/components/schemas/doctor"))))]
pub(in crate::api) async fn doctor(
    State(api): State<Shared>,
    Extension(bearer): Extension<Bearer>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shown_to(&bearer, &api.checks.made(&api.app).await?)?))
}

/// What runs and what waits.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct HealthView {
    /// The database's clock
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
    /// This server's version and build
    version: &'static str,
    /// Worker processes with a heartbeat in the last 15 s
    workers: i64,
    /// Services that are connected to the database, each combination of service and settings once
    services: Vec<ServiceView>,
    queues: Vec<QueueView>,
    /// How long the most overdue slot has waited for a scheduler, seconds
    schedule_lag_seconds: f64,
    /// Number of jobs by status
    jobs: BTreeMap<String, i64>,
    /// Running jobs that failed three times in a row or more
    jobs_failing: i64,
    /// Trades that are neither executed nor failed
    open_trades: i64,
    /// Age of the oldest of them, seconds
    open_trade_seconds: f64,
    /// Messages that are not delivered yet
    messages_waiting: i64,
    /// Age of the oldest of them, seconds
    message_seconds: f64,
}

/// A service.
#[derive(Debug, Serialize, ToSchema)]
struct ServiceView {
    /// daemon, scheduler or worker
    service: String,
    /// The fingerprint of the settings file that it has read
    settings: String,
}

/// A queue.
#[derive(Debug, Serialize, ToSchema)]
struct QueueView {
    name: String,
    /// Tasks that wait for a worker
    pending: i64,
    /// Tasks that a worker has
    running: i64,
    /// Tasks that were given up
    killed: i64,
    /// How long the oldest due task has waited, seconds
    oldest_seconds: f64,
}

/// What runs and what waits.
#[utoipa::path(get, path = "/api/v1/health", tag = "installation", extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Processes, queues and lag", body = HealthView)))]
pub(in crate::api) async fn health(State(api): State<Shared>) -> Result<Json<HealthView>, Problem> {
    let Running {
        now,
        totals,
        services,
        queues,
        jobs,
    } = fleet::running(&api.app).await?;
    let services = services.into_iter().map(|service| ServiceView {
        service: service.service,
        settings: service.settings,
    });
    let queues = queues.into_iter().map(|queue| QueueView {
        name: queue.name,
        pending: queue.pending,
        running: queue.running,
        killed: queue.killed,
        oldest_seconds: queue.oldest_seconds,
    });
    Ok(Json(HealthView {
        now,
        version: version::FULL,
        workers: totals.workers,
        services: services.collect(),
        queues: queues.collect(),
        schedule_lag_seconds: totals.schedule_lag,
        jobs,
        jobs_failing: totals.jobs_failing,
        open_trades: totals.open_trades,
        open_trade_seconds: totals.open_trade_age,
        messages_waiting: totals.outbox_pending,
        message_seconds: totals.outbox_age,
    }))
}

/// Wallets whose key is on this server's machine, and those that jobs use; balances, and how long they last.
#[utoipa::path(get, path = "/api/v1/wallets", tag = "installation", extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Wallets", body = ref("#/components/schemas/wallet-list"))))]
pub(in crate::api) async fn wallets(
    State(api): State<Shared>,
    Extension(bearer): Extension<Bearer>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shown_to(
        &bearer,
        &wallets::holdings_of(&api.app).await?.wallets,
    )?))
}

/// Nonces and halts of a wallet on a chain.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct SignerView {
    /// paper or live
    #[schema(value_type = String)]
    realm: Realm,
    chain: String,
    /// The wallet's address
    wallet: String,
    /// The nonce that the next transaction takes
    next_nonce: u64,
    /// Why nothing is signed with it; null: it signs
    halted: Option<String>,
    /// Trades with a nonce of it that are not final
    #[schema(value_type = Vec<i64>)]
    open_trades: Vec<TradeId>,
}

impl From<Signer> for SignerView {
    fn from(row: Signer) -> Self {
        Self {
            realm: row.account.realm,
            chain: row.account.chain,
            wallet: row.account.wallet.to_checksum(None),
            next_nonce: row.next_nonce,
            halted: row.halted,
            open_trades: row.open_trades,
        }
    }
}

/// Nonces and halts of all wallets, halted ones first.
#[utoipa::path(get, path = "/api/v1/signers", tag = "installation", extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Wallets on their chains", body = Vec<SignerView>)))]
pub(in crate::api) async fn signers(State(api): State<Shared>) -> Result<Json<Vec<SignerView>>, Problem> {
    let signers = fleet::signers(&api.app).await?;
    Ok(Json(signers.into_iter().map(SignerView::from).collect()))
}

/// What the keys of this server's machine may sign.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct PolicyAnswer {
    /// Null: there is none that can be trusted, and nothing is signed with real money
    #[schema(schema_with = policy_or_none)]
    policy: Option<PolicyView>,
    /// Why there is none
    problem: Option<String>,
}

fn policy_or_none() -> RefOr<Schema> {
    let none = ObjectBuilder::new().schema_type(Type::Null);
    let policy = Ref::new("#/components/schemas/policy-show");
    OneOfBuilder::new().item(policy).item(none).into()
}

/// What the policy on this server's machine lets its keys sign, and how much of it is used. No operation changes it.
#[utoipa::path(get, path = "/api/v1/wallets/policy", tag = "installation", extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "The policy", body = PolicyAnswer)))]
pub(in crate::api) async fn policy(
    State(api): State<Shared>,
    Extension(bearer): Extension<Bearer>,
) -> Result<Json<Value>, Problem> {
    let (policy, problem) = match policy::show_of(&api.app) {
        Ok(policy) => (Some(policy), None),
        Err(error) if error.kind() == ErrorKind::Refused => (None, Some(described(&error))),
        Err(error) => return Err(error.into()),
    };
    Ok(Json(shown_to(&bearer, &PolicyAnswer { policy, problem })?))
}

/// Receivers of messages, those in the settings of this server first.
#[utoipa::path(get, path = "/api/v1/receivers", tag = "installation", extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Receivers", body = ref("#/components/schemas/notify-list"))))]
pub(in crate::api) async fn receivers(
    State(api): State<Shared>,
    Extension(bearer): Extension<Bearer>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shown_to(&bearer, &receivers::list(&api.app).await?)?))
}

/// Tokens, links and sessions, newest first; never their text.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "installation", extensions(("x-role" = json!("owner"))),
    responses((status = 200, description = "Tokens", body = ref("#/components/schemas/token-list"))))]
pub(in crate::api) async fn tokens(State(api): State<Shared>) -> Result<Json<Vec<TokenLine>>, Problem> {
    Ok(Json(tokens::list(&api.app).await?))
}
